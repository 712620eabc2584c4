"""Put one question to a listener: one connection, one ClientHello or plaintext greeting, one answer."""

import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from testbed.wire import key_exchange, tls_messages
from testbed.wire.byte_reader import NotTls
from testbed.wire.key_exchange import Group, KeyExchange
from testbed.wire.scan import Refusal
from testbed.wire.tls_messages import ServerHello, suite

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

    server_hello: ServerHello
    chain: tuple[bytes, ...] = ()
    exchange: KeyExchange | None = None
    asks_certificate: bool | None = None
    complete: bool = False

    @property
    def group(self) -> Group | None:
        return self.exchange.group if self.exchange else self.server_hello.group


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


def open_tls(
    where: Where, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    """Return a connection after a complete handshake by the interpreter's OpenSSL.

    Each step takes at most ``where.timeout``. It shows ``where.identity`` when asked for it.
    Raises ``OSError`` (``ssl.SSLError`` is one), or ``ValueError`` for a malformed host name.
    """
    if where.identity:
        context.load_cert_chain(*where.identity)
    plain = socket.create_connection((where.host, where.port), where.timeout)
    try:
        return context.wrap_socket(plain, server_hostname=where.server_name, session=session)
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
    where: Where, version: str, suites: Sequence[int], **offer: object
) -> Agreed | Refusal:
    """Offer exactly ``version`` and ``suites`` and say what came of it. Never raises for what a listener does.

    ``offer`` goes to ``tls_messages.client_hello``: ``compression``, ``groups``, ``signatures``.
    """
    try:
        stream = Stream(where)
    except (OSError, UnicodeError) as error:
        return Refusal("unreachable", str(error))
    with stream:
        try:
            stream.socket.sendall(
                tls_messages.client_hello(version, suites, where.server_name, **offer)
            )  # type: ignore[arg-type]
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
    """The listener's answer to a ClientHello that offered these.

    Raises ``NotTls``, ``EOFError`` or ``OSError`` where there is none. Once it has agreed, whatever
    spoils the rest of its flight only leaves that incomplete.
    """
    content, read, warned, agreed = b"", 0, None, None
    while True:
        try:
            while (taken := tls_messages.record(stream.received)) is None:
                stream.more()
            kind, body, stream.received = taken
            if kind == tls_messages.ALERT:
                warned = tls_messages.alert(body)
                if warned.level == "fatal" or warned.description == "close_notify":
                    return agreed or Refusal("alert", str(warned))
                continue  # a warning such as unrecognized_name: the answer is still to come
            if kind != tls_messages.HANDSHAKE:
                raise NotTls("not a handshake")
        except (OSError, EOFError, NotTls):
            if agreed:
                return agreed
            if warned and not stream.received:
                return Refusal("alert", str(warned))
            raise
        content += body
        for message, payload in tls_messages.messages(content[read:]):
            read += 4 + len(payload)
            if not agreed:
                if message == tls_messages.SERVER_HELLO:
                    agreed = Agreed(tls_messages.server_hello(payload))
                    if agreed.server_hello.version != version:
                        return Refusal("version", agreed.server_hello.version)
                    if agreed.server_hello.suite not in suites:
                        raise NotTls("a suite that was not offered")
                    if version == "TLSv1.3":
                        return agreed
            elif message == tls_messages.SERVER_HELLO_DONE:
                return replace(
                    agreed, asks_certificate=bool(agreed.asks_certificate), complete=True
                )
            else:
                agreed = _with(agreed, message, payload)


def _with(agreed: Agreed, message: int, payload: bytes) -> Agreed:
    """One more message of the flight. One that cannot be read is left out: the listener has agreed all the same."""
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
