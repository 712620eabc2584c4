"""Writing what others may not read."""

import os
import tempfile
from pathlib import Path

from testbed.errors import StateBroken


def write_private(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` with mode 0600: a reader finds the old file or the new one, whole.

    The folder is made with mode 0700 where there is none; one that exists keeps its mode, since it may be anybody's.
    Raises ``StateBroken`` when it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made with mode 0600 and no other, whatever the umask, so that not even the first byte is readable.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise StateBroken(f"{path} cannot be written: {error.strerror or error}.") from error
