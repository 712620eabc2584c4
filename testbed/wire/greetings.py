"""What a listener says to a client of each protocol, over TLS and without it: one connection, one greeting, one answer."""

import struct
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from testbed.wire import hello
from testbed.wire.ask import SHOWN, Stream, Where, refusal
from testbed.wire.scan import ProtocolAnswer, Refusal
from testbed.wire.secured import open_tls, permissive


def _mqtt_connect() -> bytes:
    variable = b"\0\4MQTT\4\2\0\x3c" + b"\0\5probe"
    return bytes([0x10, len(variable)]) + variable


def _upgrade(subprotocol: str) -> bytes:
    lines = [
        "GET / HTTP/1.1",
        "Host: probe",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
    ]
    lines += [
        "Sec-WebSocket-Key: dGVzdGJlZCBwcm9iZSBrZXk=",
        f"Sec-WebSocket-Protocol: {subprotocol}",
    ]
    return "\r\n".join((*lines, "", "")).encode()


# What a client of each protocol says first.
GREETINGS = {
    "AMQP 0-9-1": b"AMQP\0\0\x09\x01",
    "AMQP 1.0": b"AMQP\3\1\0\0",
    "STOMP": b"CONNECT\naccept-version:1.2\nhost:/\n\n\0",
    "MQTT": _mqtt_connect(),
    "OpenWire": b"\0\0\0\x0e\1ActiveMQ" + struct.pack(">i", 1) + b"\0",
    "HTTP": b"GET / HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n",
    "STOMP over WebSocket": _upgrade("v12.stomp"),
    "MQTT over WebSocket": _upgrade("mqtt"),
}

# The testbed's protocol ids (``documented/listeners.py``) by the names above, and what answers besides: a listener for
# WebSocket is one for HTTP.
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


def plaintext(where: Where, greeting: bytes) -> Refusal:
    """What a client that does not speak TLS gets; ``bytes`` means it is served. Never raises for it."""
    try:
        stream = Stream(where)
    except OSError as error:
        return Refusal("unreachable", str(error))
    with stream:
        try:
            stream.socket.sendall(greeting)
            while (taken := hello.record(stream.received)) is None:
                stream.more()
            kind, body, _ = taken
            return (
                Refusal("alert", str(hello.alert(body)))
                if kind == hello.ALERT
                else Refusal("bytes", stream.received[:SHOWN].hex(" "))
            )
        except hello.NotTls:
            return Refusal("bytes", stream.received[:SHOWN].hex(" "))
        except (OSError, EOFError) as error:
            return refusal(error, stream.received)


def over_tls(where: Where, protocol: str) -> ProtocolAnswer:
    """What a client that greets in ``protocol`` gets once TLS is established, within ``where.timeout``. Never raises for it."""
    started, answer, ended = time.monotonic(), b"", False
    try:
        with open_tls(where, permissive()) as secured:
            secured.sendall(GREETINGS[protocol])
            while len(answer) < _MOST and not _settled(answer, protocol):
                secured.settimeout(max(0.001, started + where.timeout - time.monotonic()))
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
    """Greet every listener (name -> host, port) in every protocol, all side by side.

    One that is silent takes ``patience`` seconds. Never raises for what a listener does.
    """
    questions = [(name, protocol) for name in addresses for protocol in GREETINGS]

    def one(question: tuple[str, str]) -> ProtocolAnswer:
        return over_tls(Where(*addresses[question[0]], server_name, patience), question[1])

    with ThreadPoolExecutor(len(questions) or 1) as side_by_side:
        answers = list(side_by_side.map(one, questions))
    return {
        name: tuple(
            answer for (asked, _), answer in zip(questions, answers, strict=True) if asked == name
        )
        for name in addresses
    }


def spoken(answer: bytes) -> str:
    """The protocol, one of ``GREETINGS``, that these first bytes of a server are in; empty for none of them."""
    head = answer.lstrip(b"\n")
    if head.startswith(b"HTTP/"):
        fields = head.partition(b"\r\n\r\n")[0].lower()
        if b" 101 " in fields[:16]:
            return (
                "MQTT over WebSocket"
                if b"\nsec-websocket-protocol: mqtt" in fields
                else "STOMP over WebSocket"
            )
        return "HTTP"
    if head.startswith((b"CONNECTED\n", b"CONNECTED\r", b"ERROR\n", b"ERROR\r")):
        return "STOMP"
    if head.startswith(b"AMQP\0\0\x09\x01") or (
        head[:3] == b"\1\0\0" and head[7:11] == b"\0\x0a\0\x0a"
    ):
        return "AMQP 0-9-1"  # its header, or connection.start on channel 0
    if head.startswith((b"AMQP\3\1\0\0", b"AMQP\0\1\0\0")):
        return "AMQP 1.0"
    if head[:2] == b"\x20\x02" and len(head) >= 4:
        return "MQTT"
    return "OpenWire" if answer[4:13] == b"\1ActiveMQ" else ""


def _settled(answer: bytes, protocol: str) -> bool:
    """Nothing that may still come changes what is known: a greeting in another protocol may be followed by the right one."""
    return spoken(answer) == protocol or (bool(spoken(answer)) and len(answer) > SHOWN)
