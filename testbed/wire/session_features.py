"""What a listener does beyond suites: resume a session, renegotiate, take a certificate that it did not ask for."""

import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal

from OpenSSL import SSL

from testbed.protocols.tls import permissive_context
from testbed.wire import tls_messages
from testbed.wire.byte_reader import NotTls
from testbed.wire.connection import Agreed, Stream, Where, flight, open_tls, refusal
from testbed.wire.scan import Refusal, SessionFeatures

CONNECTIONS = 6  # that ``ask`` makes, where all goes well
# OpenSSL's own words, not a listener's alert, for data between the messages of a handshake, which other libraries allow.
_OUT_OF_TURN = {"unexpected record", "unexpected message"}
# A Certificate message without a certificate, as a client sends it that has none.
_CERTIFICATE = b"\x16\x03\x03\x00\x07\x0b\x00\x00\x03\x00\x00\x00"


def ask(where: Where, version: str, suites: Sequence[int]) -> SessionFeatures:
    """Try everything of ``SessionFeatures``; ``version`` (at most TLS 1.2) and ``suites`` are what the listener accepts.

    Never raises for what a listener does.
    """
    asked, unsolicited = _certificate(where, version, suites)
    return SessionFeatures(
        session_id=_resumed(where, ticket=False),
        ticket=_resumed(where, ticket=True),
        renegotiation=_renegotiated(where),
        asks_certificate=asked,
        unsolicited_certificate=unsolicited,
    )


def _resumed(where: Where, *, ticket: bool) -> bool | None:
    """Connect twice, the second time with what the first left; None without a first time."""
    context = permissive_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if not ticket:
        context.options |= ssl.OP_NO_TICKET
    try:
        with open_tls(where, context) as first:
            session = first.session
            with suppress(OSError):  # said goodbye to, or neither side keeps the session
                first.unwrap()
    except (OSError, ValueError):
        return None
    if session is None or ticket != session.has_ticket:
        return False
    try:
        with open_tls(where, context, session) as second:
            return second.session_reused
    except OSError:
        return False


def _renegotiated(where: Where) -> Literal["accepted"] | Refusal | None:
    """Ask for a second handshake inside the first; None without a first.

    A broker that speaks first may put its greeting amid the second handshake: then the greeting is waited for.
    """
    answer = _second_handshake(where, greeted=False)
    if isinstance(answer, Refusal) and answer.detail in _OUT_OF_TURN:
        return _second_handshake(where, greeted=True)
    return answer


def _second_handshake(where: Where, *, greeted: bool) -> Literal["accepted"] | Refusal | None:
    """``greeted``: not before the listener has said something. The interpreter's own ``ssl`` cannot ask."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    if where.identity:
        context.use_certificate_chain_file(str(where.identity[0]))
        context.use_privatekey_file(str(where.identity[1]))
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    try:
        with Stream(where) as stream:
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
    """Until the second handshake is done; a greeting may come before the listener's part of it."""
    try:
        while connection.renegotiate_pending():
            connection.recv(65536)
    except SSL.WantReadError:  # after the handshake there may be nothing to read
        if connection.renegotiate_pending():
            raise


def _drive(connection: SSL.Connection, stream: Stream, step: Callable[[], object]) -> None:
    """Carry bytes between OpenSSL and the listener until ``step`` is done. Raises what it raises, ``EOFError`` or ``OSError``."""
    while True:
        try:
            step()
            return
        except SSL.WantReadError:
            _flush(connection, stream)
            stream.more()
            connection.bio_write(stream.received)
            stream.received = b""
        finally:
            _flush(connection, stream)  # what OpenSSL says before it gives up, too


def _flush(connection: SSL.Connection, stream: Stream) -> None:
    with suppress(SSL.WantReadError):
        stream.socket.sendall(connection.bio_read(65536))


def _reason(error: SSL.Error) -> str:
    """OpenSSL's words for the last of its errors."""
    errors = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return str(errors[-1][-1]) if errors else str(error) or type(error).__name__


def _certificate(
    where: Where, version: str, suites: Sequence[int]
) -> tuple[bool | None, Refusal | None]:
    """Whether a certificate is asked for, and where it is not, the answer to one that comes all the same."""
    try:
        with Stream(where) as stream:
            stream.socket.sendall(tls_messages.client_hello(version, suites, where.server_name))
            answer = flight(stream, version, set(suites))
            if not isinstance(answer, Agreed) or not answer.complete:
                return None, None
            if answer.asks_certificate:
                return True, None
            stream.received = b""
            try:
                stream.socket.sendall(_CERTIFICATE)
                while (taken := tls_messages.record(stream.received)) is None:
                    stream.more()
                return False, Refusal("alert", str(tls_messages.alert(taken[1]))) if taken[
                    0
                ] == tls_messages.ALERT else Refusal("bytes", taken[1][:24].hex(" "))
            except (OSError, EOFError) as error:
                return False, refusal(error, stream.received)
    except (OSError, EOFError, UnicodeError, NotTls):
        return None, None
