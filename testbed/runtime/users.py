"""Processes that use one folder together, each for as long as it lives.

A file beside the folder is locked by all of them. Whoever leaves and then gets it alone is the last
and cleans up. The kernel frees a lock when its holder ends, however it ends.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.private_files import close_locked, is_at

_TICK = 0.1  # seconds


def lock_of(folder: Path) -> Path:
    """Return the file that the users of ``folder`` lock."""
    return folder.with_name(f"{folder.name}.users")


@contextmanager
def using(folder: Path) -> Iterator[None]:
    """Be one of the users of ``folder``. Waits while the last one cleans up."""
    path, user = lock_of(folder), os.getpid()
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if is_at(path, descriptor):
            break
        os.close(descriptor)  # the last user has removed it meanwhile
    try:
        yield
    finally:
        close_locked(descriptor, user)


@contextmanager
def last_user(folder: Path, patience: float = 0.0) -> Iterator[bool]:
    """Yield whether nobody uses ``folder``; nobody can begin to use it during the block.

    Others get ``patience`` seconds to leave.
    """
    path, deadline = lock_of(folder), time.monotonic() + patience
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:  # another one was the last
        yield False
        return
    try:
        alone = _try_lock(descriptor)
        while not alone and time.monotonic() < deadline:
            time.sleep(_TICK)
            alone = _try_lock(descriptor)
        alone = alone and is_at(path, descriptor)
        yield alone
        if alone:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
