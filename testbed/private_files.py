"""Files that only their owner may read."""

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from testbed.errors import StateBroken


def is_at(path: Path, descriptor: int) -> bool:
    """Return whether the open file is still the one at ``path``."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def close_locked(descriptor: int, holder: int) -> None:
    """Close a file, and free its lock if this is the process that holds it.

    Closing alone would not do: a child that was forked meanwhile has the file open as well, and
    would keep the lock for its own life.
    """
    if os.getpid() == holder:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def create_private(path: Path) -> None:
    """Create an empty file of mode 0600 at ``path``. An existing file is not even opened.

    SQLite locks its files for the process: closing one here would drop the locks that other
    connections of this process hold on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
    Raises ``OSError``.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def write_private(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` with mode 0600; a reader finds the old file or the new one.

    A missing folder is created with mode 0700; an existing one keeps its mode, since it may
    belong to anybody. Raises ``StateBroken`` when the file cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp sets mode 0600 whatever the umask, so not even the first byte is readable.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)  # interrupted when it was in place already
            raise
    except OSError as error:
        raise StateBroken.because_of(error, f"{path} cannot be written", "") from error
