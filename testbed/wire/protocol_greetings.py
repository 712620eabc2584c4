"""A listener's answer to the greeting of each protocol, over TLS and in plaintext."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from testbed.protocols import amqp, mqtt, openwire, stomp, websocket
from testbed.protocols.tls import permissive_context
from testbed.wire import tls_messages
from testbed.wire.byte_reader import NotTls
from testbed.wire.connection import SHOWN, ListenerAddress, Stream, open_tls, refusal
from testbed.wire.scan import ProtocolAnswer, Refusal

# The first bytes of a client of each protocol.
GREETINGS = {
    "AMQP 0-9-1": amqp.HEADER_0_9_1,
    "AMQP 1.0": amqp.HEADER_SASL,
    "STOMP": stomp.connect(),
    "MQTT": mqtt.connect("probe"),
    "OpenWire": openwire.frame(openwire.wire_format()),
    "HTTP": b"GET / HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n",
    "STOMP over WebSocket": websocket.upgrade("v12.stomp"),
    "MQTT over WebSocket": websocket.upgrade("mqtt"),
}

# The testbed's protocol ids (``documented/listeners.py``), and the protocols above that they imply:
# a listener for WebSocket speaks HTTP, too.
SPOKEN_BY = {
    "amqp": {"AMQP 0-9-1"},
    "amqp10": {"AMQP 1.0"},
    "stomp": {"STOMP"},
    "mqtt": {"MQTT"},
    "openwire": {"OpenWire"},
    "stomp-ws": {"STOMP over WebSocket", "HTTP"},
    "mqtt-ws": {"MQTT over WebSocket", "HTTP"},
    "console": {"HTTP"},
    "management": {"HTTP"},
}
_MOST = 4096  # bytes of an answer that are read


def plaintext(listener: ListenerAddress, greeting: bytes) -> Refusal:
    """Greet without TLS; the answer ``bytes`` means that the client is served. Never raises."""
    try:
        stream = Stream(listener)
    except OSError as error:
        return Refusal("unreachable", str(error))
    with stream:
        try:
            stream.socket.sendall(greeting)
            while (record := tls_messages.record(stream.received)) is None:
                stream.more()
            kind, body, _ = record
            return (
                Refusal("alert", str(tls_messages.alert(body)))
                if kind == tls_messages.ALERT
                else Refusal("bytes", stream.received[:SHOWN].hex(" "))
            )
        except NotTls:
            return Refusal("bytes", stream.received[:SHOWN].hex(" "))
        except (OSError, EOFError) as error:
            return refusal(error, stream.received)


def over_tls(listener: ListenerAddress, protocol: str) -> ProtocolAnswer:
    """Greet in ``protocol`` over TLS, for at most ``listener.timeout``. Never raises."""
    started, answer, ended = time.monotonic(), b"", False
    try:
        with open_tls(listener, permissive_context()) as secured:
            secured.sendall(GREETINGS[protocol])
            while len(answer) < _MOST and not _is_conclusive(answer, protocol):
                secured.settimeout(max(0.001, started + listener.timeout - time.monotonic()))
                if not (piece := secured.recv(_MOST)):
                    ended = True
                    break
                answer += piece
    except TimeoutError:
        pass
    except (OSError, ValueError):
        ended = True
    return ProtocolAnswer(
        protocol, spoken(answer), repr(answer[:SHOWN])[2:-1], ended, time.monotonic() - started
    )


def wrong_protocols(
    addresses: Mapping[str, tuple[str, int]], *, server_name: str, patience: float = 2.0
) -> dict[str, tuple[ProtocolAnswer, ...]]:
    """Greet every listener (name -> host, port) in every protocol, all in parallel.

    A silent one takes ``patience`` seconds. Never raises for what a listener does.
    """
    questions = [(name, protocol) for name in addresses for protocol in GREETINGS]

    def one(question: tuple[str, str]) -> ProtocolAnswer:
        return over_tls(
            ListenerAddress(*addresses[question[0]], server_name, patience), question[1]
        )

    with ThreadPoolExecutor(len(questions) or 1) as pool:
        answers = list(pool.map(one, questions))
    return {
        name: tuple(
            answer
            for (listener_name, _), answer in zip(questions, answers, strict=True)
            if listener_name == name
        )
        for name in addresses
    }


def spoken(answer: bytes) -> str:
    """Return the protocol, one of ``GREETINGS``, of a server's first bytes; empty if unknown."""
    head = answer.lstrip(b"\n")
    if websocket.is_upgraded(head):
        return f"{'MQTT' if websocket.speaks(head, 'mqtt') else 'STOMP'} over WebSocket"
    if head.startswith(b"HTTP/"):
        return "HTTP"
    for protocol, is_it in (
        ("STOMP", stomp.is_stomp),
        ("AMQP 0-9-1", amqp.is_0_9_1),
        ("AMQP 1.0", amqp.is_1_0),
        ("MQTT", mqtt.is_connack),
    ):
        if is_it(head):
            return protocol
    return "OpenWire" if openwire.is_greeting(answer[4:]) else ""


def _is_conclusive(answer: bytes, protocol: str) -> bool:
    """Say whether no further byte can matter.

    A greeting in another protocol may be followed by one in the right protocol.
    """
    return spoken(answer) == protocol or (bool(spoken(answer)) and len(answer) > SHOWN)
