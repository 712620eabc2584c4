"""The process behind a testbed that is up: started apart from the command that starts it, found again, and ended.

It holds a lock on a file in the state folder for as long as it lives, and has written its process id, the time that the
kernel says it was started at, and its port into that file. So whether it lives is known without looking at process
ids, which are given out again; and nothing but the process that the file means is ever ended.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from testbed.errors import TestbedError
from testbed.testbed import Testbed

FILE, LOG = "endpoint.lock", "endpoint.log"
GO = b"serve\n"
_TICK = 0.05  # seconds
_LOOKED_AT = 1.0  # seconds; ``running`` holds the file for a moment as well


@dataclass(frozen=True)
class Running:
    """A server that lives. ``started`` is its start by the kernel's account; ``port`` is 0 until it serves."""

    pid: int
    started: str
    port: int = 0


class Place:
    """The file of a state folder, held by this process. Raises ``TestbedError`` when another holds it, or there is no folder.

    ``last_port`` is that of the server before this one, for its clients' sake; 0 when there was none.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        try:
            self._file = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise TestbedError(
                f"There is no testbed in {folder} ({error}).", hint="`testbed up` starts one."
            ) from error
        deadline = time.monotonic() + _LOOKED_AT
        while not _locked(self._file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                os.close(self._file)
                raise TestbedError(
                    f"The endpoint of {folder} runs already.",
                    hint="`testbed env` says where; `testbed down` ends it.",
                )
            time.sleep(_TICK)
        self.last_port = _read(self._file).get("port", 0)
        self.note(0)

    def note(self, port: int) -> None:
        """Say who holds the place, and where it serves."""
        document = json.dumps(asdict(Running(os.getpid(), started(os.getpid()), port))).encode()
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, document, 0)

    @property
    def ours(self) -> bool:
        """Whether the file is still in the folder: not when the folder was removed, or made anew."""
        try:
            here, held = os.stat(self._path), os.fstat(self._file)
        except OSError:
            return False
        return (here.st_dev, here.st_ino) == (held.st_dev, held.st_ino)

    def leave(self) -> None:
        os.close(self._file)


def running(folder: Path) -> Running | None:
    """The server of ``folder``; None when none lives."""
    try:
        file = os.open(folder / FILE, os.O_RDWR)
    except OSError:
        return None
    try:
        if _locked(file, fcntl.LOCK_SH):
            return None
        document = _read(file)
        return Running(**document) if document.keys() == {"pid", "started", "port"} else None
    finally:
        os.close(file)


def stop(folder: Path, patience: float = 10.0) -> bool:
    """End the server of ``folder``, by force when it takes longer than ``patience`` seconds. Whether there was one."""
    found = running(folder)
    if found is None:
        return False
    for sent in (signal.SIGTERM, signal.SIGKILL):
        if started(found.pid) == found.started:
            os.kill(found.pid, sent)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if started(found.pid) != found.started:
                return True
            time.sleep(_TICK)
    return True


class Launch:
    """A server on its way: the process is there and waits for ``go``. It ends by itself when this one ends before that."""

    def __init__(self, testbed: Testbed) -> None:
        folder = testbed.state.folder
        log = os.open(folder / LOG, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "testbed.aws.server", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        finally:
            os.close(log)
        self._log = folder / LOG

    def go(self) -> None:
        """Let it serve, and return when it does. Raises ``TestbedError`` when it does not."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            with suppress(BrokenPipeError):  # it has said why
                self._process.stdin.write(GO)
                self._process.stdin.close()
            answer = self._process.stdout.readline()
        except BaseException:
            self.cancel()
            raise
        if answer:
            self._process.stdout.close()
            return
        self._process.wait()
        words = self._log.read_text(errors="replace").strip()[-500:]
        raise TestbedError(
            f"The endpoint did not start: {words or 'it said nothing'}",
            hint="`testbed down` and then `testbed up` start anew.",
        )

    def cancel(self) -> None:
        """It is not wanted."""
        assert self._process.stdin
        assert self._process.stdout
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()


@contextmanager
def launched(testbed: Testbed) -> "Iterator[Launch | Standing]":
    """A server for ``testbed`` on its way, or the one that it has. Not wanted any more when the block is left by an error."""
    if running(testbed.state.folder):
        yield Standing()
        return
    launch = Launch(testbed)
    try:
        yield launch
    except BaseException:
        launch.cancel()
        raise


class Standing:
    """A server that was there before."""

    def go(self) -> None:
        """It does already."""


def started(pid: int) -> str:
    """When the process of this id was started, in the kernel's own way of saying it; empty when there is none that runs."""
    if not Path("/proc/self/stat").exists():
        return subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.strip()
    try:
        # The second field, the name, may have anything in it. The third is the state, the 22nd the ticks since the machine's start.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""


def _locked(file: int, how: int) -> bool:
    """Whether nobody else has it, and this process now has."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: int) -> dict[str, Any]:
    try:
        document = json.loads(os.pread(file, 4096, 0))
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
