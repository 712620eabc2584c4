"""Clean up after a process that died, even by ``kill -9``.

A small process in a separate session holds one end of a pipe. When the other end closes, because
its owner ended, it removes everything under the owner's label, and the owner's state folder if that
was a temporary one. An owner that has cleaned up dismisses it first. Where several owners share the
folder, the reaper of the last one removes it.
"""

import os
import shutil
import subprocess
import sys
import time
import weakref
from contextlib import suppress
from pathlib import Path

_DISMISSED = b"dismissed\n"
_ENGINE_ANSWERS_WITHIN = 600.0  # seconds
_LEAVING = 10.0  # seconds in which all owners end that are killed together


class Reaper:
    """Watch over this process for ``instance``; remove ``folder`` as well, if it is given.

    ``shared``: only if no other process uses the folder; see ``users``.
    """

    def __init__(self, instance: str, folder: Path | None = None, *, shared: bool = False) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "testbed.runtime.reaper", instance, str(folder or "")),
                *(["shared"] if shared else []),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        _reapers.add(self)

    def dismiss(self) -> None:
        """End the process: everything is cleaned up."""
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):  # it was killed; this is a forked child
            self._process.stdin.write(_DISMISSED)
            self._process.stdin.close()
        self._process.wait()

    def let_go(self) -> None:
        """Close this end of the pipe in a child that was forked: the owner is its parent."""
        assert self._process.stdin is not None
        self._process.stdin.close()


_reapers: "weakref.WeakSet[Reaper]" = weakref.WeakSet()


def _let_go_of_all() -> None:
    for reaper in _reapers:
        reaper.let_go()


# A child of the owner's, such as a worker of ``multiprocessing``, may outlive it.
os.register_at_fork(after_in_child=_let_go_of_all)


def main(instance: str, folder: str, shared: str = "") -> None:
    """Wait for the owner's end, and clean up unless dismissed."""
    if sys.stdin.buffer.readline() == _DISMISSED:
        return
    if not shared:
        _clean_up(instance, folder)
        return
    from testbed.runtime.users import last_user

    with last_user(Path(folder), _LEAVING) as is_last:
        if is_last:
            _clean_up(instance, folder)


def _clean_up(instance: str, folder: str) -> None:
    from testbed.errors import ContainerFailed
    from testbed.runtime import engine
    from testbed.runtime.cleanup import purge

    deadline = time.monotonic() + _ENGINE_ANSWERS_WITHIN
    try:
        while time.monotonic() < deadline:
            try:
                purge(engine.connect(start=False), instance, quiet_for=5.0)
                break
            except ContainerFailed:  # the engine is busy
                time.sleep(5)
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:4])
