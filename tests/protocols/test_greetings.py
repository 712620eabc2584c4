"""The first bytes of the other protocols."""

import pytest

from testbed.protocols import amqp, mqtt, stomp, websocket


def test_a_stomp_login_is_in_the_frame_only_where_there_is_a_user() -> None:
    assert stomp.connect() == b"CONNECT\naccept-version:1.2\nhost:/\n\n\0"
    assert b"\nlogin:alice\npasscode:secret\n\n\0" in stomp.connect("alice", "secret")


@pytest.mark.parametrize(
    ("answer", "connected", "known"),
    [
        (b"CONNECTED\nversion:1.2", True, True),
        (b"ERROR\n\n", False, True),
        (b"HTTP/", False, False),
    ],
)
def test_answers_to_stomp(answer: bytes, connected: bool, known: bool) -> None:
    assert stomp.is_connected(answer) == connected
    assert stomp.is_stomp(answer) == known


def test_an_mqtt_packet_says_its_length() -> None:
    short, long = mqtt.connect("probe"), mqtt.connect("probe", "alice", "x" * 300)
    assert short == bytes.fromhex("101100044d51545404 02 003c 0005") + b"probe"
    assert long[1] & 0x7F | long[2] << 7 == len(long) - 3
    assert long[9 + 1] == 0xC2, "clean session, user name and password"


def test_answers_to_mqtt() -> None:
    accepted, refused = b"\x20\2\0\0", b"\x20\2\0\5"
    assert mqtt.is_connack(accepted)
    assert mqtt.is_connack(refused)
    assert mqtt.is_accepted(accepted)
    assert not mqtt.is_accepted(refused)
    assert not mqtt.is_connack(b"HTTP/1.1 400")


def test_a_sasl_frame_says_its_length_and_carries_the_login() -> None:
    frame = amqp.sasl_plain("alice", "secret")
    assert int.from_bytes(frame[:4], "big") == len(frame)
    assert frame.endswith(b"\0alice\0secret")


def test_headers_of_amqp_are_told_apart() -> None:
    assert amqp.is_0_9_1(amqp.HEADER_0_9_1)
    assert amqp.is_1_0(amqp.HEADER_SASL)
    assert amqp.is_1_0(amqp.HEADER_1_0)
    assert not amqp.is_1_0(amqp.HEADER_0_9_1)
    assert not amqp.is_0_9_1(amqp.HEADER_1_0)


def test_the_subprotocol_that_a_server_chooses() -> None:
    answer = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
    assert websocket.is_upgraded(answer)
    assert websocket.speaks(answer, "mqtt")
    assert not websocket.speaks(answer, "v12.stomp")
    assert not websocket.is_upgraded(b"HTTP/1.1 400 Bad Request\r\n\r\n")
