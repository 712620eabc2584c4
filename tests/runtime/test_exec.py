"""A command in a container."""

import pytest

from testbed.errors import (
    ContainerFailed,
)
from testbed.runtime.containers import Containers, ContainerSpec
from testbed.runtime.exec import open_exec

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
