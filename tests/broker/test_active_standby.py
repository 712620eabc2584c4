"""ActiveMQ's active/standby: one filesystem, one data key, one active node, and the loss of it."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from testbed.checker import check
from testbed.clients import Address, Client, Destination, connect
from testbed.clients.failover import failover
from testbed.errors import ConnectionRefused
from testbed.history import Recorder
from testbed.traffic import Traffic, drain
from tests.support.activemq_node import ALICE, BOB, Node
from tests.support.activemq_pair import Pair, activemq_pair
from tests.support.broker_node import wait_for
from tests.support.messages import receive

CANARY = b"canary-7f3a91c2"
PROTOCOLS = {
    "openwire": "openwire",
    "amqp10": "amqp",
    "stomp": "stomp",
    "stomp-ws": "wss",
}  # and the node where each is spoken

# Which address a client takes


def test_a_client_takes_the_address_that_answers_and_begins_with_it_the_next_time() -> None:
    tried: list[int] = []

    def connect_to(serving: int) -> Client:
        def attempt(address: Address) -> Client:
            tried.append(address.port)
            if address.port != serving:
                raise ConnectionRefused(f"nothing on {address.port}")
            return object()  # type: ignore[return-value]

        return attempt  # type: ignore[return-value]

    first, second = (
        Address("stomp", "localhost", 1, "", ""),
        Address("stomp", "localhost", 2, "", ""),
    )
    connect_any = failover([first, second], connect_to(2))  # type: ignore[arg-type]
    connect_any(first)
    connect_any(first)
    assert tried == [1, 2, 2]
    with pytest.raises(ConnectionRefused, match="nothing on 2"):
        failover([first, second], connect_to(3))(first)  # type: ignore[arg-type]


# A real pair


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with activemq_pair(tmp_path_factory.mktemp("pair")) as pair:
        yield pair


def waits(node: Node) -> bool:
    return "standby: another node has the volume" in node.log()


@pytest.mark.containers
def test_one_is_active_and_the_other_has_nothing_open_nor_mounted(pair: Pair) -> None:
    active = pair.active()
    standby = pair.other(active)
    assert pair.serving() == [active]
    assert active.listening().keys() == {
        listener.container_port for listener in active.engine.listeners("5.19")
    }
    wait_for("the standby to wait", lambda: waits(standby))
    assert not standby.listening()
    assert "gocryptfs" not in standby.run("cat", "/proc/mounts")
    for protocol, listener in PROTOCOLS.items():
        with pytest.raises(ConnectionRefused):
            connect(standby.address(listener, protocol=protocol))


@pytest.mark.containers
def test_what_waits_in_the_standby_is_in_memory_and_roots_alone(pair: Pair) -> None:
    standby = pair.other(pair.active())
    wait_for("the standby to wait", lambda: waits(standby))
    files = standby.run("find", "/run/testbed", "-type", "f", "-printf", "%m %u\n").splitlines()
    assert set(files) == {"600 root"}
    assert standby.run("stat", "-c", "%a %U", "/run/testbed").strip() == "700 root"
    visible = (
        standby.run("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'")
        + standby.log()
    )
    assert not [
        secret for secret in (standby.data_key, ALICE.password, BOB.password) if secret in visible
    ]


@pytest.mark.containers
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_publishes_and_receives_at_whichever_is_active(
    pair: Pair, protocol: str
) -> None:
    addresses = pair.addresses(PROTOCOLS[protocol], protocol)
    orders = Destination.queue(f"orders.{protocol}")
    with failover(addresses)(addresses[0]) as client:
        client.publish(orders, b"an order")
        client.subscribe(orders)
        message = client.receive()
        assert message
        assert message.body == b"an order"
        message.acknowledge()


@pytest.mark.containers
@pytest.mark.parametrize("protocol", ["mqtt", "mqtt-ws"])
def test_a_topic_reaches_its_subscriber_over_mqtt(pair: Pair, protocol: str) -> None:
    addresses = pair.addresses("mqtt" if protocol == "mqtt" else "wss", protocol)
    prices = Destination.topic("prices")
    with (
        failover(addresses)(addresses[0]) as subscriber,
        failover(addresses)(addresses[0]) as publisher,
    ):
        subscriber.subscribe(prices)
        publisher.publish(prices, b"a price")
        message = subscriber.receive()
        assert message
        assert message.body == b"a price"


@pytest.mark.containers
@pytest.mark.nightly("a minute of failovers; every push has one")
def test_the_standby_takes_over_again_and_again_with_nothing_confirmed_lost(pair: Pair) -> None:
    addresses, orders, recorder = (
        pair.addresses("stomp"),
        Destination.queue("through.failovers"),
        Recorder(),
    )
    with Traffic(
        addresses[0],
        orders,
        rate=100,
        size=2000,
        timeout=10,
        recorder=recorder,
        connect=failover(addresses),
    ) as traffic:
        for _ in range(4):
            active = pair.active()
            standby = pair.other(active)
            wait_for("the standby to wait", partial(waits, standby))
            traffic.wait_confirmed(50, timeout=60)
            active.kill()
            assert pair.active() is standby
            traffic.wait_confirmed(50, timeout=60)
            assert pair.serving() == [standby]
            active.launch()  # and is the standby from now on
    account = check(drain(addresses[0], orders, recorder, connect=failover(addresses)))
    assert account.ok, str(account)


@pytest.mark.containers
@pytest.mark.nightly("both lost; every push has one")
def test_both_are_lost_and_whichever_comes_back_has_everything(pair: Pair) -> None:
    addresses, orders = pair.addresses("stomp"), Destination.queue("both.lost")
    with Traffic(addresses[0], orders, rate=100, timeout=5, connect=failover(addresses)) as traffic:
        traffic.wait_confirmed(50, timeout=60)
        for node in pair.nodes:
            node.kill()
        for node in pair.nodes:
            node.launch()
        pair.active()
        traffic.wait_confirmed(20, timeout=60)
    account = check(drain(addresses[0], orders, traffic.recorder, connect=failover(addresses)))
    assert account.ok, str(account)


@pytest.mark.containers
def test_the_active_steps_down_when_asked_and_the_standby_stops_when_asked(pair: Pair) -> None:
    active = pair.active()
    standby = pair.other(active)
    wait_for("the standby to wait", lambda: waits(standby))
    active.containers.stop(active.container, seconds=30)
    assert active.containers.state(active.container).exit_code == 143, "by the signal, not by force"
    assert pair.active() is standby
    active.kill()
    active.launch()
    wait_for("the other to wait", lambda: waits(active))
    active.containers.stop(active.container, seconds=30)
    assert active.containers.state(active.container).exit_code == 143, "by the signal, not by force"
    assert pair.serving() == [standby], "and is undamaged"
    active.kill()
    active.launch()


@pytest.mark.containers
@pytest.mark.nightly("Java's own failover; every push has the address that answers")
def test_javas_own_failover_transport_goes_on_at_the_other_node(pair: Pair) -> None:
    active = pair.active()
    standby = pair.other(active)
    wait_for("the standby to wait", lambda: waits(standby))
    hostnames = tuple(node.spec.hostname for node in pair.nodes)
    # The client runs beside the standby, which is there all the time.
    address = replace(standby.address("openwire"), host=hostnames[0], others=hostnames[1:])
    orders = Destination.queue("by.failover")
    with connect(address) as client:
        client.publish(orders, b"before")
        active.kill()
        client.publish(orders, b"after", timeout=60)
        client.subscribe(orders)
        assert receive(client, 2) == [b"before", b"after"]
    active.launch()


@pytest.mark.containers
def test_nothing_in_the_shared_filesystem_is_readable(pair: Pair) -> None:
    addresses = pair.addresses("stomp")
    with failover(addresses)(addresses[0]) as client:
        client.publish(Destination.queue("canaries"), CANARY)
    active = pair.active()
    assert active.run("grep", "-rlaF", CANARY.decode(), "/data/broker/kahadb", user="activemq")
    for node in pair.nodes:
        raw = b"".join(node.containers.archive(node.container, "/volume"))
        assert b"gocryptfs.conf" in raw
        assert not [
            word
            for word in (
                CANARY,
                b"canaries",
                b"kahadb",
                ALICE.username.encode(),
                node.data_key.encode(),
            )
            if word in raw
        ]


# Controls: what these checks must find


@pytest.mark.containers
def test_control_without_the_lock_both_become_active(tmp_path: Path) -> None:
    with activemq_pair(tmp_path, shared=False) as pair:
        wait_for("both to serve", lambda: len(pair.serving()) == 2)
