"""The process behind a testbed that is up: found again, ended, and never left over."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import psutil
import pytest

from testbed.aws.endpoint import Endpoint
from testbed.daemon import process
from testbed.daemon.process import FILE, LOG, Launch, Server, ServerLock, find, is_alive, stop
from testbed.documented.regions import DEFAULT_REGION
from testbed.errors import TestbedError
from testbed.testbed import Testbed, down

_LAUNCHER = """
import sys, time
from testbed.daemon.process import launch
from testbed.testbed import Testbed
testbed = Testbed(sys.argv[1])
with launch(testbed.state.folder) as server:
    if sys.argv[2] == "go":
        server.serve()
    print(server._process.pid, flush=True)
    time.sleep(600)
"""


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and is_alive(psutil.Process(pid))


@pytest.mark.parametrize("former", ['{"pid": %d, "started": %f, "port": 4567}', "", "{"])
def test_one_that_has_just_taken_the_lock_is_not_the_one_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, former: str
) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        started = psutil.Process(ended.pid).create_time()
    (tmp_path / FILE).write_text(former % (ended.pid, started) if "%" in former else former)
    monkeypatch.setattr(process, "_PUBLISHED_WITHIN", 30.0)  # however late the timer is
    with monkeypatch.context() as patch:
        patch.setattr(ServerLock, "publish", lambda *_: None)
        lock = ServerLock(tmp_path)
    threading.Timer(0.3, lock.publish, [0]).start()
    found = find(tmp_path)
    assert found
    assert (found.pid, found.port) == (os.getpid(), 0)
    lock.release()
    assert find(tmp_path) is None


def test_its_document_is_whole_whenever_it_is_read(tmp_path: Path) -> None:
    lock, ended = ServerLock(tmp_path), threading.Event()

    def publish() -> None:
        for port in range(2000):
            lock.publish(port * 7919 % 65536)
        ended.set()

    writer = threading.Thread(target=publish)
    writer.start()
    while not ended.is_set():
        assert json.loads((tmp_path / FILE).read_bytes())["pid"] == os.getpid()
    writer.join()
    lock.release()


@pytest.fixture(scope="module")
def up() -> Iterator[Testbed]:
    """Start a testbed without brokers."""
    with Testbed() as testbed:
        testbed.new_key("so that KMS is up")
        yield testbed
        stop(testbed.state.folder)


@pytest.fixture
def served(up: Testbed) -> Iterator[Server]:
    folder = up.state.folder
    with process.launch(up.state.folder) as launch:
        launch.serve()
    server = find(folder)
    assert server
    yield server
    stop(folder)


@pytest.mark.containers
def test_it_serves_apart_from_its_starter_and_is_found_again(up: Testbed, served: Server) -> None:
    folder = up.state.folder
    assert lives(served.pid)
    assert os.getsid(served.pid) != os.getsid(0), "not of this terminal"
    client = boto3.client("kms", **Endpoint(served.port, up.ca_file, DEFAULT_REGION).client())
    assert client.list_keys()["Keys"]
    assert (folder / FILE).stat().st_mode & 0o077 == 0 == (folder / LOG).stat().st_mode & 0o077
    with process.launch(up.state.folder) as again:
        again.serve()
    assert find(folder) == served, "it is there already"
    with pytest.raises(TestbedError, match="is already running"):
        ServerLock(folder)


@pytest.mark.containers
def test_it_ends_on_request_and_its_port_is_kept(up: Testbed, served: Server) -> None:
    folder = up.state.folder
    assert stop(folder)
    assert find(folder) is None
    assert not lives(served.pid)
    assert not stop(folder), "nothing is left to end"
    with process.launch(up.state.folder) as launch:
        launch.serve()
    again = find(folder)
    assert again
    assert again.port == served.port
    assert again.pid != served.pid


@pytest.mark.containers
def test_one_that_was_killed_is_known_to_be_gone(up: Testbed, served: Server) -> None:
    os.kill(served.pid, signal.SIGKILL)
    until(lambda: find(up.state.folder) is None)
    with process.launch(up.state.folder) as launch:
        launch.serve()
    again = find(up.state.folder)
    assert again
    assert again.port == served.port


@pytest.mark.containers
def test_one_that_does_not_listen_is_ended_by_force(up: Testbed, served: Server) -> None:
    os.kill(served.pid, signal.SIGSTOP)
    assert stop(up.state.folder, patience=1)
    assert not lives(served.pid)


@pytest.mark.containers
@pytest.mark.parametrize("phase", ["ready", "go"])
def test_an_up_that_is_killed_leaves_one_only_if_it_serves(up: Testbed, phase: str) -> None:
    stop(up.state.folder)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    starter = subprocess.Popen(
        [sys.executable, "-c", _LAUNCHER, str(up.state.folder), phase],
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert starter.stdout
    pid = int(starter.stdout.readline())
    assert lives(pid)
    starter.kill()
    starter.wait()
    starter.stdout.close()
    if phase == "ready":
        until(lambda: not lives(pid))
        assert find(up.state.folder) is None
    else:
        server = find(up.state.folder)
        assert server
        assert server.pid == pid
        assert lives(pid)
        assert stop(up.state.folder)
        assert not lives(pid)


@pytest.mark.containers
def test_it_ends_by_itself_when_its_folder_is_gone() -> None:
    with Testbed() as testbed:
        with process.launch(testbed.state.folder) as launch:
            launch.serve()
        server = find(testbed.state.folder)
        assert server
        assert lives(server.pid)
        shutil.rmtree(testbed.state.folder)
        until(lambda: not lives(server.pid))


@pytest.mark.nightly("a testbed removed while its server runs")
@pytest.mark.containers
def test_it_ends_by_itself_when_everything_is_taken_away() -> None:
    with Testbed() as testbed:
        with process.launch(testbed.state.folder) as launch:
            launch.serve()
        server = find(testbed.state.folder)
        assert server
        testbed.containers.purge()
        until(lambda: not lives(server.pid))
        assert testbed.state.folder.exists()


@pytest.mark.containers
def test_what_keeps_it_from_serving_is_reported(up: Testbed) -> None:
    stop(up.state.folder)
    launch = Launch(up.state.folder)
    lock = ServerLock(up.state.folder)
    try:
        with pytest.raises(TestbedError, match="did not start: .*is already running"):
            launch.serve()
    finally:
        lock.release()


# Without a testbed


def test_none_is_found_without_a_folder_or_a_server(tmp_path: Path) -> None:
    assert find(tmp_path / "nowhere") is None
    assert not stop(tmp_path / "nowhere")
    (tmp_path / FILE).write_text("not JSON")
    assert find(tmp_path) is None
    assert not stop(tmp_path)
    with pytest.raises(TestbedError, match="There is no testbed"):
        ServerLock(tmp_path / "nowhere")
    down(tmp_path / "nowhere")


def test_nothing_but_the_process_that_is_meant_is_ended(tmp_path: Path) -> None:
    """The process id in the file has been reused."""
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        lock = ServerLock(tmp_path)
        (tmp_path / FILE).write_text(f'{{"pid": {bystander.pid}, "started": 1.0, "port": 1}}')
        stop(tmp_path, patience=0.2)
        assert bystander.poll() is None
        lock.release()
    finally:
        bystander.kill()
        bystander.wait()


def test_a_server_knows_when_its_folder_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    lock = ServerLock(folder)
    assert lock.is_current
    lock.publish(7)
    shutil.rmtree(folder)
    assert not lock.is_current
    folder.mkdir()
    again = ServerLock(folder)
    assert again.is_current
    assert not lock.is_current
    assert again.last_port == 0
    lock.release()
    again.publish(9)
    again.release()
    third = ServerLock(folder)
    assert third.last_port == 9
    third.release()
