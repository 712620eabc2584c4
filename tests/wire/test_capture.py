"""The wire as witness: over TLS no packet shows what a client sends; without TLS packets do."""

import base64
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.clients import Address, Destination, connect
from testbed.engines.base import Defects
from testbed.errors import ContainerFailed
from testbed.runtime import engine
from testbed.runtime.builder import ensure_images
from testbed.wire import capture
from testbed.wire.capture import Capture, Sighting, capturing, forms
from testbed.wire.packets import Endpoint, Stream
from tests.support import activemq_node, rabbitmq_node

CLIENT, SERVER = Endpoint("172.19.0.1", 40000), Endpoint("172.19.0.2", 5671)


def stream(*pieces: bytes, port: int = 5671) -> Stream:
    return Stream(CLIENT, Endpoint(SERVER.host, port), len(pieces), sum(map(len, pieces)), pieces)


def captured(*streams: Stream) -> Capture:
    return Capture(
        sum(stream.packets for stream in streams),
        sum(stream.wire_bytes for stream in streams),
        streams,
    )


# What is looked for


@given(st.binary(min_size=12, max_size=40), st.binary(max_size=20), st.binary(max_size=20))
def test_a_needle_is_found_in_base64_whatever_is_around_it(
    needle: bytes, before: bytes, after: bytes
) -> None:
    written = base64.b64encode(before + needle + after)
    assert any(form in written for name, form in forms(needle).items() if "base64" in name)
    assert forms(needle)["hex"] in (before + needle).hex().encode()


def test_short_needles_have_no_form_that_chance_would_find_and_nothing_is_no_needle() -> None:
    assert list(forms(b"bob")) == ["as it is", "hex"]
    with pytest.raises(ValueError, match="nothing to look for"):
        forms(b"")


def test_sightings_say_what_where_and_how_often_but_not_the_secret() -> None:
    sightings = captured(
        stream(b"xx canary canary"), stream(base64.b64encode(b"alice:canary"), port=15671)
    ).find({"a secret": b"canary"})
    console = Endpoint(SERVER.host, 15671)
    assert sightings == (
        Sighting("a secret", "as it is", CLIENT, SERVER, 2),
        Sighting("a secret", "base64, 0 bytes in", CLIENT, console, 1),
    )
    assert (
        str(sightings[0]) == "a secret (as it is) 2 times from 172.19.0.1:40000 to 172.19.0.2:5671"
    )
    assert captured(stream(b"can", b"ary")).find({"a secret": b"canary"}) == (), "a part is missing"


def test_a_capture_can_be_narrowed_and_says_whether_it_is_whole() -> None:
    secured, clear, broken = (
        stream(b"\x16\x03\x01\0\5hello"),
        stream(b"CONNECT\n", port=61613),
        stream(b"a", b"b", port=1),
    )
    everything = captured(secured, clear, broken)
    assert everything.on(61613).streams == (clear,)
    assert everything.on(61613).packets == 1
    assert everything.between(CLIENT.host, SERVER.host) == everything
    assert everything.between(CLIENT.host).streams == ()
    assert everything.in_clear == (clear, broken)
    assert everything.payload_bytes == 20
    assert not everything.whole
    assert everything.on(5671, 61613).whole
    assert "hello" not in repr(everything)


# In the network of real brokers


@pytest.fixture(scope="module")
def image() -> str:
    client = engine.connect()
    try:
        return ensure_images(client, [capture.IMAGE])[capture.IMAGE]
    finally:
        client.close()


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rabbitmq_node.Node]:
    defects = Defects(plaintext_listener=True)
    with rabbitmq_node.rabbitmq(
        tmp_path_factory.mktemp("rabbitmq"), rabbitmq_node.spec(defects=defects)
    ) as node:
        yield node


@pytest.fixture(scope="module")
def activemq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[activemq_node.Node]:
    defects = Defects(plaintext_listener=True)
    with activemq_node.activemq(
        tmp_path_factory.mktemp("activemq"), activemq_node.spec(defects=defects)
    ) as node:
        yield node


def exchange(address: Address, canary: bytes) -> None:
    """Send and receive the canary, alone and far into a message of many segments."""
    topic = Destination.topic(f"test.{uuid.uuid4().hex}")
    with connect(address) as client:
        client.subscribe(topic)
        for body in (canary, b"x" * 150_000 + canary + b"y" * 1000):
            client.publish(topic, body)
            received = client.receive()
            assert received is not None
            assert received.body == body
            received.acknowledge()


def needles(address: Address, canary: bytes) -> dict[str, bytes]:
    return {
        "the canary": canary,
        "the password": address.password.encode(),
        "the user": address.username.encode(),
    }


def watched(
    node: rabbitmq_node.Node | activemq_node.Node, image: str, address: Address, port: int
) -> tuple[Capture, tuple[Sighting, ...]]:
    canary = uuid.uuid4().hex.encode()
    with capturing(node.containers, node.container, image) as recording:
        exchange(address, canary)
        capture = recording.stop().on(port)
    # Only what was seen whole can show that something was not there.
    assert capture.whole, capture
    assert capture.packets > 10, capture
    assert capture.payload_bytes > 300_000, capture
    return capture, capture.find(needles(address, canary))


SECURED = [("rabbitmq", "amqp", 5671), ("rabbitmq", "amqp10", 5671)]
SECURED += [
    ("activemq", "amqp10", 5671),
    ("activemq", "stomp", 61614),
    ("activemq", "mqtt", 8883),
    ("activemq", "openwire", 61617),
]
SECURED += [("activemq", "stomp-ws", 61619), ("activemq", "mqtt-ws", 61619)]
LISTENERS = {"amqp10": "amqp", "stomp-ws": "wss", "mqtt-ws": "wss"}


@pytest.mark.containers
@pytest.mark.parametrize(("broker", "protocol", "port"), SECURED, ids=str)
def test_over_tls_nothing_of_it_is_in_any_packet(
    request: pytest.FixtureRequest, image: str, broker: str, protocol: str, port: int
) -> None:
    node = request.getfixturevalue(broker)
    address = (
        node.address(protocol)
        if broker == "rabbitmq"
        else node.address(LISTENERS.get(protocol, protocol), protocol=protocol)
    )
    capture, sightings = watched(node, image, address, port)
    assert sightings == ()
    assert capture.in_clear == ()


@pytest.mark.containers
@pytest.mark.parametrize(("protocol", "port"), [("amqp", 5672), ("amqp10", 5672)])
def test_control_on_rabbitmqs_plaintext_listener_all_of_it_is(
    rabbitmq: rabbitmq_node.Node, image: str, protocol: str, port: int
) -> None:
    capture, sightings = watched(rabbitmq, image, rabbitmq.address(protocol, tls=False), port)
    assert {sighting.needle for sighting in sightings} == {
        "the canary",
        "the password",
        "the user",
    }
    assert len(capture.in_clear) >= 2
    by_direction = {
        sighting.destination.port == port: sighting.count
        for sighting in sightings
        if sighting.needle == "the canary"
    }
    assert by_direction == {True: 2, False: 2}, "there and back, once in each message"


@pytest.mark.containers
@pytest.mark.parametrize(("protocol", "port"), [("openwire", 61616), ("stomp", 61613)])
def test_control_on_activemqs_plaintext_listeners_all_of_it_is(
    activemq: activemq_node.Node, image: str, protocol: str, port: int
) -> None:
    _, sightings = watched(
        activemq, image, activemq.address(f"{protocol}-plaintext", tls=False), port
    )
    assert {sighting.needle for sighting in sightings} == {"the canary", "the password", "the user"}


@pytest.mark.containers
def test_what_happened_before_and_after_is_not_in_it(
    rabbitmq: rabbitmq_node.Node, image: str
) -> None:
    before, during, after = (uuid.uuid4().hex.encode() for _ in range(3))
    address = rabbitmq.address("amqp", tls=False)
    exchange(address, before)
    with capturing(rabbitmq.containers, rabbitmq.container, image) as recording:
        exchange(address, during)
        capture = recording.stop()
        exchange(address, after)
    assert {
        sighting.needle
        for sighting in capture.find({"before": before, "during": during, "after": after})
    } == {"during"}


@pytest.mark.containers
def test_nothing_of_a_capture_is_left_and_nothing_is_in_a_log(
    rabbitmq: rabbitmq_node.Node, image: str
) -> None:
    with capturing(rabbitmq.containers, rabbitmq.container, image) as recording:
        (container,) = rabbitmq.containers.find("capture")
        exchange(rabbitmq.address("amqp", tls=False), b"canary")
        recording.stop()
        inspected = rabbitmq.containers.inspect(container["id"])["HostConfig"]
        assert inspected["CapAdd"] in (["NET_RAW"], ["CAP_NET_RAW"])
        assert inspected["CapDrop"] == ["ALL"]
        assert not inspected["Privileged"]
        assert b"".join(rabbitmq.containers.logs(container["id"])) == b""
    assert rabbitmq.containers.find("capture") == []


@pytest.mark.containers
def test_a_missing_network_is_reported(rabbitmq: rabbitmq_node.Node, image: str) -> None:
    with pytest.raises(ContainerFailed), capturing(rabbitmq.containers, "0" * 64, image):
        pass
    assert rabbitmq.containers.find("capture") == []
