"""A local testbed for the data protection of Amazon MQ."""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())
