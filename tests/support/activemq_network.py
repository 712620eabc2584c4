"""A real network of ActiveMQ brokers for tests: single instances, each with its volume."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from types import MappingProxyType

from testbed.engines.activemq.engine import ActiveMQ
from testbed.engines.base import Defects, NetworkConnector, NodeSpec, User
from testbed.pki import Authority, Certificate
from tests.support.activemq_node import ALICE, BOB, CAROL, Node
from tests.support.broker_node import built, new_volume, node_spec, places, testing, written

NAMES = ("north", "south", "west")


def hostname(name: str) -> str:
    return f"b-{name}-1.mq.us-east-1.amazonaws.com"


def mesh(
    names: Sequence[str], scheme: str = "ssl", port: int = 61617
) -> dict[str, tuple[NetworkConnector, ...]]:
    """Connect each pair of brokers once, in both directions, as a user with a hard password."""
    connectors: dict[str, tuple[NetworkConnector, ...]] = dict.fromkeys(names, ())
    for one, other in combinations(names, 2):
        connectors[one] += (
            NetworkConnector(
                f"{one}-{other}", f"static:({scheme}://{hostname(other)}:{port})", BOB.username
            ),
        )
    return connectors


@contextmanager
def activemq_network(
    folder: Path,
    names: Sequence[str],
    connectors: dict[str, tuple[NetworkConnector, ...]],
    *,
    certificates: Mapping[str, Certificate] = MappingProxyType({}),
    users: Mapping[str, tuple[User, ...]] = MappingProxyType({}),
    aliases: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    defects: Defects | None = None,
) -> Iterator[dict[str, Node]]:
    """Start the brokers; yield them by name. The mappings have what differs for some."""
    of = ActiveMQ()
    sound = Authority.create().issue()

    def spec(name: str) -> NodeSpec:
        return node_spec(
            of,
            "5.19",
            users.get(name, (ALICE, BOB, CAROL)),
            defects,
            certificate=certificates.get(name, sound),
            broker_name=name,
            hostname=hostname(name),
            network_connectors=connectors[name],
        )

    with testing() as containers:
        image = built(containers, of.image("5.19"), "TESTBED_ACTIVEMQ_IMAGE")
        nodes = {}
        for name in names:
            node = spec(name)
            (folder / name).mkdir()
            addresses, plaintext = places(of, node)
            nodes[name] = Node(
                spec=node,
                engine=of,
                containers=containers,
                image=image,
                addresses=addresses,
                plaintext=plaintext,
                ca_file=written(node.ca_pem, folder / name),
                volume=new_volume(containers, f"volume-{name}"),
                data_key=secrets.token_hex(32),
                name=name,
                aliases=aliases.get(name, ()),
            )
        with ThreadPoolExecutor(len(nodes)) as pool:
            list(pool.map(Node.start, nodes.values()))
        yield nodes
