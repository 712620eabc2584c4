"""The container engine as a process of this machine, and its restart."""

import logging
import os
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from testbed.errors import ContainerFailed
from testbed.runtime import engine

logger = logging.getLogger(__name__)

_NAME = "dockerd"
_CREDENTIALS = struct.Struct("3i")  # process, user, group
_REAPED_WITHIN = 10.0  # seconds
_ENDS_WITHIN = 90.0  # seconds; it gives its containers ten of them


@dataclass(frozen=True)
class EngineProcess:
    """The process that listens at ``address``, and how it was started."""

    address: str
    pid: int
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]

    def restart(self, *, kill: bool = False) -> None:
        """End the engine, gracefully unless it is to ``kill``, and start it as it was started.

        All its containers end. Raises ``ContainerFailed`` when it does not end, and
        ``EngineUnavailable`` when it does not come back.
        """
        process = psutil.Process(self.pid)
        # With its containerd, which ends with it: the next engine would join one that is ending.
        ending = [process, *process.children()]
        if kill:
            process.kill()
        else:
            process.terminate()
        deadline = time.monotonic() + _ENDS_WITHIN
        while any(map(_runs, ending)):
            if time.monotonic() > deadline:
                raise ContainerFailed(
                    f"The container engine did not end within {_ENDS_WITHIN:.0f} s.",
                    hint=f"It is process {self.pid}.",
                )
            time.sleep(0.1)
        # dockerd takes the number of a containerd that nobody has waited for yet for a running one.
        psutil.wait_procs(ending, _REAPED_WITHIN)
        logger.info("the container engine has ended; starting it again")
        engine.launch(self.arguments, self.address, dict(self.environment))


def _runs(process: psutil.Process) -> bool:
    """Return whether it has not ended; one may stay as a zombie where nothing waits for it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def find() -> EngineProcess:
    """Return the process of the engine that is in use.

    Raises ``EngineUnavailable`` when none answers, and ``ContainerFailed`` when it is not a process
    of this machine that this user may restart: a virtual machine's, or one that systemd started.
    """
    address = engine.address()
    path = Path(address.removeprefix("unix://"))
    if not hasattr(socket, "SO_PEERCRED") or not path.is_socket():
        raise ContainerFailed(
            f"The container engine at {address} is not a process of this machine."
        )
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid = _CREDENTIALS.unpack(packed)[0]
    try:
        process = psutil.Process(pid)
        # systemd starts it again by itself, and sets this variable in what it has started.
        if process.name() != _NAME or process.environ().get("SYSTEMD_EXEC_PID") == str(pid):
            raise ContainerFailed(
                f"The container engine at {address} was started by systemd or another manager.",
                hint="Only one that the testbed or a shell has started is restarted.",
            )
        return EngineProcess(
            address, pid, tuple(process.cmdline()), tuple(process.environ().items())
        )
    except psutil.Error as error:
        raise ContainerFailed(
            f"User {os.getuid()} may not restart the container engine at {address}."
        ) from error
