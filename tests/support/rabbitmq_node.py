"""A real RabbitMQ node for tests; see ``broker_node``."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from testbed.clients.base import Address
from testbed.documented.tls import PROFILES
from testbed.engines.base import Defects, NodeSpec, User
from testbed.engines.rabbitmq.engine import RabbitMQ
from testbed.engines.rabbitmq.releases import RELEASES
from tests.support.broker_node import (
    HOSTNAME,
    BrokerNode,
    built,
    new_volume,
    node_spec,
    places,
    testing,
    written,
)

__all__ = ["ALICE", "CAROL", "HOSTNAME", "RELEASES_OF_4", "Node", "rabbitmq", "spec"]

RELEASES_OF_4 = [version for version in RELEASES if version.startswith("4.")]

ALICE = User("alice", "alices-password-1")
# The API allows it, and it is hard to carry through shell, JSON, configuration and HTTP.
# The API has one user per broker.
CAROL = User("carol.-_", """ pä$s&'"<w>\\{rd}${x}#!;%20 """)
SETTINGS = PROFILES["RABBITMQ"]


def spec(
    users: tuple[User, ...] = (ALICE, CAROL), defects: Defects | None = None, version: str = "4.2"
) -> NodeSpec:
    return node_spec(RabbitMQ(), version, users, defects)


@dataclass
class Node(BrokerNode):
    def address(self, protocol: str, user: User = ALICE, *, tls: bool = True) -> Address:
        host, port = self.addresses["amqps"] if tls else self.plaintext["amqp-plaintext"]
        return Address(
            protocol, host, port, user.username, user.password, self.ca_file if tls else None
        )


@contextmanager
def rabbitmq(folder: Path, node: NodeSpec, block_size: int = 0) -> Iterator[Node]:
    """Start a node on a new volume, of ``block_size`` bytes or of files; remove both afterwards."""
    broker = RabbitMQ()
    with testing() as containers:
        addresses, plaintext = places(broker, node)
        running = Node(
            spec=replace(node, volume_size=block_size),
            engine=broker,
            containers=containers,
            image=built(containers, broker.image(node.version)),
            addresses=addresses,
            plaintext=plaintext,
            ca_file=written(node.ca_pem, folder),
            volume=new_volume(containers),
            data_key=secrets.token_hex(64),
            kind="block" if block_size else "files",
            size=block_size,
        )
        running.start()
        yield running
