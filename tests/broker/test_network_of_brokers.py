"""A network of ActiveMQ brokers: messages cross from one to another over TLS."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from testbed.broker import rules
from testbed.checker import check
from testbed.clients import Destination, connect
from testbed.engines.activemq.engine import ActiveMQ
from testbed.engines.base import NetworkConnector
from testbed.errors import BadRequestException
from testbed.pki import Authority
from testbed.traffic import Traffic, drain
from tests.support.activemq_network import NAMES, activemq_network, hostname, mesh
from tests.support.activemq_node import ALICE, BOB, Node, spec
from tests.support.broker_node import wait_for
from tests.support.brokers_offline import request

PROTOCOLS = {
    "openwire": "openwire",
    "amqp10": "amqp",
    "stomp": "stomp",
    "stomp-ws": "wss",
}  # and the broker where each is spoken
BRIDGED = "has been established"  # what a broker logs of a connection to another

# What is rendered

CONNECTOR = NetworkConnector(
    "a & b",
    'static:(ssl://one:61617)?a="1"&b=<2>',
    ALICE.username,
    attributes=(("networkTTL", "2"),),
)


def rendered(connector: NetworkConnector) -> bytes:
    return ActiveMQ().files(replace(spec(), network_connectors=(connector,)))["etc/activemq.xml"]


def test_a_connector_is_rendered_whole_and_without_a_password() -> None:
    [element] = ET.fromstring(rendered(CONNECTOR)).iter(
        "{http://activemq.apache.org/schema/core}networkConnector"
    )
    assert element.attrib == {
        "name": CONNECTOR.name,
        "uri": CONNECTOR.uri,
        "userName": ALICE.username,
        "duplex": "true",
        "networkTTL": "2",
    }
    assert ALICE.password.encode() not in rendered(CONNECTOR)


def test_a_broker_without_connectors_has_none_in_its_configuration() -> None:
    assert b"<networkConnector" not in ActiveMQ().files(spec())["etc/activemq.xml"]


@pytest.mark.parametrize("attribute", ["${keystore.password}", "#{systemProperties}"])
def test_an_expression_is_refused(attribute: str) -> None:
    with pytest.raises(BadRequestException, match="static value"):
        rendered(replace(CONNECTOR, attributes=(("destinationFilter", attribute),)))


def test_a_user_that_the_broker_does_not_have_is_refused() -> None:
    wanted = replace(request("ACTIVEMQ"), network_connectors=(CONNECTOR,))
    with pytest.raises(BadRequestException, match="alice, who is not a user of the broker offline"):
        rules.check_create(wanted, ())
    rules.check_create(replace(wanted, users=(ALICE,)), ())


def test_a_connector_whose_user_was_deleted_keeps_no_broker_from_starting() -> None:
    connector = replace(CONNECTOR, username="deleted")
    assert b'userName="deleted"' in rendered(connector)


# Real networks


@pytest.fixture(
    scope="module",
    params=[2, pytest.param(3, marks=pytest.mark.nightly("the mesh of three"))],
    ids=["two", "mesh of three"],
)
def network(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Node]]:
    names = NAMES[: request.param]
    with activemq_network(tmp_path_factory.mktemp("network"), names, mesh(names)) as nodes:

        def bridged(node: Node) -> bool:
            return node.log().count(BRIDGED) >= len(node.spec.network_connectors)

        for name, node in nodes.items():
            wait_for(f"the bridges of {name}", partial(bridged, node))
        yield nodes


def crosses(
    sender: Node,
    receiver: Node,
    protocol: str,
    name: str,
    body: bytes = b"an order",
    timeout: float = 20.0,
) -> bool:
    """Return whether a message published at one broker is received at another."""
    orders, listener = Destination.queue(name), PROTOCOLS[protocol]
    with (
        connect(receiver.address(listener, protocol=protocol)) as consumer,
        connect(sender.address(listener, protocol=protocol)) as publisher,
    ):
        consumer.subscribe(orders)
        publisher.publish(orders, body)
        message = consumer.receive(timeout=timeout)
        if message is None:
            return False
        message.acknowledge()
        return message.body == body


@pytest.mark.containers
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_messages_cross_between_every_two_in_both_directions(
    network: dict[str, Node], protocol: str
) -> None:
    for sender in network.values():
        for receiver in network.values():
            if sender is not receiver:
                assert crosses(
                    sender, receiver, protocol, f"crossing.{protocol}.{sender.name}.{receiver.name}"
                ), (sender.name, receiver.name)


@pytest.mark.containers
@pytest.mark.parametrize("protocol", ["mqtt", "mqtt-ws"])
def test_a_topic_crosses_over_mqtt(network: dict[str, Node], protocol: str) -> None:
    north, south = network["north"], network["south"]
    listener, prices = (
        "mqtt" if protocol == "mqtt" else "wss",
        Destination.topic(f"prices.{protocol}"),
    )
    received: list[bytes] = []
    with (
        connect(south.address(listener, protocol=protocol)) as subscriber,
        connect(north.address(listener, protocol=protocol)) as publisher,
    ):
        subscriber.subscribe(prices)

        def published() -> bool:  # north learns of the subscription a little later
            publisher.publish(prices, b"a price")
            message = subscriber.receive(timeout=1)
            received.extend([message.body] if message else [])
            return bool(received)

        wait_for("a price", published)
    assert received == [b"a price"]


@pytest.mark.containers
def test_no_password_of_a_connector_is_visible(network: dict[str, Node]) -> None:
    for node in network.values():
        visible = (
            node.run(
                "sh",
                "-c",
                "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; true",
            )
            + node.log()
        )
        assert BOB.password not in visible
        if node.spec.network_connectors:
            assert BOB.password not in node.run("cat", "/run/testbed/etc/activemq.xml")


@pytest.mark.containers
@pytest.mark.nightly("a lost broker of a network; every push has a lost node in test_upkeep.py")
def test_a_broker_is_lost_and_nothing_confirmed_with_it(network: dict[str, Node]) -> None:
    """A consumer at another broker; waiting messages are on the confirming broker's volume."""
    north, south = network["north"], network["south"]
    orders = Destination.queue("through.an.outage")
    with Traffic(north.address("stomp"), orders, rate=50, timeout=10) as traffic:
        traffic.wait_confirmed(50, timeout=60)
        north.kill()
        if west := network.get("west"):
            assert crosses(west, south, "stomp", "while.north.is.away"), (
                "the others work without it"
            )
        north.start()
        traffic.wait_confirmed(50, timeout=60)
    account = check(drain(south.address("stomp"), orders, traffic.recorder, patience=45))
    assert account.ok, str(account)


# Controls: what these checks must find


@pytest.mark.containers
@pytest.mark.nightly("bridges that must not be; every push has those that must")
def test_control_a_broker_whose_certificate_is_not_accepted_gets_nothing(tmp_path: Path) -> None:
    """South's is of another authority; no certificate has the name that north uses for west."""
    names = NAMES
    connectors = mesh(names) | {
        "north": (
            NetworkConnector(
                "another-authority", f"static:(ssl://{hostname('south')}:61617)", BOB.username
            ),
            NetworkConnector("another-name", "static:(ssl://testbed-west:61617)", BOB.username),
        ),
        "south": (),
    }
    strangers = {"south": Authority.create().issue()}
    with activemq_network(
        tmp_path, names, connectors, certificates=strangers, aliases={"west": ("testbed-west",)}
    ) as nodes:
        wait_for(
            "both refusals",
            lambda: all(word in nodes["north"].log() for word in ("PKIX path", "testbed-west")),
        )
        for name in ("south", "west"):
            assert not crosses(nodes["north"], nodes[name], "stomp", f"not.to.{name}", timeout=5)
        assert BRIDGED not in nodes["north"].log()


@pytest.mark.containers
@pytest.mark.nightly("bridges that must not be; every push has those that must")
def test_control_a_user_with_another_password_there_gets_no_bridge(tmp_path: Path) -> None:
    names = NAMES[:2]
    other = replace(BOB, password="another-password-1")
    with activemq_network(tmp_path, names, mesh(names), users={"south": (ALICE, other)}) as nodes:
        wait_for(
            "the refusal",
            lambda: (
                "is invalid" in nodes["south"].log() or "SecurityException" in nodes["north"].log()
            ),
        )
        assert not crosses(nodes["north"], nodes["south"], "stomp", "not.to.south", timeout=5)
