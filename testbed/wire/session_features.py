"""What a listener does beyond suites: resumption, renegotiation, client certificates."""

import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal

from OpenSSL import SSL

from testbed.protocols.tls import permissive_context
from testbed.wire import tls_messages
from testbed.wire.byte_reader import NotTls
from testbed.wire.connection import (
    SHOWN,
    Agreed,
    ListenerAddress,
    Stream,
    flight,
    open_tls,
    refusal,
)
from testbed.wire.scan import Refusal, SessionFeatures

CONNECTIONS = 6  # of ``ask``, if nothing fails
# OpenSSL's errors, not a listener's alerts, for data between the messages of a handshake, which
# other libraries allow.
_OUT_OF_TURN = {"unexpected record", "unexpected message", "data between ccs and finished"}
# The Certificate message of a client that has no certificate.
_CERTIFICATE = b"\x16\x03\x03\x00\x07\x0b\x00\x00\x03\x00\x00\x00"


def ask(listener: ListenerAddress, version: str, suites: Sequence[int]) -> SessionFeatures:
    """Try everything of ``SessionFeatures``.

    ``version`` (at most TLS 1.2) and ``suites`` are those that the listener accepts. Never raises
    for what a listener does.
    """
    asks, unsolicited = _certificate(listener, version, suites)
    return SessionFeatures(
        session_id=_resumed(listener, ticket=False),
        ticket=_resumed(listener, ticket=True),
        renegotiation=_renegotiated(listener),
        asks_certificate=asks,
        unsolicited_certificate=unsolicited,
    )


def _resumed(listener: ListenerAddress, *, ticket: bool) -> bool | None:
    """Connect twice, resuming the session; None if the first connection fails."""
    context = permissive_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if not ticket:
        context.options |= ssl.OP_NO_TICKET
    try:
        with open_tls(listener, context) as first:
            session = first.session
            with suppress(OSError):  # closed properly, or neither side keeps the session
                first.unwrap()
    except (OSError, ValueError):
        return None
    if session is None or ticket != session.has_ticket:
        return False
    try:
        with open_tls(listener, context, session) as second:
            return second.session_reused
    except OSError:
        return False


def _renegotiated(listener: ListenerAddress) -> Literal["accepted"] | Refusal | None:
    """Ask for a second handshake inside the first; None without a first.

    A broker that speaks first may send its greeting during the second handshake: then wait for it.
    """
    answer = _second_handshake(listener, greeted=False)
    if isinstance(answer, Refusal) and answer.detail in _OUT_OF_TURN:
        return _second_handshake(listener, greeted=True)
    return answer


def _second_handshake(
    listener: ListenerAddress, *, greeted: bool
) -> Literal["accepted"] | Refusal | None:
    """Renegotiate, with ``greeted`` after the listener's greeting. Python's ``ssl`` cannot."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    if listener.identity:
        context.use_certificate_chain_file(str(listener.identity[0]))
        context.use_privatekey_file(str(listener.identity[1]))
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    try:
        with Stream(listener) as stream:
            try:
                _drive(connection, stream, connection.do_handshake)
            except (OSError, EOFError, SSL.Error):
                return None
            try:
                if greeted:
                    _drive(connection, stream, lambda: connection.recv(65536))
                connection.renegotiate()
                _drive(connection, stream, lambda: _read_through(connection))
            except SSL.Error as error:
                return Refusal("alert", _reason(error))
            except (OSError, EOFError) as error:
                return refusal(error, b"")
            return "accepted"
    except OSError:
        return None


def _read_through(connection: SSL.Connection) -> None:
    """Read until the second handshake is done; a greeting may come first."""
    try:
        while connection.renegotiate_pending():
            connection.recv(65536)
    except SSL.WantReadError:  # after the handshake there may be nothing to read
        if connection.renegotiate_pending():
            raise


def _drive(connection: SSL.Connection, stream: Stream, step: Callable[[], object]) -> None:
    """Carry bytes between OpenSSL and the listener until ``step`` is done.

    Raises what ``step`` raises, ``EOFError`` or ``OSError``.
    """
    while True:
        try:
            step()
        except SSL.WantReadError:
            _flush(connection, stream)
            stream.more()
            connection.bio_write(stream.received)
            stream.received = b""
        else:
            return
        finally:
            _flush(connection, stream)  # an alert of OpenSSL's, too


def _flush(connection: SSL.Connection, stream: Stream) -> None:
    with suppress(SSL.WantReadError):
        stream.socket.sendall(connection.bio_read(65536))


def _reason(error: SSL.Error) -> str:
    """Return OpenSSL's message for its last error."""
    errors = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return str(errors[-1][-1]) if errors else str(error) or type(error).__name__


def _certificate(
    listener: ListenerAddress, version: str, suites: Sequence[int]
) -> tuple[bool | None, Refusal | None]:
    """Find out whether a certificate is asked for; if not, the answer to an unsolicited one."""
    try:
        with Stream(listener) as stream:
            stream.socket.sendall(tls_messages.client_hello(version, suites, listener.server_name))
            answer = flight(stream, version, set(suites))
            if not isinstance(answer, Agreed) or not answer.complete:
                return None, None
            if answer.asks_certificate:
                return True, None
            stream.received = b""
            try:
                stream.socket.sendall(_CERTIFICATE)
                kind, body = stream.record()
                if kind == tls_messages.ALERT:
                    return False, Refusal("alert", str(tls_messages.alert(body)))
                return False, Refusal("bytes", body[:SHOWN].hex(" "))
            except (OSError, EOFError) as error:
                return False, refusal(error, stream.received)
    except (OSError, EOFError, UnicodeError, NotTls):
        return None, None
