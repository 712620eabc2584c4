"""Copies of a broker that run without a control plane: what its containers are and read.

A copy has the broker's image, listeners, certificate, users and configuration, and an empty volume
under a data key of its own, which no KMS key wraps.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from testbed.broker import node_container, topology
from testbed.broker.model import Broker, Node
from testbed.documented.engines import VOLUME_KEY_BYTES
from testbed.engines import entry
from testbed.engines.all import ENGINES
from testbed.engines.base import NodeSpec
from testbed.runtime.containers import ContainerSpec


@dataclass(frozen=True)
class Copy:
    """A container by its name, which is the broker's; ``input`` is read when it starts.

    It is ready when something listens on all of ``listening``, which is empty where one node is a
    standby. It starts when those in ``after`` are ready.
    """

    name: str
    container: ContainerSpec
    input: bytes = field(repr=False)
    is_secret: bool = True
    listening: tuple[int, ...] = ()
    after: tuple[str, ...] = ()


def of(broker: Broker, rendered: Callable[[Node], NodeSpec]) -> tuple[Copy, ...]:
    """Return the copies of all containers of a broker; ``rendered`` is what its engine needs."""
    engine = ENGINES[broker.engine_type]
    keys = {
        volume.volume_id: secrets.token_bytes(VOLUME_KEY_BYTES) if volume.encrypted else None
        for volume in broker.volumes
    }
    published = topology.published(engine, broker.engine_version, broker.endpoints)
    listening = tuple(sorted({inside for _, inside in published}))
    several = len(broker.nodes) > 1
    nodes = tuple(
        Copy(
            # No broker's name has a dot.
            name=f"{broker.broker_name}.{node.name}" if several else broker.broker_name,
            container=replace(
                node_container.container("", broker, node),
                volumes={_volume(broker, node): "/volume"},
            ),
            input=entry.secrets(
                engine,
                rendered(node),
                keys[node.volume.volume_id],
                shared=broker.standby,
                kind=node.volume.kind,
                size=node.volume.size,
            ),
            listening=() if broker.standby else listening,
        )
        for node in broker.nodes
    )
    if not broker.load_balancer:
        return nodes
    container, configuration = node_container.load_balancer("", broker, broker.load_balancer)
    front = Copy(
        broker.broker_name,
        container,
        configuration,
        is_secret=False,
        listening=listening,
        after=tuple(node.name for node in nodes),
    )
    return (*nodes, front)


def _volume(broker: Broker, node: Node) -> str:
    """Return the name of the volume, which standbys share."""
    number = [volume.volume_id for volume in broker.volumes].index(node.volume.volume_id) + 1
    return f"{broker.broker_name}.{number}" if len(broker.volumes) > 1 else broker.broker_name
