"""A container beside a node, in its network, that does what a fault needs there."""

import json
import time
from typing import Any

from testbed.broker.model import Node
from testbed.errors import ContainerFailed
from testbed.runtime import images
from testbed.runtime.containers import ContainerSpec
from testbed.testbed import Testbed

_READY_WITHIN = 60.0  # seconds


def run(testbed: Testbed, node: Node, name: str, *, stays: bool = False, **order: Any) -> None:
    """Run the helper ``name`` with ``order``, and return when it is done, or at work if ``stays``.

    Raises ``ContainerFailed``, with the helper's own words.
    """
    containers = testbed.containers
    spec = ContainerSpec(
        name=_full(testbed, name),
        image=containers.ensure_image(images.FAULT),
        role="fault",
        network_of=node.container_id,
        capabilities=("NET_ADMIN", "NET_RAW"),
    )
    remove(testbed, name)
    identity = containers.run(spec, stdin=json.dumps(order).encode() + b"\n")
    try:
        _wait_until_ready(testbed, identity)
    except BaseException:
        stays = False
        raise
    finally:
        if not stays:
            containers.remove(identity)


def remove(testbed: Testbed, name: str) -> None:
    """End the helper; harmless when there is none."""
    testbed.containers.remove(_full(testbed, name))


def addresses(testbed: Testbed, node: Node) -> list[str]:
    """Return the node's addresses in the testbed's networks."""
    networks = testbed.containers.inspect(node.container_id)["NetworkSettings"]["Networks"]
    return [network["IPAddress"] for network in networks.values() if network["IPAddress"]]


def _full(testbed: Testbed, name: str) -> str:
    return f"testbed-{testbed.containers.instance}-{name}"


def _wait_until_ready(testbed: Testbed, identity: str) -> None:
    containers, end = testbed.containers, time.monotonic() + _READY_WITHIN
    while True:
        ended = not containers.state(identity).running
        if b"ready" in b"".join(containers.logs(identity)):
            return
        if ended or time.monotonic() > end:
            raise ContainerFailed(
                f"A fault could not be injected: {containers.last_words(identity)}",
                hint="It needs iptables and NFQUEUE in the kernel of the container engine.",
            )
        time.sleep(0.1)
