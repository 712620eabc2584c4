"""A command in a container."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests

from testbed.errors import ContainerFailed
from testbed.runtime import engine
from testbed.runtime.containers import Containers, ContainerSpec
from testbed.runtime.exec import Exec, open_exec

pytestmark = pytest.mark.containers


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


def test_an_engine_that_does_not_answer_in_time_is_an_error_of_the_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[int] = []

    def late(*_: Any, **__: Any) -> None:
        raise requests.exceptions.ReadTimeout("Read timed out.")

    client = SimpleNamespace(api=SimpleNamespace(exec_create=late), close=lambda: closed.append(1))
    with pytest.raises(ContainerFailed, match="`cat` could not be run in a container: Read timed"):
        Exec(cast("Any", client), "id", ["cat"])
    assert closed == [1]
    monkeypatch.setattr(engine, "_find_running", lambda: None)
    monkeypatch.setattr(engine, "_require_permission", lambda _: None)
    with pytest.raises(ContainerFailed, match="No container engine is running"):
        open_exec("id", ["cat"])
