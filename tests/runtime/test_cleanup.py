"""Cleaning up: by label, and after a killed process."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import docker
import pytest
import requests

from testbed.runtime.cleanup import purge
from testbed.runtime.containers import Containers, ContainerSpec

pytestmark = pytest.mark.containers


def test_purge_leaves_nothing_of_the_instance_and_touches_no_other(
    client: docker.DockerClient, containers: Containers, idle: str
) -> None:
    other = Containers(client, f"test-{uuid.uuid4().hex[:8]}")
    try:
        for mine in (containers, other):
            mine.create_volume(f"vol-{mine.instance}")
            mine.run(
                ContainerSpec(
                    f"testbed-{mine.instance}-p",
                    idle,
                    "test",
                    volumes={f"vol-{mine.instance}": "/volume"},
                )
            )
        assert containers.purge() == {"containers": 1, "volumes": 1, "networks": 1}
        assert containers.purge() == {"containers": 0, "volumes": 0, "networks": 0}
        assert len(other.find()) == 1
        assert other.has_volume(f"vol-{other.instance}")
    finally:
        other.purge()


def test_the_reaper_cleans_up_behind_a_killed_process(
    client: docker.DockerClient, idle: str, tmp_path: Path
) -> None:
    instance, folder = f"test-{uuid.uuid4().hex[:8]}", tmp_path / "state"
    folder.mkdir()
    script = f"""
import pathlib, time
from testbed.runtime import engine
from testbed.runtime.containers import ContainerSpec, Containers
from testbed.runtime.reaper import Reaper
reaper = Reaper({instance!r}, pathlib.Path({str(folder)!r}))
spec = ContainerSpec("testbed-{instance}-r", {idle!r}, "test")
Containers(engine.connect(), {instance!r}).run(spec)
print("up", flush=True)
time.sleep(60)
"""
    mine = Containers(client, instance)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert len(mine.find()) == 1
        os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (mine.find() or folder.exists()):
        time.sleep(0.1)
    assert mine.find() == []
    assert not folder.exists()
    assert purge(client, instance) == {"containers": 0, "volumes": 0, "networks": 0}


def test_a_container_whose_removal_is_not_answered_in_time_is_removed_in_the_next_round() -> None:
    left = ["a", "b"]
    tries: list[str] = []

    def remove(identity: str, **_: bool) -> None:
        tries.append(identity)
        if len(tries) == 1:
            raise requests.exceptions.ReadTimeout("Read timed out.")
        left.remove(identity)

    api = SimpleNamespace(
        containers=lambda **_: [{"Id": identity} for identity in left],
        remove_container=remove,
        volumes=lambda **_: {"Volumes": None},
        networks=lambda **_: [],
    )
    counts = purge(cast("Any", SimpleNamespace(api=api)))
    assert counts == {"containers": 2, "volumes": 0, "networks": 0}
    assert left == []
