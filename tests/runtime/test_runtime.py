"""The ground, on the real engine."""

import io
import logging
import os
import signal
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from testbed.errors import (
    ContainerFailed,
    EngineUnavailable,
    ImageBuildFailed,
    NotEnoughDisk,
    PortTaken,
)
from testbed.runtime import engine, images, ports
from testbed.runtime.containers import Containers, ContainerSpec, purge, require_disk
from testbed.runtime.exec import open_exec
from testbed.runtime.usage import Container, _Kernel

pytestmark = pytest.mark.containers


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    client = engine.connect()
    yield client
    client.close()


@pytest.fixture(scope="module")
def base(client: docker.DockerClient) -> str:
    return images.ensure(client, [images.BROKER_BASE])[images.BROKER_BASE]


@pytest.fixture(scope="module")
def idle(client: docker.DockerClient, base: str) -> Iterator[str]:
    """An image that does nothing for a while."""
    recipe = io.BytesIO(f'FROM {base}\nENTRYPOINT ["sleep", "300"]\n'.encode())
    image, _ = client.images.build(fileobj=recipe, tag="testbed-test-idle", rm=True, forcerm=True)
    yield "testbed-test-idle"
    client.images.remove("testbed-test-idle", force=True)


@pytest.fixture
def containers(client: docker.DockerClient) -> Iterator[Containers]:
    containers = Containers(client, f"test-{uuid.uuid4().hex[:8]}")
    yield containers
    containers.purge()


def _debian() -> str:
    return "debian:trixie-slim" if _has("debian:trixie-slim") else "amazonmq-testbed/debian:trixie"


def _has(tag: str) -> bool:
    return images._present(engine.connect(), tag)


def test_an_image_is_built_once(
    client: docker.DockerClient, base: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = client.images.get(base).id
    assert images.ensure(client, [images.BROKER_BASE]) == {images.BROKER_BASE: base}
    assert client.images.get(base).id == before
    assert caplog.messages == []


def test_an_image_changes_its_tag_with_its_folder_and_with_its_parent(tmp_path: Path) -> None:
    file = tmp_path / "extra"
    file.write_text("one")
    spec = images.ImageSpec("x", "base", files=(("extra", file),))
    child = images.ImageSpec("y", "base", parent=spec)
    tags = (spec.tag, child.tag)
    assert (spec.tag, child.tag) == tags
    file.write_text("two")
    assert spec.tag != tags[0]
    assert child.tag != tags[1]


def test_the_ca_bundle_is_in_no_image_of_ours(client: docker.DockerClient, base: str) -> None:
    container = client.containers.create(base)
    try:
        stream, _ = container.get_archive("/tmp")
        assert "ca.crt" not in " ".join(
            tarfile.open(fileobj=io.BytesIO(b"".join(stream))).getnames()
        )
    finally:
        container.remove()


def test_a_build_that_fails_says_where_and_the_next_one_recovers(
    client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "containers" / "broken"
    folder.mkdir(parents=True)
    recipe = folder / "Dockerfile"
    recipe.write_text("ARG BASE\nFROM ${BASE}\nRUN echo going well && false\n")
    monkeypatch.setattr(images.paths, "data", lambda name: tmp_path / name)
    spec = images.ImageSpec("broken", "broken")
    with pytest.raises(ImageBuildFailed, match="going well") as error:
        images.ensure(client, [spec])
    assert "containers/broken/Dockerfile" in error.value.hint
    assert images.missing(client, [spec]) == [spec]
    recipe.write_text("ARG BASE\nFROM ${BASE}\nRUN true\n")
    images.ensure(client, [spec])
    assert images.missing(client, [spec]) == []
    client.images.remove(spec.tag)


def test_an_image_of_the_users_own_that_cannot_be_had_is_one_clear_error(
    client: docker.DockerClient,
) -> None:
    with pytest.raises(ImageBuildFailed, match="not on this engine and could not be pulled"):
        images.ensure(client, [images.own("RABBITMQ", "localhost:1/no/such:image")])


def test_an_image_of_the_users_own_gets_what_the_volume_needs(
    client: docker.DockerClient, base: str
) -> None:
    """Debian stands for the user's image: it lacks gocryptfs as the official broker images do."""
    spec = images.own("RABBITMQ", _debian())
    tag = images.ensure(client, [spec])[spec]
    assert client.containers.run(
        tag, ["-c", "command -v gocryptfs"], entrypoint="/bin/sh", remove=True
    ).strip()
    client.images.remove(tag)


def test_secrets_reach_a_container_over_standard_input_alone(
    containers: Containers, base: str
) -> None:
    """The entry point refuses broken secrets, so what was fed is seen in its refusal, and nowhere else."""
    secret = uuid.uuid4().hex.encode()
    name = f"testbed-{containers.instance}-x"
    identity = containers.run(
        ContainerSpec(name, base, "test", tmpfs={"/run/testbed": "mode=0700"}),
        stdin=b"32\n" + secret,
    )
    containers.client.api.wait(identity)
    assert containers.state(identity).exit_code == 64
    assert "broken" in containers.last_words(identity)
    assert secret.decode() not in str(containers.inspect(identity)) + containers.last_words(
        identity, 100
    )


def test_what_a_container_uses_is_read_from_the_kernel_at_once_and_is_what_the_engine_says(
    containers: Containers, idle: str
) -> None:
    """The engine answers once a second at most, too seldom for a turn of a benchmark."""
    identity = containers.run(ContainerSpec(f"testbed-{containers.instance}-u", idle, "test"))
    with Container(identity) as container:
        begun = time.monotonic()
        counted = [container.counters() for _ in range(10)]
        assert time.monotonic() - begun < 0.5
        assert counted[0].cpu > 0
        told = container._told()
        assert told.cpu == pytest.approx(container.counters().cpu, abs=0.1)
        assert counted[0].received <= told.received <= container.counters().received
        containers.remove(identity)
        with pytest.raises(ContainerFailed, match="it is gone"):
            container.counters()


def test_where_the_kernel_does_not_tell_the_engine_does(containers: Containers, idle: str) -> None:
    """The process has the same number as one of this machine, which is another one: as with an engine elsewhere."""
    identity = containers.run(ContainerSpec(f"testbed-{containers.instance}-k", idle, "test"))
    with Container(identity) as container:
        assert _Kernel.of("0" * 64, container.main_process()) is None
        assert _Kernel.of(identity, os.getpid()) is None
        container.__dict__["_here"] = None
        assert container.counters().cpu > 0


def test_a_fixed_port_that_is_taken_is_said_and_nothing_stays(
    containers: Containers, idle: str
) -> None:
    [port] = ports.free(1)
    first = containers.run(
        ContainerSpec(f"testbed-{containers.instance}-a", idle, "test", ports=((port, 80),))
    )
    with pytest.raises(PortTaken, match=str(port)):
        ports.require_free(port)
    with pytest.raises(PortTaken):
        containers.run(
            ContainerSpec(f"testbed-{containers.instance}-b", idle, "test", ports=((port, 80),))
        )
    assert [row["id"] for row in containers.find()] == [first]
    assert (
        containers.inspect(first)["HostConfig"]["PortBindings"]["80/tcp"][0]["HostIp"]
        == "127.0.0.1"
    )


def test_what_is_gone_is_gone_quietly_and_what_is_wrong_is_not(containers: Containers) -> None:
    for action in (containers.stop, containers.kill, containers.remove, containers.remove_volume):
        action("no-such-thing")
    assert containers.state("no-such-thing").status == "missing"
    with pytest.raises(ContainerFailed, match="gone"):
        containers.start("no-such-thing")


def test_a_command_in_a_container_talks_and_its_end_is_noticed(
    containers: Containers, idle: str
) -> None:
    identity = containers.run(ContainerSpec(f"testbed-{containers.instance}-e", idle, "test"))
    command = open_exec(identity, ["cat"])
    command.write(b"hello")
    assert command.read(3, 5) + command.read(2, 5) == b"hello"
    with pytest.raises(TimeoutError):
        command.read(1, 0.2)
    command.write(b"!")
    assert command.read(1, 5) == b"!"
    containers.kill(identity)
    with pytest.raises(ContainerFailed):
        command.read(1, 5)
    command.close()


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
Containers(engine.connect(), {instance!r}).run(ContainerSpec("testbed-{instance}-r", {idle!r}, "test"))
print("up", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    mine = Containers(client, instance)
    assert len(mine.find()) == 1
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (mine.find() or folder.exists()):
        time.sleep(0.1)
    assert mine.find() == []
    assert not folder.exists()
    assert purge(client, instance) == {"containers": 0, "volumes": 0, "networks": 0}


def test_too_little_disk_is_said_before_anything_is_made(client: docker.DockerClient) -> None:
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


def test_where_no_engine_can_be_started_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "_usual", lambda: iter(()))
    monkeypatch.setattr(engine.debian, "can_install", lambda: False)
    with pytest.raises(EngineUnavailable) as error:
        engine.connect()
    assert "podman system service" in error.value.hint
