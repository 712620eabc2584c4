"""Put one question to a listener: one connection, one ClientHello or plaintext greeting, one answer."""

import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

from testbed.wire import hello
from testbed.wire.scan import Refusal

_SHOWN = 24  # bytes of a foreign answer that are kept as evidence
_MOST = 256 * 1024  # bytes read before an answer is given up as endless


@dataclass(frozen=True)
class Where:
    """A listener's address, the host name to ask for (SNI), and the seconds one answer may take."""

    host: str
    port: int
    server_name: str
    timeout: float = 5.0


@dataclass(frozen=True)
class Agreed:
    """The listener went on with the handshake; ``chain`` is empty unless it was waited for."""

    hello: hello.ServerHello
    chain: tuple[bytes, ...] = ()


class _Stream:
    """A connection with one deadline for everything read from it."""

    def __init__(self, where: Where) -> None:
        self._deadline = time.monotonic() + where.timeout
        self.socket = socket.create_connection((where.host, where.port), where.timeout)
        self.received = b""

    def more(self) -> None:
        """Read on; raises ``EOFError``, ``TimeoutError`` or another ``OSError``."""
        self.socket.settimeout(max(0.001, self._deadline - time.monotonic()))
        chunk = self.socket.recv(65536)
        if not chunk or len(self.received) > _MOST:
            raise EOFError
        self.received += chunk

    def __enter__(self) -> "_Stream":
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()


def _refusal(error: Exception, received: bytes) -> Refusal:
    if received:
        return Refusal("bytes", received[:_SHOWN].hex(" "))
    match error:
        case TimeoutError():
            return Refusal("timeout")
        case EOFError():
            return Refusal("closed")
        case _:
            return Refusal("closed", "reset")


def handshake(where: Where, version: str, suites: Sequence[int], *, compression: bool = False, chain: bool = False) -> Agreed | Refusal:
    """Offer exactly ``version`` and ``suites`` and say what came of it. Never raises for what a listener does.

    With ``chain`` the answer waits for the certificates, which TLS 1.3 does not show.
    """
    try:
        stream = _Stream(where)
    except (OSError, UnicodeError) as error:
        return Refusal("unreachable", str(error))
    with stream:
        try:
            stream.socket.sendall(hello.client_hello(version, suites, where.server_name, compression=compression))
            answer = _answer(stream, version, set(suites), chain)
            if isinstance(answer, Agreed):
                stream.socket.sendall(hello.FAREWELL)
            return answer
        except hello.NotTls:
            return Refusal("bytes", stream.received[:_SHOWN].hex(" "))
        except (OSError, EOFError) as error:
            return _refusal(error, stream.received)


def _answer(stream: _Stream, version: str, suites: set[int], chain: bool) -> Agreed | Refusal:
    content, warned, agreed = b"", None, None
    while True:
        try:
            while (taken := hello.record(stream.received)) is None:
                stream.more()
        except (OSError, EOFError):
            if agreed:
                return agreed
            if warned and not stream.received:
                return Refusal("alert", str(warned))
            raise
        kind, body, stream.received = taken
        if kind == hello.ALERT:
            warned = hello.alert(body)
            if warned.level == "fatal" or warned.description == "close_notify":
                return agreed or Refusal("alert", str(warned))
            continue  # a warning such as unrecognized_name: the answer is still to come
        if kind != hello.HANDSHAKE:
            raise hello.NotTls("not a handshake")
        content += body
        for message, payload in hello.messages(content):
            if message == hello.SERVER_HELLO and not agreed:
                chosen = hello.server_hello(payload)
                if chosen.version != version:
                    return Refusal("version", chosen.version)
                if chosen.suite not in suites:
                    raise hello.NotTls("a suite that was not offered")
                agreed = Agreed(chosen)
                if not chain or version == "TLSv1.3":
                    return agreed
            elif message == hello.CERTIFICATE and agreed:
                return Agreed(agreed.hello, hello.certificates(payload))
            elif message == hello.SERVER_HELLO_DONE and agreed:
                return agreed


def _mqtt_connect() -> bytes:
    variable = b"\0\4MQTT\4\2\0\x3c" + b"\0\5probe"
    return bytes([0x10, len(variable)]) + variable


# What a client of each protocol says first. A plaintext listener answers these with bytes of its own.
GREETINGS = {
    "AMQP 0-9-1": b"AMQP\0\0\x09\x01",
    "AMQP 1.0": b"AMQP\3\1\0\0",
    "STOMP": b"CONNECT\naccept-version:1.2\nhost:/\n\n\0",
    "MQTT": _mqtt_connect(),
    "OpenWire": b"\0\0\0\x0e\1ActiveMQ" + struct.pack(">i", 1) + b"\0",
    "HTTP": b"GET / HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n",
}


def plaintext(where: Where, greeting: bytes) -> Refusal:
    """What a client that does not speak TLS gets; ``bytes`` means it is served. Never raises for it."""
    try:
        stream = _Stream(where)
    except OSError as error:
        return Refusal("unreachable", str(error))
    with stream:
        try:
            stream.socket.sendall(greeting)
            while (taken := hello.record(stream.received)) is None:
                stream.more()
            kind, body, _ = taken
            return Refusal("alert", str(hello.alert(body))) if kind == hello.ALERT else Refusal("bytes", stream.received[:_SHOWN].hex(" "))
        except hello.NotTls:
            return Refusal("bytes", stream.received[:_SHOWN].hex(" "))
        except (OSError, EOFError) as error:
            return _refusal(error, stream.received)
