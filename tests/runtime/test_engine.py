"""Finding the engine, and its disk."""

import docker
import pytest

from testbed.errors import (
    EngineUnavailable,
    NotEnoughDisk,
)
from testbed.runtime import debian, engine
from testbed.runtime.engine import require_disk


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


def test_where_no_engine_can_be_started_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "_usual_addresses", lambda: iter(()))
    monkeypatch.setattr(debian, "can_install", lambda: False)
    with pytest.raises(EngineUnavailable) as error:
        engine.connect()
    assert "podman system service" in error.value.hint


def test_podman_without_root_is_among_the_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert "unix:///run/user/7/podman/podman.sock" in engine._usual_addresses()
