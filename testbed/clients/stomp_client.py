"""STOMP 1.2 by stomp.py.

stomp.py hides why it cannot connect, and over TLS its thread spins on a connection that the broker
has closed (it takes "nothing read" for "nothing yet"). Its transport class can be extended: this
one opens the socket with the testbed's TLS and ends when the broker does.
"""

import logging
import re
import selectors
import socket
import ssl
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import stomp
from stomp.connect import BaseConnection
from stomp.protocol import Protocol12
from stomp.transport import Transport
from stomp.utils import Frame, PollableQueue

from testbed.clients import tls
from testbed.clients.base import Address, Destination, Message
from testbed.clients.mailbox import Mailbox
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized, NotConfirmed

_PREFETCH = "50"
_GOODBYE_SECONDS = 3.0
_LOGIN = re.compile(r"password|not authori[sz]ed|denied|SecurityException", re.IGNORECASE)


class _Transport(Transport):  # type: ignore[misc] # stomp.py has no type hints
    def __init__(self, address: Address, timeout: float) -> None:
        super().__init__([(address.host, address.port)], auto_decode=False)
        self._address, self._timeout = address, timeout

    def attempt_connection(self) -> None:
        self.socket = tls.open_socket(self._address, self._timeout)
        self.socket.settimeout(None)
        self.current_host_and_port = (self._address.host, self._address.port)
        if isinstance(self.socket, ssl.SSLSocket):
            # As in stomp.py: only its thread touches a TLS socket; others queue what they send.
            self.send_queue = PollableQueue()
            self.sel = selectors.DefaultSelector()
            self.sel.register(self.send_queue, selectors.EVENT_READ)
            self.sel.register(self.socket, selectors.EVENT_READ)
            self.socket.settimeout(0)
            self.blocking = False

    def receive(self) -> bytes:
        try:
            data = self.socket.recv(1 << 16)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except (OSError, AttributeError):  # broken, or just closed by the client's thread
            data = b""
        if not data:
            self.running = False
        return data

    def hang_up(self) -> None:
        """End the thread without asking the broker."""
        self.running = False
        if self.socket is not None:
            with suppress(OSError):  # it may be gone already
                self.socket.shutdown(socket.SHUT_RDWR)


# In this order: the base's disconnect does nothing.
class _Connection(Protocol12, BaseConnection):  # type: ignore[misc] # see _Transport
    def __init__(self, transport: Any) -> None:
        BaseConnection.__init__(self, transport)
        Protocol12.__init__(self, transport)


class _Listener(stomp.ConnectionListener):  # type: ignore[misc] # see _Transport
    """Puts everything that arrives into the mailbox."""

    def __init__(self, client: "StompClient", mail: Mailbox) -> None:
        self._client, self._mail = client, mail

    def on_connected(self, frame: Frame) -> None:
        self._mail.answer("login")

    def on_receipt(self, frame: Frame) -> None:
        self._mail.answer(frame.headers["receipt-id"])

    def on_message(self, frame: Frame) -> None:
        self._mail.deliver(
            Message(
                frame.body or b"",
                lambda: self._client.acknowledge(frame.headers["ack"]),
                frame.headers.get("redelivered") == "true",
            )
        )

    def on_error(self, frame: Frame) -> None:
        body = (frame.body or b"no reason given").decode(errors="replace")
        reason = frame.headers.get("message") or body.splitlines()[0]
        error = ClientError(f"the broker refuses: {reason}")
        if _LOGIN.search(reason):
            error = NotAuthorized(reason)
        self._mail.answer(frame.headers.get("receipt-id", "login"), error)

    def on_disconnected(self) -> None:
        self._mail.end(ConnectionRefused("the broker closed the connection"))


class StompClient:
    """See ``Client``. ``timeout`` is for connecting, in seconds.

    For controls: without ``persistent`` messages are transient, and without ``confirm`` nothing is
    waited for, and a message counts as sent.
    """

    def __init__(
        self,
        address: Address,
        *,
        timeout: float = 10.0,
        persistent: bool = True,
        confirm: bool = True,
    ) -> None:
        self._persistent, self._confirm = persistent, confirm
        logging.getLogger("stomp.py").setLevel(logging.INFO)  # at DEBUG it writes the password
        self._mail = Mailbox()
        self._transport = self._new_transport(address, timeout)
        self._connection = _Connection(self._transport)
        self._connection.set_listener("mailbox", _Listener(self, self._mail))
        self._transport.start()  # raises ConnectionRefused
        login = self._mail.expect("login")
        try:
            # ActiveMQ resolves escapes in this frame, against the standard.
            self._connection.connect(
                *(value.replace("\\", "\\\\") for value in (address.username, address.password))
            )
            self._mail.wait("login", login, timeout, "login")
        except (NotConfirmed, stomp.exception.StompException, OSError) as error:
            self.close()
            raise tls.refusal(address, error) from error
        except BaseException:
            self.close()
            raise

    def _new_transport(self, address: Address, timeout: float) -> Any:
        return _Transport(address, timeout)

    def publish(self, destination: Destination, body: bytes, *, timeout: float = 10.0) -> None:
        # ActiveMQ takes a body with a length for bytes, and one without for text.
        headers = {"persistent": str(self._persistent).lower(), "content-length": len(body)}
        if not self._confirm:
            self._send(lambda: self._connection.send(_path(destination), body, headers=headers))
            if self._mail.ended:
                raise NotConfirmed(f"publish to {destination.name}: {self._mail.ended.message}")
            return
        self._ask(
            lambda receipt: self._connection.send(
                _path(destination), body, headers=headers, receipt=receipt
            ),
            timeout,
            f"publish to {destination.name}",
        )

    def subscribe(self, destination: Destination) -> None:
        limit = {"activemq.prefetchSize": _PREFETCH}
        self._ask(
            lambda receipt: self._connection.subscribe(
                _path(destination),
                uuid.uuid4().hex,
                "client-individual",
                headers=limit,
                receipt=receipt,
            ),
            10.0,
            f"subscribe to {destination.name}",
        )

    def receive(self, *, timeout: float = 10.0) -> Message | None:
        return self._mail.receive(timeout)

    def acknowledge(self, ack: str) -> None:
        """Acknowledge a message by its ``ack`` header.

        If the connection is lost, the broker redelivers it.
        """
        try:
            self._connection.ack(ack)
        except (stomp.exception.StompException, OSError, AttributeError) as error:
            self._mail.end(ConnectionRefused(f"the connection is lost: {error}"))

    def close(self) -> None:
        thread = self._transport.io_thread
        if thread is None:
            return
        if self._mail.ended is None:
            # It may end in between.
            with suppress(stomp.exception.StompException, OSError, AttributeError):
                self._connection.disconnect()  # its thread ends with the broker's receipt
                thread.join(_GOODBYE_SECONDS)
        self._transport.hang_up()
        thread.join(_GOODBYE_SECONDS)
        self._mail.end(ConnectionRefused("the client is closed"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _ask(self, send: Any, timeout: float, what: str) -> None:
        """Send a frame and wait for the broker's receipt."""
        receipt = uuid.uuid4().hex
        future = self._mail.expect(receipt)
        self._send(lambda: send(receipt))
        self._mail.wait(receipt, future, timeout, what)

    def _send(self, send: Callable[[], object]) -> None:
        """Send unless the connection has ended; note it if it ends now."""
        try:
            if self._mail.ended is None:
                send()
        # A socket that has just been closed raises any of these.
        except (stomp.exception.StompException, OSError, AttributeError) as error:
            self._mail.end(ConnectionRefused(f"the connection is lost: {error}"))


def _path(destination: Destination) -> str:
    return f"/{destination.kind}/{destination.name}"
