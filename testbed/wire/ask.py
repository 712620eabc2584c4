"""Put one question to a listener: one connection, one ClientHello or plaintext greeting, one answer."""

import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from testbed.wire import hello, key_exchange
from testbed.wire.key_exchange import Group, KeyExchange
from testbed.wire.scan import Refusal
from testbed.wire.suites import suite

SHOWN = 24  # bytes of a foreign answer that are kept as evidence
_MOST = 256 * 1024  # bytes read before an answer is given up as endless


@dataclass(frozen=True)
class Where:
    """A listener's address, the host name to ask for (SNI), and the seconds one answer may take.

    ``identity`` is a client certificate (chain and private key as PEM files), for a listener that asks for one.
    """

    host: str
    port: int
    server_name: str
    timeout: float = 5.0
    identity: tuple[Path, Path] | None = None


@dataclass(frozen=True)
class Agreed:
    """The listener went on with the handshake: its first flight.

    Up to TLS 1.2 ``complete`` says whether all of it was seen. TLS 1.3 encrypts what follows the ServerHello, so
    there ``chain`` is empty, ``exchange`` None, and whether a client certificate is asked for unknown (None).
    """

    hello: hello.ServerHello
    chain: tuple[bytes, ...] = ()
    exchange: KeyExchange | None = None
    asks_certificate: bool | None = None
    complete: bool = False

    @property
    def group(self) -> Group | None:
        return self.exchange.group if self.exchange else self.hello.group


class Stream:
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

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()


def refusal(error: Exception, received: bytes) -> Refusal:
    if received:
        return Refusal("bytes", received[:SHOWN].hex(" "))
    match error:
        case TimeoutError():
            return Refusal("timeout")
        case EOFError():
            return Refusal("closed")
        case _:
            return Refusal("closed", "reset")


def handshake(
    where: Where, version: str, suites: Sequence[int], **offer: object
) -> Agreed | Refusal:
    """Offer exactly ``version`` and ``suites`` and say what came of it. Never raises for what a listener does.

    ``offer`` goes to ``hello.client_hello``: ``compression``, ``groups``, ``signatures``.
    """
    try:
        stream = Stream(where)
    except (OSError, UnicodeError) as error:
        return Refusal("unreachable", str(error))
    with stream:
        try:
            stream.socket.sendall(hello.client_hello(version, suites, where.server_name, **offer))  # type: ignore[arg-type]
            answer = flight(stream, version, set(suites))
        except hello.NotTls:
            return Refusal("bytes", stream.received[:SHOWN].hex(" "))
        except (OSError, EOFError) as error:
            return refusal(error, stream.received)
        if isinstance(answer, Agreed):
            with suppress(OSError):  # it may be gone already
                stream.socket.sendall(hello.FAREWELL)
        return answer


def flight(stream: Stream, version: str, suites: set[int]) -> Agreed | Refusal:
    """The listener's answer to a ClientHello that offered these.

    Raises ``NotTls``, ``EOFError`` or ``OSError`` where there is none. Once it has agreed, whatever
    spoils the rest of its flight only leaves that incomplete.
    """
    content, read, warned, agreed = b"", 0, None, None
    while True:
        try:
            while (taken := hello.record(stream.received)) is None:
                stream.more()
            kind, body, stream.received = taken
            if kind == hello.ALERT:
                warned = hello.alert(body)
                if warned.level == "fatal" or warned.description == "close_notify":
                    return agreed or Refusal("alert", str(warned))
                continue  # a warning such as unrecognized_name: the answer is still to come
            if kind != hello.HANDSHAKE:
                raise hello.NotTls("not a handshake")
        except (OSError, EOFError, hello.NotTls):
            if agreed:
                return agreed
            if warned and not stream.received:
                return Refusal("alert", str(warned))
            raise
        content += body
        for message, payload in hello.messages(content[read:]):
            read += 4 + len(payload)
            if not agreed:
                if message == hello.SERVER_HELLO:
                    agreed = Agreed(hello.server_hello(payload))
                    if agreed.hello.version != version:
                        return Refusal("version", agreed.hello.version)
                    if agreed.hello.suite not in suites:
                        raise hello.NotTls("a suite that was not offered")
                    if version == "TLSv1.3":
                        return agreed
            elif message == hello.SERVER_HELLO_DONE:
                return replace(
                    agreed, asks_certificate=bool(agreed.asks_certificate), complete=True
                )
            else:
                agreed = _with(agreed, message, payload)


def _with(agreed: Agreed, message: int, payload: bytes) -> Agreed:
    """One more message of the flight. One that cannot be read is left out: the listener has agreed all the same."""
    with suppress(hello.NotTls):
        if message == hello.CERTIFICATE:
            return replace(agreed, chain=hello.certificates(payload))
        if message == hello.SERVER_KEY_EXCHANGE:
            return replace(
                agreed,
                exchange=key_exchange.read(
                    payload, suite(agreed.hello.suite).iana, agreed.hello.version
                ),
            )
        if message == hello.CERTIFICATE_REQUEST:
            return replace(agreed, asks_certificate=True)
    return agreed
