"""Containers on the real engine: secrets, ports, and missing containers."""

import uuid

import pytest

from testbed.errors import (
    ContainerFailed,
    PortTaken,
)
from testbed.runtime import ports
from testbed.runtime.containers import Containers, ContainerSpec

pytestmark = pytest.mark.containers


def test_secrets_reach_a_container_over_standard_input_alone(
    containers: Containers, base: str
) -> None:
    """The entry point refuses malformed secrets, and the input is visible nowhere."""
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


def test_a_fixed_port_in_use_is_reported_and_nothing_stays(
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


def test_a_missing_image_is_said_and_nothing_is_pulled(containers: Containers) -> None:
    spec = ContainerSpec("testbed-no-image", "amazonmq-testbed/none:none", "test")
    with pytest.raises(ContainerFailed, match=r"could not be started: no such image\."):
        containers.run(spec)
    assert containers.find() == []
