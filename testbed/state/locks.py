"""Locks among threads and processes, so that two commands do not start the same thing twice.

The kernel frees a lock when its holder ends, however it ends.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.errors import Interrupted, StateBroken

logger = logging.getLogger(__name__)

SUFFIX = ".lock"


class Busy(Exception):
    """The lock is held by another thread or process."""


@contextmanager
def hold_lock(
    folder: Path,
    name: str,
    cancelled: threading.Event,
    *,
    wait: bool = True,
) -> Iterator[None]:
    """Hold the lock ``name`` of the state folder.

    A wait of more than a second is logged. Raises ``Interrupted`` when
    ``cancelled`` is set first, ``Busy`` when the lock is taken and ``wait`` is false,
    ``StateBroken`` when the folder is gone.
    """
    try:
        descriptor = os.open(folder / f"{name}{SUFFIX}", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise StateBroken(
            f"The state folder {folder} cannot be used: {error}.",
            hint="`testbed up` makes a new one.",
        ) from error
    try:
        attempts = 0
        while not _try_lock(descriptor):
            if not wait:
                raise Busy
            attempts += 1
            if attempts == 10:
                logger.info("waiting: another command is at work on %s in %s", name, folder)
            if cancelled.wait(0.1):
                raise Interrupted("Interrupted.")
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
