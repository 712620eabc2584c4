"""Greetings in every protocol, over TLS: what is served, what is refused, what is wrong."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.documented.listeners import LISTENERS
from testbed.wire.connection import ListenerAddress
from testbed.wire.protocol_greetings import GREETINGS, SPOKEN_BY, over_tls, spoken, wrong_protocols
from testbed.wire.verdict import judge_protocols
from tests.support.tls_servers import NAME, Pki, serving

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: "
ANSWERS = {
    "AMQP 0-9-1": b"\1\0\0\0\0\2\6\0\x0a\0\x0a\0\x09",
    "AMQP 1.0": b"AMQP\3\1\0\0",
    "STOMP": b"\nERROR\nmessage:no\n\n\0",
    "MQTT": b"\x20\x02\0\5",
    "OpenWire": b"\0\0\1\x52\1ActiveMQ\0\0\0\x0c",
    "HTTP": b"HTTP/1.1 401 Unauthorized\r\n\r\n",
    "STOMP over WebSocket": SWITCH + b"v12.stomp\r\n\r\n",
    "MQTT over WebSocket": SWITCH + b"mqtt\r\n\r\n",
}


@pytest.mark.parametrize("protocol", GREETINGS)
def test_every_protocols_answer_is_known(protocol: str) -> None:
    assert spoken(ANSWERS[protocol]) == protocol


@pytest.mark.parametrize(
    ("answer", "protocol"),
    [
        (b"AMQP\0\0\x09\x01", "AMQP 0-9-1"),  # what RabbitMQ says to a client of another version
        (b"AMQP\0\1\0\0", "AMQP 1.0"),
        (b"CONNECTED\nversion:1.2\n\n\0", "STOMP"),
        (b"CONNECTION", ""),
        (b"", ""),
        (b"HTTP/1.1 404 Not Found\r\n\r\nsec-websocket-protocol: mqtt", "HTTP"),
    ],
)
def test_other_answers(answer: bytes, protocol: str) -> None:
    assert spoken(answer) == protocol


@given(st.binary(max_size=64))
def test_no_bytes_break_it(answer: bytes) -> None:
    assert spoken(answer) in {"", *GREETINGS}


def test_every_documented_protocol_has_a_greeting() -> None:
    assert {
        protocol
        for engine in LISTENERS.values()
        for listener in engine
        for protocol in listener.protocols
    } == SPOKEN_BY.keys()
    assert set().union(*SPOKEN_BY.values()) == GREETINGS.keys()


@contextmanager
def speaking(pki: Pki, handle: Callable[[ssl.SSLSocket], None]) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.chain, pki.key)

    def secured(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            handle(tls)

    with serving(secured) as port:
        yield port


def only(protocol: str) -> Callable[[ssl.SSLSocket], None]:
    """Serve one protocol and answer no other."""

    def handle(tls: ssl.SSLSocket) -> None:
        if tls.recv(4096) == GREETINGS[protocol]:
            tls.sendall(ANSWERS[protocol])
        while tls.recv(4096):
            pass

    return handle


@pytest.mark.parametrize("id_", ["amqp", "stomp", "openwire", "console"])
def test_one_protocol_and_no_other(pki: Pki, id_: str) -> None:
    (protocol,) = SPOKEN_BY[id_]
    with speaking(pki, only(protocol)) as port:
        answers = wrong_protocols({"it": ("127.0.0.1", port)}, server_name=NAME, patience=0.5)["it"]
    assert [answer.protocol for answer in answers if answer.served] == [protocol]
    assert judge_protocols(answers, [id_]) == ()
    assert [
        (difference.kind, difference.subject) for difference in judge_protocols(answers, ["mqtt"])
    ] == [
        ("wrong protocol", protocol),
        ("missing protocol", "MQTT"),
    ]


def test_a_greeting_in_another_language_is_not_served(pki: Pki) -> None:
    def first(tls: ssl.SSLSocket) -> None:
        tls.sendall(ANSWERS["OpenWire"] + bytes(100))
        tls.recv(4096)

    with speaking(pki, first) as port:
        answer = over_tls(ListenerAddress("127.0.0.1", port, NAME, 2.0), "STOMP")
    assert (answer.spoken, answer.served) == ("OpenWire", False)
    assert answer.words.startswith(r"\x00\x00\x01R\x01ActiveMQ")


def test_hanging_up_and_silence_are_told_apart(pki: Pki) -> None:
    def hang_up(tls: ssl.SSLSocket) -> None:
        tls.recv(4096)

    with speaking(pki, hang_up) as port:
        hung_up = over_tls(ListenerAddress("127.0.0.1", port, NAME, 2.0), "MQTT")
    with speaking(pki, only("HTTP")) as port:
        silent = over_tls(ListenerAddress("127.0.0.1", port, NAME, 0.3), "MQTT")
    assert (hung_up.ended, hung_up.words) == (True, "")
    assert (silent.ended, silent.words) == (
        False,
        "",
    )


def test_a_listener_without_tls_serves_nothing() -> None:
    with serving(lambda connection: connection.sendall(ANSWERS["MQTT"])) as port:
        answer = over_tls(ListenerAddress("127.0.0.1", port, NAME, 1.0), "MQTT")
    assert answer.ended
    assert not answer.served
