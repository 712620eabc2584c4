"""A container beside a node that does what a fault needs there."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from testbed.broker.model import Node
from testbed.errors import ContainerFailed
from testbed.runtime import images
from testbed.runtime.containers import ContainerSpec
from testbed.testbed import Testbed

_ROLE, _COPIES = "fault", "-copies"
_READY_WITHIN = 60.0  # seconds
_LONGEST = 600.0  # seconds, for work that grows with a volume

# Where a helper works: members of ``ContainerSpec``.
Place = Mapping[str, Any]


def in_network(node: Node) -> Place:
    """Return the place in the node's network, whose packets a helper may filter there."""
    return {"network_of": node.container_id, "capabilities": ("NET_ADMIN", "NET_RAW")}


def among_processes(node: Node) -> Place:
    """Return the place among the node's processes, which a helper may trace there."""
    return {"processes_of": node.container_id, "apart": True}


def run(testbed: Testbed, name: str, place: Place, *, stays: bool = False, **order: Any) -> None:
    """Run the helper ``name`` with ``order``, and return when it is done, or at work if ``stays``.

    Raises ``ContainerFailed``, with the helper's own words.
    """
    containers = testbed.containers
    image = containers.ensure_image(images.FAULT)
    remove(testbed, name)
    identity = containers.run(
        ContainerSpec(name=_full(testbed, name), image=image, role=_ROLE, **place),
        stdin=json.dumps(order).encode() + b"\n",
    )
    try:
        _wait_until_ready(testbed, identity, _LONGEST if "volumes" in place else _READY_WITHIN)
    except BaseException:
        stays = False
        raise
    finally:
        if not stays:
            containers.remove(identity)


def remove(testbed: Testbed, name: str) -> None:
    """End the helper; harmless when there is none."""
    testbed.containers.remove(_full(testbed, name))


def change_volume(testbed: Testbed, volume: str, *steps: Sequence[str]) -> None:
    """Do ``steps`` of ``containers/fault/volume.py`` to a volume that nothing uses.

    Copies of it are in a volume beside it, see ``copies_of``. Raises ``ContainerFailed``.
    """
    copies = copies_of(volume)
    if not testbed.containers.has_volume(copies):
        testbed.containers.create_volume(copies)
    place = {
        "volumes": {volume: "/volume", copies: "/copies"},
        "capabilities": ("CHOWN", "DAC_OVERRIDE", "FOWNER"),
        "apart": True,
    }
    run(testbed, f"fault-{volume}", place, tool="volume", steps=steps)


def copies_of(volume: str) -> str:
    """Return the name of the volume with the copies of another."""
    return f"{volume}{_COPIES}"


def sweep(testbed: Testbed) -> None:
    """Remove helpers and copies, when no fault is at work: those of brokers that were deleted."""
    for row in testbed.containers.find(_ROLE):
        testbed.containers.remove(row["id"])
    for volume in testbed.containers.volumes():
        if volume.endswith(_COPIES):
            testbed.containers.remove_volume(volume)


def addresses(testbed: Testbed, node: Node) -> list[str]:
    """Return the node's addresses in the testbed's networks."""
    networks = testbed.containers.inspect(node.container_id)["NetworkSettings"]["Networks"]
    return [network["IPAddress"] for network in networks.values() if network["IPAddress"]]


def _full(testbed: Testbed, name: str) -> str:
    return f"testbed-{testbed.containers.instance}-{name}"


def _wait_until_ready(testbed: Testbed, identity: str, within: float) -> None:
    containers, end = testbed.containers, time.monotonic() + within
    while True:
        ended = not containers.state(identity).running
        # A line of its own: "already exists" is what a refusal says.
        if b"ready" in b"".join(containers.logs(identity)).splitlines():
            return
        if ended or time.monotonic() > end:
            raise ContainerFailed(
                f"A fault could not be injected: {containers.last_words(identity)}",
                hint="Faults of links need iptables and NFQUEUE in the kernel of the container "
                "engine, those of disks need ptrace.",
            )
        time.sleep(0.1)
