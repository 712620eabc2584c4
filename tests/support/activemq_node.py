"""A real ActiveMQ node for tests; see ``broker_node``."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.clients.base import Address
from testbed.engines.activemq.engine import ActiveMQ
from testbed.engines.base import Defects, NodeSpec, User
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

__all__ = ["ALICE", "BOB", "CAROL", "HOSTNAME", "Node", "activemq", "spec"]

# Allowed by the API, and hard to carry through five protocols, a properties file and HTTP.
HOSTILE = """pä$s &'"<w>\\{rd}\\n${x}#!;%20"""
ALICE = User("alice", "alices-password-1")
BOB = User("bob.~_-", HOSTILE, console_access=False, groups=("readers", "writers"))
CAROL = User("carol", HOSTILE)


def spec(
    version: str = "5.19",
    users: tuple[User, ...] = (ALICE, BOB, CAROL),
    defects: Defects | None = None,
) -> NodeSpec:
    return node_spec(ActiveMQ(), version, users, defects)


_ENGINE = ActiveMQ()


@dataclass
class Node(BrokerNode):
    def address(
        self, listener: str, user: User = ALICE, *, tls: bool = True, protocol: str = ""
    ) -> Address:
        """Return an address; ``protocol`` where the listener's name is ambiguous: wss has two."""
        host, port = (self.addresses if tls else self.plaintext)[listener]
        protocol = protocol or listener.partition("-")[0]
        return Address(
            protocol,
            host,
            port,
            user.username,
            user.password,
            self.ca_file if tls else None,
            beside=self.container,
        )


@contextmanager
def activemq(
    folder: Path, node: NodeSpec, broker: ActiveMQ = _ENGINE, block_size: int = 0
) -> Iterator[Node]:
    """Start a node on a new volume, of ``block_size`` bytes or of files; remove both afterwards."""
    with testing() as containers:
        addresses, plaintext = places(broker, node, "127.0.0.1")
        running = Node(
            spec=node,
            engine=broker,
            containers=containers,
            image=built(containers, broker.image(node.version), "TESTBED_ACTIVEMQ_IMAGE"),
            addresses=addresses,
            plaintext=plaintext,
            ca_file=written(node.ca_pem, folder),
            volume=new_volume(containers),
            data_key=secrets.token_hex(32),
            kind="block" if block_size else "files",
            size=block_size,
        )
        running.start()
        yield running
