"""Find the container engine, or start one.

An engine that answers is used as it is: the one that ``DOCKER_HOST`` or the current Docker context
names, Docker Desktop's, a rootless one, Podman's Docker API. Where none answers and this is Debian
and root, Debian's own is installed and started, each step logged. Everywhere else the error says
what to do.
"""

import fcntl
import logging
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import docker
from docker.errors import DockerException

from testbed.errors import ContainerFailed, EngineUnavailable, NotEnoughDisk, TestbedError
from testbed.runtime import debian
from testbed.runtime.docker_errors import translate
from testbed.runtime.tasks import reap

logger = logging.getLogger(__name__)

LOG = Path("/var/log/testbed-dockerd.log")
DEFAULT = "unix:///var/run/docker.sock"
_WHAT_TO_DO = (
    "Start Docker Desktop, `systemctl start docker` or `podman system service`, or set DOCKER_HOST "
    "to the address of a running engine. As root on Debian the testbed installs and starts an "
    "engine by itself."
)
_START_WITHIN = 60.0  # seconds
_ANSWERS_WITHIN = 5  # seconds
_LOCK = LOG.with_suffix(".lock")  # two processes would start two engines
_starting = threading.Lock()  # so would two threads of one


def connect(*, start: bool = True, timeout: float = 60.0) -> docker.DockerClient:
    """Return a client of the engine, with ``timeout`` seconds for each answer.

    With ``start=False`` only a running engine is looked for. Raises ``EngineUnavailable`` where
    there is none, and ``ContainerFailed`` for one that breaks off: its containers may run.
    """
    with _starting:
        host = _find_running()
        if host is None:
            _require_permission(_usual_addresses())
            if not start:
                raise EngineUnavailable("No container engine is running.", hint=_WHAT_TO_DO)
            host = _start_once()
    with translate(f"The container engine at {host} does not answer"):
        return docker.DockerClient(base_url=host, timeout=int(timeout))  # asks it for its version


def address() -> str:
    """Return the address of the running engine. Raises ``EngineUnavailable``."""
    host = _find_running()
    if host is None:
        raise EngineUnavailable("No container engine is running.", hint=_WHAT_TO_DO)
    return host


def launch(command: Sequence[str], host: str, environment: Mapping[str, str] | None = None) -> None:
    """Start the engine by ``command`` and wait until it answers at ``host``; it outlives us.

    ``environment`` is ours by default. Raises ``EngineUnavailable``.
    """
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    reap(process)
    deadline = time.monotonic() + _START_WITHIN
    while time.monotonic() < deadline:
        with suppress(ContainerFailed):  # it is there, and busy
            if _answers(host):
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    lines = LOG.read_text(errors="replace").strip().splitlines()
    raise EngineUnavailable(
        f"dockerd did not come up: {lines[-1] if lines else 'its log is empty'}",
        hint=f"{LOG} has its whole log. {_WHAT_TO_DO}",
    )


def require_disk(client: docker.DockerClient, needed: int, purpose: str) -> None:
    """Raise ``NotEnoughDisk`` when the engine's disk has less than ``needed`` bytes free.

    ``purpose`` begins the message. Passes where the engine's disk cannot be seen from here.
    """
    with translate("The engine's disk could not be inspected"):
        root = client.info().get("DockerRootDir", "")
    if not root or not Path(root).is_dir():
        return  # on another machine, or in a virtual one
    free = shutil.disk_usage(root).free
    if free < needed:
        raise NotEnoughDisk(
            f"{purpose} needs {needed // 2**20} MiB of free disk; {root} has {free // 2**20} MiB.",
            hint="`docker system df` shows what takes the space; "
            "`docker system prune` frees what is unused.",
        )


def _find_running() -> str | None:
    """Return the address of an engine that answers. Raises ``ContainerFailed`` for a busy one."""
    named = os.environ.get("DOCKER_HOST")
    if not named:
        busy = None
        for host in _usual_addresses():
            try:
                if _answers(host):
                    return host
            except ContainerFailed as error:
                busy = error
        if busy:
            raise busy
        return None
    if not _answers(named):
        _require_permission([named])
        raise EngineUnavailable(
            f"No container engine answers at DOCKER_HOST={named}.",
            hint=f"Unset DOCKER_HOST, or: {_WHAT_TO_DO}",
        )
    return named


def _usual_addresses() -> Iterator[str]:
    """Yield the addresses at which engines usually listen."""
    try:
        context = docker.ContextAPI.get_current_context()
        if context is not None and context.Host:
            # The SDK writes "http+unix://"; the client wants "unix://".
            yield context.Host.replace("http+unix://", "unix://")
    except Exception as error:  # noqa: BLE001 - a broken ~/.docker must not hide the sockets
        logger.warning("the current Docker context cannot be read: %s", error)
    yield DEFAULT
    yield f"unix://{Path.home()}/.docker/run/docker.sock"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        yield f"unix://{runtime}/docker.sock"
        yield f"unix://{runtime}/podman/podman.sock"
    yield "unix:///run/podman/podman.sock"


def _answers(host: str) -> bool:
    """Return whether there is an engine. Raises ``ContainerFailed`` for one that is too busy."""
    if host.startswith("unix://") and not Path(host.removeprefix("unix://")).exists():
        return False
    try:
        with closing(docker.DockerClient(base_url=host, timeout=_ANSWERS_WITHIN)) as client:
            return client.ping()
    except (DockerException, OSError) as error:  # refused, forbidden, not an engine
        if "Read timed out" in str(error):  # somebody listens: what it runs is there
            raise ContainerFailed(
                f"The container engine at {host} does not answer within {_ANSWERS_WITHIN} s.",
                hint="It may be busy, or another program listens there: see whether `docker info` "
                "answers.",
            ) from error
        return False


def _require_permission(hosts: Iterable[str]) -> None:
    """Raise ``EngineUnavailable`` for a socket that is there, and not for this user."""
    for host in hosts:
        path = host.removeprefix("unix://")
        if host.startswith("unix://") and _is_forbidden(path):
            raise EngineUnavailable(
                f"This user may not use the container engine's socket {path}.",
                hint="Join the group that may, with `sudo usermod -aG docker $USER` and a new "
                "login, or name an engine of your own in DOCKER_HOST.",
            )


def _is_forbidden(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except PermissionError:
            return True
        except OSError:  # missing, or nobody listens
            return False
    return False


def _start_once() -> str:
    """Install and start the engine, or wait for the process that does."""
    if not debian.can_install():
        raise EngineUnavailable(
            "No container engine is running, and none can be started from here.", hint=_WHAT_TO_DO
        )
    with _LOCK.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _find_running() or _start(_ensure_installed())


def _start(daemon: str) -> str:
    logger.info(
        "starting the container engine (dockerd, log in %s); it stays up for the next command", LOG
    )
    launch([daemon], DEFAULT)
    return DEFAULT


def _ensure_installed() -> str:
    """Return the path of dockerd; install it where it is missing."""
    daemon = shutil.which("dockerd")
    if daemon is None:
        try:
            debian.install(["docker.io", "iptables"], "no container engine is on this machine")
        except TestbedError as error:
            raise EngineUnavailable(error.message, hint=error.hint) from error
        daemon = shutil.which("dockerd")
    if daemon is None:
        raise EngineUnavailable(
            "The package docker.io was installed, and has no dockerd.", hint=_WHAT_TO_DO
        )
    return daemon
