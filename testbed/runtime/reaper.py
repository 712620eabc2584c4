"""Clean up after a process that died, even by ``kill -9``.

A small process in a separate session holds one end of a pipe. When the other end closes, because
its owner ended, it removes everything under the owner's label, and the owner's state folder if that
was a temporary one. An owner that has cleaned up dismisses it first.
"""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

_DISMISSED = b"dismissed"


class Reaper:
    """Watch over this process for ``instance``; remove ``folder`` as well, if it is given."""

    def __init__(self, instance: str, folder: Path | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "testbed.runtime.reaper", instance, str(folder or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def dismiss(self) -> None:
        """End the process: everything is cleaned up."""
        assert self._process.stdin is not None
        with suppress(OSError):  # it was killed
            self._process.stdin.write(_DISMISSED)
            self._process.stdin.close()
        self._process.wait()


def main(instance: str, folder: str) -> None:
    """Wait for the owner's end, and clean up unless dismissed."""
    if sys.stdin.buffer.read() == _DISMISSED:
        return
    from testbed.runtime import engine
    from testbed.runtime.cleanup import purge

    try:
        purge(engine.connect(start=False), instance, quiet_for=5.0)
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
