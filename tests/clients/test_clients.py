"""Each client library over real brokers, and against listeners that it has to refuse."""

import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stomp.exception import StompException

from testbed.checker import check
from testbed.clients import PROTOCOLS, Address, Client, Destination, connect
from testbed.clients.stomp_ws import StompWsClient
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized
from testbed.history import Recorder
from testbed.traffic import Traffic, drain
from tests.support.broker_node import retry_login
from tests.support.tls_servers import Pki, make_pki, python_tls, serving

QUEUES = ("amqp10", "openwire", "stomp", "stomp-ws")
TOPICS = (*QUEUES, "mqtt", "mqtt-ws")
CASES = [
    *(("rabbitmq", protocol) for protocol in ("amqp", "amqp10")),
    *(("activemq", protocol) for protocol in TOPICS),
]
IN_PYTHON = [
    protocol for protocol in PROTOCOLS if protocol != "openwire"
]  # which runs beside the broker
BODIES = (b"hello", b"", "grüße ✓".encode(), b"a\0b\n\0", b"x" * 200_000)
SUITE = "ECDHE-RSA-AES256-GCM-SHA384"


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    foreign = (
        "Thread-",
        "ThreadPoolExecutor-",
    )  # no client's: of the listeners below, and of a broker that is still starting
    left = [
        thread.name
        for thread in set(threading.enumerate()) - before
        if not thread.name.startswith(foreign)
    ]
    deadline = time.monotonic() + 2
    while threading.active_count() > len(before) + 1 and time.monotonic() < deadline:
        time.sleep(0.05)  # the accepting threads of the listeners below
    assert not left, left


def destination(kind: str) -> Destination:
    return Destination(kind, f"test.{kind}.{uuid.uuid4().hex}")


def receive(client: Client, timeout: float = 10.0) -> bytes | None:
    message = client.receive(timeout=timeout)
    if message is None:
        return None
    message.acknowledge()
    return message.body


# Against listeners that are to be refused


def to(protocol: str, port: int, ca_file: Path | None, host: str = "localhost") -> Address:
    return Address(protocol, host, port, "alice", "correct horse", ca_file)


@pytest.mark.parametrize("protocol", IN_PYTHON)
def test_a_certificate_of_another_authority_is_refused(
    protocol: str, pki: Pki, tmp_path: Path
) -> None:
    with (
        python_tls(pki, SUITE) as port,
        pytest.raises(
            ConnectionRefused, match="certificate is refused: .*authority that is not trusted"
        ),
    ):
        connect(to(protocol, port, make_pki(tmp_path).ca))


@pytest.mark.parametrize("protocol", IN_PYTHON)
def test_a_certificate_of_another_host_is_refused(protocol: str, pki: Pki) -> None:
    # 127.1 is a way to write 127.0.0.1, which is in the certificate, but not in this form.
    with (
        python_tls(pki, SUITE) as port,
        pytest.raises(ConnectionRefused, match="certificate is refused: .*another host name"),
    ):
        connect(to(protocol, port, pki.ca, host="127.1"))


@pytest.mark.parametrize("protocol", IN_PYTHON)
def test_an_expired_certificate_is_refused(protocol: str, tmp_path: Path) -> None:
    expired = make_pki(tmp_path, expired=True)
    with (
        python_tls(expired, SUITE) as port,
        pytest.raises(ConnectionRefused, match="certificate is refused: it has expired"),
    ):
        connect(to(protocol, port, expired.ca))


@pytest.mark.parametrize("protocol", IN_PYTHON)
def test_tls_older_than_1_2_is_refused(protocol: str, pki: Pki) -> None:
    old = python_tls(pki, "ALL:@SECLEVEL=0", "TLSv1", "TLSv1_1")
    with old as port, pytest.raises(ConnectionRefused, match="no TLS: .*VERSION"):
        connect(to(protocol, port, pki.ca))


@pytest.mark.parametrize("protocol", IN_PYTHON)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_control_a_good_certificate_passes_and_only_the_protocol_is_missing(
    protocol: str, host: str, pki: Pki
) -> None:
    with (
        python_tls(pki, SUITE) as port,
        pytest.raises(
            ConnectionRefused, match="no (amqp|amqp10|stomp|mqtt|mqtt-ws) connection|no WebSocket"
        ),
    ):
        connect(to(protocol, port, pki.ca, host))


@pytest.mark.parametrize("protocol", IN_PYTHON)
def test_a_closed_port_is_reported(protocol: str, pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    with pytest.raises(ConnectionRefused, match="no connection: Connection refused"):
        connect(to(protocol, port, pki.ca))


@pytest.mark.parametrize("protocol", IN_PYTHON)
def test_tls_to_a_plaintext_listener_is_reported(protocol: str, pki: Pki) -> None:
    def greet(connection: socket.socket) -> None:
        connection.sendall(b"220 hello\r\n")
        connection.recv(1000)

    with (
        serving(greet) as port,
        pytest.raises(ConnectionRefused, match="no TLS: WRONG_VERSION_NUMBER"),
    ):
        connect(to(protocol, port, pki.ca))


def test_an_unreadable_authority_and_an_unknown_protocol_are_reported(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for ca_file in (tmp_path / "missing.pem", empty):
        for protocol in IN_PYTHON:
            with pytest.raises(ClientError, match="cannot be used as certificate authority"):
                connect(to(protocol, 9, ca_file))
    with pytest.raises(ClientError, match="unknown protocol 'smtp'; there are clients for amqp, "):
        connect(to("smtp", 9, None))


def test_a_password_is_not_shown() -> None:
    assert "correct horse" not in repr(to("amqp", 9, None))


def test_nothing_is_printed_and_one_protocols_library_is_not_anothers(pki: Pki) -> None:
    script = f"""
import sys
from pathlib import Path
from testbed.clients import Address, connect
from testbed.errors import ConnectionRefused
for protocol in {IN_PYTHON}:
    for host in ("localhost", "127.1"):
        try:
            port, ca_file = int(sys.argv[1]), Path(sys.argv[2])
            connect(Address(protocol, host, port, "alice", "correct horse", ca_file))
        except ConnectionRefused:
            libraries = ("pika", "proton", "stomp", "websocket", "paho")
            print(protocol, *[name for name in libraries if name in sys.modules])
"""
    with python_tls(pki, SUITE) as port:
        ran = subprocess.run(
            [sys.executable, "-c", script, str(port), str(pki.ca)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[0] == "amqp pika"
    assert len(ran.stdout.splitlines()) == 2 * len(IN_PYTHON)


# Over real brokers


@pytest.fixture(params=CASES, ids="-".join)
def address(request: pytest.FixtureRequest) -> Address:
    engine, protocol = request.param
    address: Address = request.getfixturevalue(f"{engine}_broker").address(protocol)
    return address


def kinds(address: Address) -> tuple[str, ...]:
    return ("topic",) if address.protocol.startswith("mqtt") else ("queue", "topic")


@pytest.mark.containers
def test_what_is_sent_is_received_byte_by_byte(address: Address) -> None:
    for kind in kinds(address):
        target = destination(kind)
        with connect(address) as client:
            client.subscribe(target)
            for body in BODIES:
                client.publish(target, body)
            assert [receive(client) for _ in BODIES] == list(BODIES)
            begun = time.monotonic()
            assert client.receive(timeout=0.3) is None
            assert 0.2 < time.monotonic() - begun < 3


@pytest.mark.containers
def test_another_authority_is_refused(address: Address, tmp_path: Path) -> None:
    with pytest.raises(ConnectionRefused):
        connect(replace(address, ca_file=make_pki(tmp_path).ca))


@pytest.mark.containers
def test_another_host_name_is_refused(address: Address) -> None:
    if address.protocol == "openwire":
        pytest.skip("it connects from inside the container: its own tests try host names")
    with pytest.raises(ConnectionRefused, match="another host name"):
        connect(replace(address, host="127.1"))


@pytest.mark.containers
@pytest.mark.parametrize(
    "wrong",
    [{"password": "not the password"}, {"username": "nobody"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_wrong_login_is_refused(address: Address, wrong: dict[str, Any]) -> None:
    with pytest.raises(NotAuthorized):
        retry_login(lambda: connect(replace(address, **wrong)))


@pytest.mark.containers
def test_what_is_not_acknowledged_comes_again_and_the_rest_does_not(address: Address) -> None:
    if address.protocol.startswith("mqtt"):
        pytest.skip("has no queues; see the next test")
    target = destination("queue")
    with connect(address) as client:
        for body in (b"1", b"2", b"3"):
            client.publish(target, body)
        client.subscribe(target)
        received = [message for _ in range(3) if (message := client.receive())]
        assert [message.body for message in received] == [b"1", b"2", b"3"]
        received[0].acknowledge()
        received[1].acknowledge()
    with connect(address) as client:
        client.subscribe(target)
        assert receive(client) == b"3"
        assert client.receive(timeout=0.5) is None


@pytest.mark.containers
@pytest.mark.parametrize("protocol", ["mqtt", "mqtt-ws"])
def test_mqtt_keeps_a_named_subscription_and_has_no_queues(
    protocol: str, activemq_broker: Any
) -> None:
    from testbed.clients.mqtt import MqttClient

    address, target, name = (
        activemq_broker.address(protocol),
        destination("topic"),
        uuid.uuid4().hex,
    )
    with MqttClient(address, client_id=name) as client:
        client.subscribe(target)
        client.publish(target, b"1")
        message = client.receive()
        assert message
        assert message.body == b"1"
        with pytest.raises(ClientError, match="MQTT has no queues"):
            client.publish(destination("queue"), b"")
    with connect(address) as other:
        other.publish(target, b"2")
    with MqttClient(address, client_id=name) as client:
        client.subscribe(target)
        assert [receive(client), receive(client)] == [b"1", b"2"]


@pytest.mark.containers
def test_a_closed_client_says_so_and_may_be_closed_again(address: Address) -> None:
    client = connect(address)
    client.close()
    client.close()
    with pytest.raises(ClientError):
        client.publish(destination("topic"), b"")
    with pytest.raises(ClientError):
        client.receive(timeout=0.1)


@pytest.mark.containers
def test_what_stomp_over_websocket_cannot_send_is_stomps_own_error(activemq_broker: Any) -> None:
    """Its library raises another, which nobody expects when a client is closed."""
    with connect(activemq_broker.address("stomp-ws")) as client:
        assert isinstance(client, StompWsClient)
        client._transport.socket.shutdown()
        with pytest.raises(StompException):
            client._transport.send(b"DISCONNECT\n\n\0")


@pytest.mark.containers
@pytest.mark.parametrize("sender", TOPICS)
def test_activemq_hands_a_message_of_one_protocol_to_all_others(
    sender: str, activemq_broker: Any
) -> None:
    body = f"from {sender}: grüße \n".encode()
    everyone = destination("topic")
    queues = {protocol: destination("queue") for protocol in QUEUES}
    with ExitStack() as opened:
        clients = {
            protocol: opened.enter_context(connect(activemq_broker.address(protocol)))
            for protocol in TOPICS
        }
        for client in clients.values():
            client.subscribe(everyone)
        clients[sender].publish(everyone, body)
        assert {protocol: receive(client) for protocol, client in clients.items()} == dict.fromkeys(
            TOPICS, body
        )
    if sender in QUEUES:
        with connect(activemq_broker.address(sender)) as client:
            for target in queues.values():
                client.publish(target, body)
        for protocol, target in queues.items():
            with connect(activemq_broker.address(protocol)) as client:
                client.subscribe(target)
                assert receive(client) == body, protocol


@pytest.mark.containers
@pytest.mark.parametrize("kind", ["queue", "topic"])
@pytest.mark.parametrize(("sender", "receiver"), [("amqp", "amqp10"), ("amqp10", "amqp")])
def test_rabbitmq_hands_messages_from_one_amqp_to_the_other(
    sender: str, receiver: str, kind: str, rabbitmq_broker: Any
) -> None:
    target, body = destination(kind), bytes(range(256))
    with (
        connect(rabbitmq_broker.address(sender)) as sending,
        connect(rabbitmq_broker.address(receiver)) as receiving,
    ):
        receiving.subscribe(target)
        sending.publish(target, body)
        assert receive(receiving) == body


@pytest.mark.containers
def test_a_queue_declared_as_another_kind_stays_what_it_is_and_nothing_is_lost(
    rabbitmq_broker: Any,
) -> None:
    """Amazon MQ sets quorum_queue.property_equivalence.relaxed_checks_on_redeclaration."""
    address, target = rabbitmq_broker.address("amqp"), destination("queue")
    with connect(address) as client:
        client.publish(target, b"one")
    with connect(address) as client:
        client.publish(replace(target, queue_type="classic"), b"two")
    with connect(address) as client:
        client.subscribe(target)
        assert [receive(client), receive(client)] == [b"one", b"two"]
        assert client.receive(timeout=0.3) is None


@pytest.mark.containers
def test_stomp_over_websocket_refuses_what_it_would_damage(activemq_broker: Any) -> None:
    with (
        connect(activemq_broker.address("stomp-ws")) as client,
        pytest.raises(ClientError, match="not UTF-8"),
    ):
        client.publish(destination("queue"), b"\xff")


@pytest.mark.containers
def test_traffic_over_a_sound_broker_is_accounted_for(address: Address) -> None:
    target, recorder = destination(kinds(address)[0]), Recorder()
    with Traffic(
        address, target, count=100, rate=500, consume=target.kind == "topic", recorder=recorder
    ) as traffic:
        traffic.wait(60)
        time.sleep(0.5 if target.kind == "topic" else 0)  # a topic keeps nothing for a later drain
    history = recorder.history() if target.kind == "topic" else drain(address, target, recorder)
    account = check(history)
    assert account.ok, str(account)
    assert account.confirmed == account.received == 100, str(account)
    assert not account.duplicated, str(account)
