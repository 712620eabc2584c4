"""Clean up behind a process that died, even by ``kill -9``.

A small process of its own session holds one end of a pipe. When the other end closes, because its owner ended for
whatever reason, it removes everything under the owner's label, and the owner's state folder if that was a temporary
one. An owner that cleaned up by itself says so first.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

_DONE = b"done"


class Reaper:
    """Watches this process on behalf of ``instance``; ``folder`` is removed as well when given."""

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
        """Everything is cleaned up: nothing is left to do."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(_DONE)
            self._process.stdin.close()
        except OSError:  # it was killed
            pass
        self._process.wait()


def main(instance: str, folder: str) -> None:
    if sys.stdin.buffer.read() == _DONE:
        return
    from testbed.runtime import engine
    from testbed.runtime.containers import purge

    try:
        purge(engine.connect(start=False), instance, settle=5.0)
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
