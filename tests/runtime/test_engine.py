"""Finding the engine, and its disk."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException

from testbed.errors import (
    ContainerFailed,
    EngineUnavailable,
    NotEnoughDisk,
)
from testbed.runtime import debian, engine
from testbed.runtime.engine import require_disk
from testbed.state.store import State, is_ours
from testbed.testbed import down


@pytest.mark.containers
def test_too_little_disk_is_reported_before_anything_is_created(
    client: docker.DockerClient,
) -> None:
    require_disk(client, 1, "A broker")
    with pytest.raises(NotEnoughDisk, match="A broker needs"):
        require_disk(client, 2**60, "A broker")


def test_an_engine_that_is_named_and_does_not_answer_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such.sock")
    with pytest.raises(EngineUnavailable, match="DOCKER_HOST=unix:///no/such.sock") as error:
        engine.connect()
    assert "Docker Desktop" in error.value.hint


def test_an_engine_that_breaks_off_is_not_taken_for_none_by_a_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its containers may run: without the folder nobody would find them any more."""
    folder = State(tmp_path / "state").folder

    def break_off(**_: object) -> None:
        raise DockerException("Error while fetching server API version: Read timed out.")

    monkeypatch.setattr(engine, "_find_running", lambda: "unix:///busy.sock")
    monkeypatch.setattr(docker, "DockerClient", break_off)
    with pytest.raises(ContainerFailed, match=r"unix:///busy.sock does not answer: .*timed out"):
        down(folder)
    assert is_ours(folder)


@pytest.mark.parametrize("named", [True, False])
def test_an_engine_that_listens_and_does_not_answer_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    folder = State(tmp_path / "state").folder
    monkeypatch.setattr(engine, "_ANSWERS_WITHIN", 1)
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{short}/busy.sock")
        listener.listen()
        address = f"unix://{short}/busy.sock"
        if named:
            monkeypatch.setenv("DOCKER_HOST", address)
        else:
            monkeypatch.delenv("DOCKER_HOST", raising=False)
            monkeypatch.setattr(engine, "_usual_addresses", lambda: iter((address,)))
        with pytest.raises(ContainerFailed, match="does not answer within 1 s"):
            down(folder)
    assert is_ours(folder)


def test_where_no_engine_can_be_started_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "_usual_addresses", lambda: iter(()))
    monkeypatch.setattr(debian, "can_install", lambda: False)
    with pytest.raises(EngineUnavailable) as error:
        engine.connect()
    assert "podman system service" in error.value.hint


def test_a_socket_that_this_user_may_not_use_is_named() -> None:
    """Docker's group is missing; the engine runs."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        Path(folder).chmod(0o755)
        path = f"{folder}/docker.sock"
        listener.bind(path)
        listener.listen()
        Path(path).chmod(0)
        script = (
            "import os\nfrom testbed.runtime import engine\n"
            "if os.geteuid() == 0:\n    os.setuid(65534)\n"  # root may use every socket
            "engine.connect(start=False)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "DOCKER_HOST": f"unix://{path}", "HOME": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    assert f"This user may not use the container engine's socket {path}." in done.stderr
    assert "usermod -aG docker" in done.stderr


def test_podman_without_root_is_among_the_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert "unix:///run/user/7/podman/podman.sock" in engine._usual_addresses()


_SECOND_ENGINE = """\
#!/bin/sh
echo started >>{folder}/starts
# In a network of its own: without a bridge it removes docker0, which is the other engine's.
exec unshare --net dockerd -H unix://{folder}/docker.sock --data-root {folder}/data \\
    --exec-root {folder}/exec --pidfile {folder}/dockerd.pid \\
    --bridge none --iptables=false --ip6tables=false
"""
_CONNECT = """\
import contextlib, pathlib, sys
from testbed.runtime import engine
folder = pathlib.Path(sys.argv[1])
engine.DEFAULT = f"unix://{folder}/docker.sock"
engine.LOG, engine._LOCK = folder / "log", folder / "lock"
engine._usual_addresses = lambda: iter([engine.DEFAULT])
engine._ensure_installed = lambda: f"{folder}/engine"
with contextlib.closing(engine.connect()) as client:
    print(client.info()["DockerRootDir"], flush=True)
sys.stdin.read()
"""


@pytest.mark.containers
@pytest.mark.skipif(not debian.can_install(), reason="an engine is started by root on Debian only")
@pytest.mark.usefixtures("client")  # an engine is installed
def test_processes_that_start_the_engine_at_once_start_one() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a socket's path has 107 characters
        start_at_once(Path(folder))


def start_at_once(folder: Path) -> None:
    program = folder / "engine"
    program.write_text(_SECOND_ENGINE.format(folder=folder))
    program.chmod(0o700)
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _CONNECT, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    try:
        roots = [process.stdout.readline() for process in processes if process.stdout]
        assert roots == [f"{folder}/data\n"] * 3
        assert (folder / "starts").read_text() == "started\n"
    finally:
        for process in processes:
            process.communicate("")
        engine_id = (folder / "dockerd.pid").read_text().strip()
        subprocess.run(["kill", engine_id], check=True)
        subprocess.run(["tail", "--pid", engine_id, "-f", "/dev/null"], check=True, timeout=30)
    assert [process.returncode for process in processes] == [0, 0, 0]
