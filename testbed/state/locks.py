"""Locks among threads and processes, so that two commands do not start the same thing twice.

The kernel frees a lock when its holder ends, however it ends.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from testbed.errors import Interrupted, StateBroken
from testbed.private_files import close_locked, is_at

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
    path, place, descriptor = folder / f"{name}{SUFFIX}", f"on {name} in {folder}", None
    holder = os.getpid()
    try:
        while descriptor is None:
            descriptor = _lock(path, os.O_CREAT | os.O_RDWR, place, cancelled, wait=wait)
    except OSError as error:
        raise StateBroken.because_of(
            error, f"The state folder {folder} cannot be used", "`testbed up` makes a new one."
        ) from error
    try:
        yield
    finally:
        close_locked(descriptor, holder)


def remove_lock(folder: Path, name: str) -> None:
    """Remove the file of a lock that is held: the last thing to do while it is."""
    (folder / f"{name}{SUFFIX}").unlink(missing_ok=True)


@contextmanager
def hold_folder(folder: Path, *, create: bool) -> Iterator[None]:
    """Hold the whole folder, for a command that makes or removes it.

    A missing one is made first. Unless ``create``, only its last part is, and the folder is not
    held where that fails: nothing can be in it. A wait of more than a second is logged. Raises
    ``StateBroken`` when the folder cannot be made.
    """
    descriptor, is_made = None, False
    try:
        while descriptor is None and (create or folder.parent.is_dir()):
            try:
                is_made = _make(folder, parents=create)
            except StateBroken:
                if create:
                    raise
                break
            descriptor = _lock_folder(folder)
        yield
    finally:
        if is_made:
            with suppress(OSError):  # it is in use, as it should be
                folder.rmdir()
        if descriptor is not None:
            os.close(descriptor)


def _make(folder: Path, *, parents: bool) -> bool:
    """Make the folder, and return whether there was none."""
    try:
        folder.mkdir(mode=0o700, parents=parents)
    except FileExistsError:
        return False
    except OSError as error:
        raise StateBroken.because_of(
            error,
            f"The state folder {folder} cannot be made",
            "Name a folder that can be written with --state or TESTBED_STATE.",
        ) from error
    return True


def _lock_folder(folder: Path) -> int | None:
    """Return a descriptor that locks the folder, or None when it was removed meanwhile."""
    try:
        return _lock(folder, os.O_RDONLY, f"in {folder}", threading.Event())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateBroken.because_of(
            error,
            f"The state folder {folder} cannot be used",
            "Name a folder of yours with --state or TESTBED_STATE.",
        ) from error


def _lock(
    path: Path, flags: int, place: str, cancelled: threading.Event, *, wait: bool = True
) -> int | None:
    """Return a descriptor that locks ``path``, or None when it was removed meanwhile."""
    descriptor = os.open(path, flags, 0o600)
    try:
        _wait(descriptor, place, cancelled, wait=wait)
        if is_at(path, descriptor):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _wait(descriptor: int, place: str, cancelled: threading.Event, *, wait: bool) -> None:
    """Return with the lock. Raises ``Interrupted`` when ``cancelled`` is set first."""
    attempts = 0
    while not _try_lock(descriptor):
        if not wait:
            raise Busy
        attempts += 1
        if attempts == 10:
            logger.info("waiting: another command is at work %s", place)
        if cancelled.wait(0.1):
            raise Interrupted("Interrupted.")


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
