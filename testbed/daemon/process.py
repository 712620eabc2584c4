"""The process that serves a testbed: started apart from the command that starts it, found, ended.

While it lives it holds a lock on a file in the state folder, which names its process id, the time
of its start, and its port. So whether it lives is known without trusting process ids, which the
kernel gives out again, and no other process is ever ended. (The file has content, which a lock
file of the filelock library cannot have.)
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from testbed.errors import TestbedError
from testbed.runtime.tasks import reap

FILE, LOG = "endpoint.lock", "endpoint.log"
GO = b"serve\n"
_TICK = 0.05  # seconds
_SAME_START = 60.0  # seconds by which a clock may be set between two looks at one process
_FOUND_WITHIN = 1.0  # seconds; ``find`` holds the lock for an instant as well
_PUBLISHED_WITHIN = 1.0  # seconds from the lock to the document, on a busy machine
_LENGTH = 128  # bytes of the document, with blanks behind it


@dataclass(frozen=True)
class Server:
    """A server that lives: process id, start in seconds since 1970, and port, 0 until it serves."""

    pid: int
    started: float
    port: int = 0


class ServerLock:
    """The server's file in a state folder, locked by this process.

    ``last_port`` is the port of the server before this one, or 0: its clients may still use it.
    Raises ``TestbedError`` when another process holds the lock, or there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        try:
            self._file = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise TestbedError(
                f"There is no testbed in {folder} ({error}).", hint="`testbed up` starts one."
            ) from error
        deadline = time.monotonic() + _FOUND_WITHIN
        while not _try_lock(self._file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                os.close(self._file)
                raise TestbedError(
                    f"The endpoint of {folder} is already running.",
                    hint="`testbed env` says where; `testbed down` ends it.",
                )
            time.sleep(_TICK)
        self.last_port = int(_read(self._file).get("port", 0))
        self.publish(0)

    def publish(self, port: int) -> None:
        """Write this process's id, and the port at which it serves, into the file."""
        server = Server(os.getpid(), psutil.Process().create_time(), port)
        # In one piece over the former one of the same length: ``find`` may read at any moment.
        os.pwrite(self._file, json.dumps(asdict(server)).ljust(_LENGTH).encode(), 0)

    @property
    def is_current(self) -> bool:
        """Whether the file is still in the folder, which may have been removed or made anew."""
        try:
            present, held = self._path.stat(), os.fstat(self._file)
        except OSError:
            return False
        return (present.st_dev, present.st_ino) == (held.st_dev, held.st_ino)

    def release(self) -> None:
        """Unlock and close the file."""
        os.close(self._file)


def find(folder: Path) -> Server | None:
    """Return the server of ``folder``, or None when none lives.

    One that has just taken the lock is waited for: until it has written its own document, the file
    has the one of the server before it.
    """
    try:
        file = os.open(folder / FILE, os.O_RDWR)
    except OSError:
        return None
    deadline = time.monotonic() + _PUBLISHED_WITHIN
    try:
        while not _try_lock(file, fcntl.LOCK_SH):
            document = _read(file)
            named = document.keys() == {"pid", "started", "port"}
            server = Server(**document) if named else None
            if (server and _process(server)) or time.monotonic() > deadline:
                return server
            time.sleep(_TICK)
    finally:
        os.close(file)
    return None


def stop(folder: Path, patience: float = 10.0) -> bool:
    """End the server of ``folder`` and return whether there was one.

    It is killed when it takes longer than ``patience`` seconds.
    """
    server = find(folder)
    if server is None:
        return False
    process = _process(server)
    if process is None:
        return True  # it has just ended
    with suppress(psutil.NoSuchProcess):
        for end in (process.terminate, process.kill):
            end()
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                if not is_alive(process):
                    return True
                time.sleep(_TICK)
    return True


def _process(server: Server) -> psutil.Process | None:
    """Return the server's process; None when it has ended, and its id may be another's by now."""
    try:
        process = psutil.Process(server.pid)
        same = abs(process.create_time() - server.started) <= _SAME_START
    except psutil.NoSuchProcess:
        return None
    return process if same else None


def is_alive(process: psutil.Process) -> bool:
    """Return whether the process runs; one that only waits for its parent does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Launch:
    """A server that is being started: the process exists and waits until it is told to serve.

    It ends by itself when this process ends first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._log = folder, folder / LOG
        log = os.open(self._log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "testbed.daemon.server", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        finally:
            os.close(log)

    def serve(self) -> None:
        """Let it serve, and return when it does. Raises ``TestbedError`` when it does not."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            with suppress(BrokenPipeError):  # its log says why
                self._process.stdin.write(GO)
                self._process.stdin.close()
            answer = self._process.stdout.readline()
        except BaseException:
            self.cancel()
            raise
        self._process.stdout.close()
        if answer:
            reap(self._process)
            return
        self._process.wait()
        another = find(self._folder)
        if another and another.port:  # it serves: it came first, such as `testbed serve`
            return
        log = self._log.read_text(errors="replace").strip()[-500:]
        raise TestbedError(
            f"The endpoint did not start: {log or 'its log is empty'}",
            hint="`testbed down` and then `testbed up` start anew.",
        )

    def cancel(self) -> None:
        """End the process."""
        assert self._process.stdin
        assert self._process.stdout
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()


class AlreadyServed:
    """In place of a ``Launch``: the testbed has a server."""

    def serve(self) -> None:
        """Do nothing."""


@contextmanager
def launch(folder: Path) -> Iterator[Launch | AlreadyServed]:
    """Start a server for ``folder`` unless it has one; end it when the block raises."""
    if find(folder):
        yield AlreadyServed()
        return
    launch = Launch(folder)
    try:
        yield launch
    except BaseException:
        launch.cancel()
        raise


def _try_lock(file: int, mode: int) -> bool:
    try:
        fcntl.flock(file, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: int) -> dict[str, Any]:
    try:
        document = json.loads(os.pread(file, 4096, 0))
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
