"""A real active/standby pair of ActiveMQ for tests: two nodes on one volume."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.clients.base import Address
from testbed.engines.activemq.engine import ActiveMQ
from testbed.pki import Authority
from tests.support.activemq_node import ALICE, BOB, CAROL, Node
from tests.support.broker_node import (
    HOSTNAME,
    built,
    new_volume,
    node_spec,
    places,
    testing,
    written,
)


@dataclass
class Pair:
    nodes: tuple[Node, Node]

    def active(self, timeout: float = 90.0) -> Node:
        """Wait for a node whose listeners answer; return it."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if serving := self.serving():
                return serving[0]
            time.sleep(0.05)
        raise AssertionError(
            "\n".join(node.containers.last_words(node.container, 20) for node in self.nodes)
        )

    def serving(self) -> list[Node]:
        return [node for node in self.nodes if node.container and node.not_ready() is None]

    def other(self, node: Node) -> Node:
        return next(candidate for candidate in self.nodes if candidate is not node)

    def addresses(self, listener: str, protocol: str = "") -> list[Address]:
        return [node.address(listener, protocol=protocol) for node in self.nodes]


@contextmanager
def activemq_pair(folder: Path, *, shared: bool = True) -> Iterator[Pair]:
    """Start a pair. ``shared=False`` is the control: each node locks a volume of its own."""
    of = ActiveMQ()
    with testing() as containers:
        certificate = Authority.create().issue()
        image = built(containers, of.image("5.19"), "TESTBED_ACTIVEMQ_IMAGE")
        volume, data_key = new_volume(containers), secrets.token_hex(32)
        second = volume if shared else new_volume(containers, "second")
        nodes = []
        for number, attached in ((1, volume), (2, second)):
            hostname = HOSTNAME.replace(".", f"-{number}.", 1)
            spec = node_spec(
                of, "5.19", (ALICE, BOB, CAROL), certificate=certificate, hostname=hostname
            )
            addresses, _ = places(of, spec)
            node = Node(
                spec=spec,
                engine=of,
                containers=containers,
                image=image,
                addresses=addresses,
                ca_file=written(spec.ca_pem, folder),
                volume=attached,
                data_key=data_key,
                shared=shared,
                name=f"node-{number}",
            )
            node.launch()
            nodes.append(node)
        pair = Pair((nodes[0], nodes[1]))
        pair.active()
        yield pair
