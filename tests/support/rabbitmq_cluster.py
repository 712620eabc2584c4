"""A real RabbitMQ cluster for tests: three nodes and the balancer in front of them."""

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.clients.base import Address
from testbed.engines import balancer
from testbed.engines.base import Cluster
from testbed.engines.rabbitmq.engine import RabbitMQ
from testbed.pki import Authority
from testbed.runtime.containers import Containers, ContainerSpec
from tests.support.broker_node import (
    HOSTNAME,
    built,
    new_volume,
    node_spec,
    places,
    testing,
    written,
)
from tests.support.rabbitmq_node import ALICE, Node


@dataclass
class RabbitMQCluster:
    """Running; ``addresses`` are the balancer's."""

    containers: Containers
    nodes: list[Node]
    balancer: str
    seconds: float  # until the first login at each node

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        return self.nodes[0].addresses

    def address(self, protocol: str) -> Address:
        return self.nodes[0].address(protocol)


@contextmanager
def rabbitmq_cluster(
    folder: Path, version: str = "4.2", *, inter_node_tls: bool = False
) -> Iterator[RabbitMQCluster]:
    of = RabbitMQ()
    with testing() as containers:
        hostnames = tuple(HOSTNAME.replace(".", f"-{number}.", 1) for number in (1, 2, 3))
        cluster = Cluster(hostnames, secrets.token_hex(32), inter_node_tls)
        certificate = Authority.create().issue(names=hostnames)
        image, front = built(containers, of.image(version)), built(containers, balancer.IMAGE)
        specs = [
            node_spec(
                of, version, (ALICE,), certificate=certificate, hostname=hostname, cluster=cluster
            )
            for hostname in hostnames
        ]
        addresses, _ = places(of, specs[0])
        nodes = [
            Node(
                spec=spec,
                engine=of,
                containers=containers,
                image=image,
                addresses=addresses,
                published=False,
                ca_file=written(spec.ca_pem, folder),
                volume=new_volume(containers, f"volume-{number}"),
                data_key=secrets.token_hex(64),
                name=f"node-{number}",
            )
            for number, spec in enumerate(specs, 1)
        ]
        inside = {listener.name: listener.container_port for listener in of.listeners(version)}
        started = time.monotonic()
        with ThreadPoolExecutor(len(nodes)) as pool:
            list(pool.map(Node.launch, nodes))
        identity = containers.run(
            ContainerSpec(
                name=f"{containers.instance}-balancer",
                image=front,
                role="balancer",
                ports=tuple((port, inside[name]) for name, (_, port) in addresses.items()),
                tmpfs=balancer.TMPFS,
                aliases=(HOSTNAME,),
            ),
            stdin=balancer.configuration(hostnames, sorted({inside[name] for name in addresses})),
        )
        for node in nodes:
            node.wait()
        yield RabbitMQCluster(containers, nodes, identity, time.monotonic() - started)
