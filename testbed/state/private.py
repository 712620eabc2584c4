"""Files that only their owner may read, before anything is written into them."""

import os
from contextlib import suppress
from pathlib import Path


def make_private(path: Path) -> None:
    """Make an empty file of mode 0600 at ``path``; one that is there is not touched, not even opened.

    SQLite locks its files for the process: to close one here would give up the locks that connections of this process
    have on it (https://www.sqlite.org/howtocorrupt.html, 2.2). Raises ``OSError``.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
