"""Asks a listener one question: one connection, one ClientHello or greeting, one answer."""

import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, TypedDict, Unpack

from testbed.wire import key_exchange, tls_messages
from testbed.wire.byte_reader import NotTls
from testbed.wire.key_exchange import Group, KeyExchange
from testbed.wire.scan import Refusal
from testbed.wire.tls_messages import ServerHello, suite

SHOWN = 24  # bytes of a foreign answer that are kept as evidence
_MOST = 256 * 1024  # bytes read before an answer is given up as endless


@dataclass(frozen=True)
class ListenerAddress:
    """A listener's address, the host name to ask for (SNI), and the time limit of an answer.

    ``timeout`` is in seconds. ``identity`` is a client certificate (chain and private key as PEM
    files), for a listener that asks for one.
    """

    host: str
    port: int
    server_name: str
    timeout: float = 5.0
    identity: tuple[Path, Path] | None = None


@dataclass(frozen=True)
class Agreed:
    """The listener accepted the handshake: its first flight.

    Up to TLS 1.2 ``complete`` says whether all of it was seen. TLS 1.3 encrypts everything after
    the ServerHello: ``chain`` is empty, and ``exchange`` and ``asks_certificate`` are None.
    """

    server_hello: ServerHello
    chain: tuple[bytes, ...] = ()
    exchange: KeyExchange | None = None
    asks_certificate: bool | None = None
    complete: bool = False

    @property
    def group(self) -> Group | None:
        return self.exchange.group if self.exchange else self.server_hello.group


class Offer(TypedDict, total=False):
    """The optional parts of a ClientHello; see ``tls_messages.client_hello``."""

    compression: bool
    groups: Sequence[int]
    signatures: Sequence[int]


class Stream:
    """A connection with one deadline for everything read from it."""

    def __init__(self, listener: ListenerAddress) -> None:
        self._deadline = time.monotonic() + listener.timeout
        self.socket = socket.create_connection((listener.host, listener.port), listener.timeout)
        self.received = b""

    def more(self) -> None:
        """Read more. Raises ``EOFError``, ``TimeoutError`` or another ``OSError``."""
        self.socket.settimeout(max(0.001, self._deadline - time.monotonic()))
        chunk = self.socket.recv(65536)
        if not chunk or len(self.received) > _MOST:
            raise EOFError
        self.received += chunk

    def record(self) -> tuple[int, bytes]:
        """Read a TLS record: its type and content. Raises as ``more`` does, and ``NotTls``."""
        while (record := tls_messages.record(self.received)) is None:
            self.more()
        kind, body, self.received = record
        return kind, body

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()


def open_tls(
    listener: ListenerAddress, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    """Return a connection after a complete handshake by the interpreter's OpenSSL.

    Each step takes at most ``listener.timeout``. It shows ``listener.identity`` when asked for it.
    Raises ``OSError`` (``ssl.SSLError`` is one), or ``ValueError`` for a malformed host name.
    """
    if listener.identity:
        context.load_cert_chain(*listener.identity)
    plain = socket.create_connection((listener.host, listener.port), listener.timeout)
    try:
        return context.wrap_socket(plain, server_hostname=listener.server_name, session=session)
    except BaseException:
        plain.close()
        raise


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
    listener: ListenerAddress, version: str, suites: Sequence[int], **offer: Unpack[Offer]
) -> Agreed | Refusal:
    """Offer exactly ``version`` and ``suites``, and return the answer.

    Never raises for what a listener does.
    """
    try:
        stream = Stream(listener)
    except (OSError, UnicodeError) as error:
        return Refusal("unreachable", str(error))
    with stream:
        try:
            hello = tls_messages.client_hello(version, suites, listener.server_name, **offer)
            stream.socket.sendall(hello)
            answer = flight(stream, version, set(suites))
        except NotTls:
            return Refusal("bytes", stream.received[:SHOWN].hex(" "))
        except (OSError, EOFError) as error:
            return refusal(error, stream.received)
        if isinstance(answer, Agreed):
            with suppress(OSError):  # it may be gone already
                stream.socket.sendall(tls_messages.FAREWELL)
        return answer


def flight(stream: Stream, version: str, suites: set[int]) -> Agreed | Refusal:
    """Read the listener's answer to a ClientHello that offered these.

    Raises ``NotTls``, ``EOFError`` or ``OSError`` if there is none. Once it has agreed, an error
    only leaves its flight incomplete.
    """
    messages = _messages(stream)
    agreed: Agreed | None = None
    try:
        while True:
            message, payload = next(messages)
            if agreed:
                if message == tls_messages.SERVER_HELLO_DONE:
                    asks = bool(agreed.asks_certificate)
                    return replace(agreed, asks_certificate=asks, complete=True)
                agreed = _with(agreed, message, payload)
            elif message == tls_messages.SERVER_HELLO:
                answer = _answer(tls_messages.server_hello(payload), version, suites)
                if isinstance(answer, Refusal) or version == "TLSv1.3":
                    return answer
                agreed = answer
    except _Alerted as alerted:
        return agreed or Refusal("alert", str(alerted))
    except (OSError, EOFError, NotTls):
        if agreed:
            return agreed
        raise


class _Alerted(Exception):
    """The listener ended the handshake with an alert."""


def _messages(stream: Stream) -> Iterator[tuple[int, bytes]]:
    """Yield handshake messages (type, body) without end.

    Raises ``_Alerted``, or ``NotTls``, ``EOFError`` or ``OSError``.
    """
    content, warning = b"", None
    while True:
        try:
            kind, body = stream.record()
            alert = None if kind == tls_messages.HANDSHAKE else _alert(kind, body)
        except (OSError, EOFError, NotTls):
            if warning and not stream.received:
                raise _Alerted(warning) from None
            raise
        if alert is None:
            content += body
            for message, payload in tls_messages.messages(content):
                content = content[4 + len(payload) :]
                yield message, payload
        elif alert.level == "fatal" or alert.description == "close_notify":
            raise _Alerted(alert)
        else:
            warning = alert  # such as unrecognized_name: the answer is still to come


def _alert(kind: int, body: bytes) -> tls_messages.Alert:
    if kind != tls_messages.ALERT:
        raise NotTls("not a handshake")
    return tls_messages.alert(body)


def _answer(hello: ServerHello, version: str, suites: set[int]) -> Agreed | Refusal:
    if hello.version != version:
        return Refusal("version", hello.version)
    if hello.suite not in suites:
        raise NotTls("a suite that was not offered")
    return Agreed(hello)


def _with(agreed: Agreed, message: int, payload: bytes) -> Agreed:
    """Add a message of the flight. A malformed one is left out: the listener has still agreed."""
    with suppress(NotTls):
        if message == tls_messages.CERTIFICATE:
            return replace(agreed, chain=tls_messages.certificates(payload))
        if message == tls_messages.SERVER_KEY_EXCHANGE:
            return replace(
                agreed,
                exchange=key_exchange.read(
                    payload, suite(agreed.server_hello.suite).iana, agreed.server_hello.version
                ),
            )
        if message == tls_messages.CERTIFICATE_REQUEST:
            return replace(agreed, asks_certificate=True)
    return agreed
