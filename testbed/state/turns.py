"""One at a time, among threads and processes: two commands on one state folder do not start the same thing twice.

The kernel frees the lock when its holder ends, however it ends.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.errors import Interrupted, StateBroken

SUFFIX = ".lock"


class Busy(Exception):
    """Another has the turn, and it is not to be waited for."""


@contextmanager
def one_at_a_time(
    folder: Path,
    name: str,
    cancelled: threading.Event,
    waiting: Callable[[], None] = lambda: None,
    *,
    wait: bool = True,
) -> Iterator[None]:
    """Hold the lock ``name`` of the state folder.

    ``waiting`` is called once when another has it for a second. Raises ``Interrupted`` when ``cancelled`` is set before
    it is free, ``Busy`` when it is not free and not to be waited for, ``StateBroken`` when the folder is gone.
    """
    try:
        held = os.open(folder / f"{name}{SUFFIX}", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise StateBroken(
            f"The state folder {folder} cannot be used: {error}.",
            hint="`testbed up` makes a new one.",
        ) from error
    try:
        attempts = 0
        while not _taken(held):
            if not wait:
                raise Busy
            attempts += 1
            if attempts == 10:
                waiting()
            if cancelled.wait(0.1):
                raise Interrupted("Interrupted.")
        yield
    finally:
        os.close(held)


def _taken(held: int) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
