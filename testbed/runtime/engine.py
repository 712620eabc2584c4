"""Find the container engine, or start one.

An engine that answers is used as it is: the one that ``DOCKER_HOST`` or the current Docker context names, Docker
Desktop's, a rootless one, Podman's Docker API. Where none answers and this is Debian and root, Debian's own is
installed and started, each after saying so; everywhere else one error says what to do.
"""

import logging
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.errors import DockerException

from testbed.errors import EngineUnavailable, TestbedError
from testbed.runtime import debian

logger = logging.getLogger(__name__)

LOG = Path("/var/log/testbed-dockerd.log")
DEFAULT = "unix:///var/run/docker.sock"
_WHAT_TO_DO = (
    "Start Docker Desktop, `systemctl start docker` or `podman system service`, or set DOCKER_HOST to a running "
    "engine's address. As root on Debian the testbed installs and starts an engine by itself."
)
_starting = threading.Lock()


def connect(*, start: bool = True, timeout: float = 60.0) -> docker.DockerClient:
    """A client of the engine, with ``timeout`` seconds for each answer.

    ``start=False`` only looks for a running one. Raises ``EngineUnavailable``.
    """
    with _starting:
        host = _running()
        if host is None:
            if not start:
                raise EngineUnavailable("No container engine is running.", hint=_WHAT_TO_DO)
            host = _start()
    # testcontainers and every child of ours shall find the same one.
    os.environ["DOCKER_HOST"] = host
    return docker.DockerClient(base_url=host, timeout=timeout)  # type: ignore[arg-type]


def _running() -> str | None:
    """The address of an engine that answers."""
    named = os.environ.get("DOCKER_HOST")
    if named:
        if _answers(named):
            return named
        raise EngineUnavailable(
            f"No container engine answers at DOCKER_HOST={named}.",
            hint=f"Unset DOCKER_HOST, or: {_WHAT_TO_DO}",
        )
    return next((host for host in _usual() if _answers(host)), None)


def _usual() -> Iterator[str]:
    try:
        context = docker.ContextAPI.get_current_context()
        if context is not None and context.Host:
            # The SDK writes "http+unix://"; the client wants "unix://".
            yield context.Host.replace("http+unix://", "unix://")
    except Exception:  # noqa: BLE001 - a broken ~/.docker is no reason not to try the sockets
        pass
    yield DEFAULT
    yield f"unix://{Path.home()}/.docker/run/docker.sock"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        yield f"unix://{runtime}/docker.sock"
        yield f"unix://{runtime}/podman/podman.sock"
    yield "unix:///run/podman/podman.sock"


def _answers(host: str) -> bool:
    if host.startswith("unix://") and not Path(host.removeprefix("unix://")).exists():
        return False
    try:
        client = docker.DockerClient(base_url=host, timeout=5)
        try:
            return client.ping()
        finally:
            client.close()
    except (DockerException, OSError):  # refused, forbidden, not an engine
        return False


def _start() -> str:
    daemon = shutil.which("dockerd")
    if not debian.can_install():
        raise EngineUnavailable(
            "No container engine is running, and none can be started from here.", hint=_WHAT_TO_DO
        )
    try:
        if daemon is None:
            debian.install(["docker.io", "iptables"], "no container engine is on this machine")
            daemon = shutil.which("dockerd")
        if daemon is None:
            raise EngineUnavailable(
                "docker.io was installed and brought no dockerd.", hint=_WHAT_TO_DO
            )
    except EngineUnavailable:
        raise
    except TestbedError as error:
        raise EngineUnavailable(error.message, hint=error.hint) from error
    logger.info(
        "starting the container engine (dockerd, log in %s); it stays up for the next command", LOG
    )
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            [daemon],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if _answers(DEFAULT):
            return DEFAULT
        if process.poll() is not None:
            break
        time.sleep(0.1)
    words = LOG.read_text(errors="replace").strip().splitlines()
    raise EngineUnavailable(
        f"dockerd did not come up: {words[-1] if words else 'it said nothing'}",
        hint=f"{LOG} has all it said. {_WHAT_TO_DO}",
    )
