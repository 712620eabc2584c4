"""One testbed for several processes, such as the workers of pytest-xdist."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.runtime.reaper import Reaper
from testbed.runtime.users import last_user, using
from testbed.state.store import instance_of
from testbed.testbed import Testbed, down

logger = logging.getLogger(__name__)


@contextmanager
def shared_testbed(folder: Path) -> Iterator[Testbed]:
    """Join the testbed of ``folder``, or start it.

    The last process to leave removes it, however each of them ends.
    """
    with using(folder):
        reaper = Reaper(instance_of(folder), folder, shared=True)
        with Testbed(folder) as testbed:
            yield testbed
    with last_user(folder) as is_last:
        if is_last:
            logger.info("taking everything down")
            down(folder)
    reaper.dismiss()
