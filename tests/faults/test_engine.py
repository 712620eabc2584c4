"""The engine ends with all containers: confirmed messages are there once it is back."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed import Testbed
from testbed.errors import ContainerFailed
from testbed.faults.base import Target
from testbed.faults.engine import RestartEngine
from testbed.runtime import engine, engine_process
from testbed.runtime.cleanup import LABEL
from testbed.runtime.tasks import reap

_STORY = """\
import json, sys
from testbed import Faults, Testbed, checker, traffic
from testbed.clients import QUEUE_PROTOCOL, Destination
queue = Destination.queue("engine")
with Testbed() as testbed, Faults(testbed) as faults:
    broker = testbed.default_broker(sys.argv[1])
    address = testbed.brokers.address(broker, QUEUE_PROTOCOL[broker.engine_type])
    seen = []
    with traffic.Traffic(address, queue, rate=100) as flow:
        for how in ("gracefully", "killed"):
            flow.wait_confirmed(150, 60)
            before = len(flow.recorder.history().events)
            with faults.restart_engine(how=how) as restarted:
                seen.append(restarted.description)
            flow.wait_confirmed(50, 60)
    account = checker.check(traffic.drain(address, queue, flow.recorder))
    print(json.dumps({"seen": seen, "ok": account.ok, "account": str(account)}))
"""


@pytest.mark.containers
def test_it_is_refused_while_the_engine_runs_what_is_anothers(testbed: Testbed) -> None:
    container = testbed.containers.client.containers.run(
        testbed.default_broker("RABBITMQ").image,
        entrypoint="sleep",
        command="60",
        detach=True,
        labels={LABEL: f"{testbed.containers.instance}-other"},  # so that it cannot stay behind
    )
    try:
        refusal = RestartEngine().refusal(Target(testbed))
        assert "the engine also runs what is not this testbed's" in refusal
        assert str(container.name) in refusal
    finally:
        container.remove(force=True)


def test_an_engine_that_something_else_listens_for_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as here:
        here.bind(f"{folder}/socket")
        here.listen()
        monkeypatch.setattr(engine, "address", lambda: f"unix://{folder}/socket")
        with pytest.raises(ContainerFailed, match="started by systemd or another manager"):
            engine_process.find()


def test_an_engine_of_another_machine_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "address", lambda: "tcp://192.0.2.1:2375")
    with pytest.raises(ContainerFailed, match="is not a process of this machine"):
        engine_process.find()


@contextmanager
def _own_engine(folder: Path) -> Iterator[list[str]]:
    """Start an engine in a network of its own; yield how a command runs beside it."""
    script = f"ip link set lo up; exec dockerd -H unix://{folder}/docker.sock"
    for option in ("data-root", "exec-root", "pidfile"):
        script += f" --{option} {folder}/{option}"
    with (folder / "log").open("w") as log:
        started = subprocess.Popen(["unshare", "--net", "sh", "-c", script], stdout=log, stderr=log)
    reap(started)  # the next engine would take the number of a zombie for a running one's
    network = f"--net=/proc/{started.pid}/ns/net"
    keeper = None
    try:
        end = time.monotonic() + 60
        while "API listen on" not in (folder / "log").read_text():
            assert started.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.1)
        # The network goes with its last process, and the engine ends in between.
        keeper = subprocess.Popen(["nsenter", network, "sleep", "600"])
        yield ["nsenter", f"--net=/proc/{keeper.pid}/ns/net"]
    finally:
        if keeper:
            keeper.terminate()
            keeper.wait(30)
        pid = (folder / "pidfile").read_text().strip()
        subprocess.run(["kill", pid], check=False)
        subprocess.run(["tail", "--pid", pid, "-f", "/dev/null"], check=True, timeout=60)
        # One that was killed has left its mount of its folder on itself.
        subprocess.run(["umount", "--lazy", folder / "data-root"], check=False, capture_output=True)


@pytest.mark.containers
@pytest.mark.nightly("an engine of its own, restarted")
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("dockerd"), reason="an engine is started by root"
)
@pytest.mark.parametrize(("engine_type", "volumes"), [("RABBITMQ", "block"), ("ACTIVEMQ", "files")])
def test_confirmed_messages_outlive_the_engine(
    testbed: Testbed, engine_type: str, volumes: str
) -> None:
    images = [testbed.default_broker(engine_type).image, _image_of_kms(testbed)]
    with tempfile.TemporaryDirectory(dir="/tmp") as name, _own_engine(Path(name)) as beside:
        own = f"unix://{name}/docker.sock"
        copy = f"docker save {' '.join(images)} | docker -H {own} load"
        subprocess.run(["sh", "-c", copy], check=True, capture_output=True)
        done = subprocess.run(
            [*beside, sys.executable, "-c", _STORY, engine_type],
            env={
                **os.environ,
                "DOCKER_HOST": own,
                "TESTBED_VOLUMES": volumes,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
        assert told["seen"] == [
            "Restarted the container engine (gracefully).",
            "Restarted the container engine (killed).",
        ]
        assert told["ok"], told["account"]


def _image_of_kms(testbed: Testbed) -> str:
    [row] = testbed.containers.find("kms")
    return str(testbed.containers.inspect(row["id"])["Config"]["Image"])
