"""A local testbed for the data protection of Amazon MQ."""
