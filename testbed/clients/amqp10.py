"""AMQP 1.0 by Qpid Proton, to ActiveMQ and to RabbitMQ 4."""

import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import quote

import proton
from cproton import pn_ssl_domain_set_ciphers, pn_ssl_domain_set_protocols
from proton.handlers import MessagingHandler
from proton.utils import (
    BlockingConnection,
    BlockingReceiver,
    BlockingSender,
    LinkDetached,
    SendException,
)

from testbed.clients import tls
from testbed.clients.amqp091 import TOPICS, Amqp091Client
from testbed.clients.base import Address, Destination, Message
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized, NotConfirmed

_PREFETCH = 50
_GOODBYE_SECONDS = 3.0
_LOGIN = ("amqp:unauthorized-access", "Authentication failed")
# Why a broker closes a link to which it has refused a message; for other reasons it may have it.
_NOT_TAKEN = ("amqp:unauthorized-access", "amqp:link:message-size-exceeded")


class _Inbox(MessagingHandler):
    """Collects messages. The client grants credit as it acknowledges."""

    def __init__(self) -> None:
        super().__init__(prefetch=0, auto_accept=False)
        self.arrived: deque[tuple[proton.Message, proton.Delivery]] = deque()

    def on_message(self, event: Any) -> None:
        self.arrived.append((event.message, event.delivery))
        event.container.yield_()  # let the waiting caller look


class _Connection(BlockingConnection):
    def close(self) -> None:
        """Close for a limited time, then hang up.

        The base class waits for ever for a broker that has stopped.
        """
        if self.closing:
            return
        self.timeout = _GOODBYE_SECONDS
        connection: Any = self.conn  # its type says None for one that was never opened
        with suppress(proton.ProtonException, OSError):  # it may be gone, or silent
            connection.close()
            self.wait(lambda: not connection.state & proton.Endpoint.REMOTE_ACTIVE)
        if connection.transport is not None:
            connection.transport.close_head()
            connection.transport.close_tail()
        self.timeout = 0.1
        super().close()


class Amqp10Client:
    """See ``Client``; ``timeout`` is for connecting, in seconds.

    Proton works only while it is called: a broker may hang up on a client that is idle for longer
    than the idle timeout (30 to 60 s).
    """

    def __init__(self, address: Address, *, timeout: float = 10.0) -> None:
        self._address = address
        self._inbox = _Inbox()
        self._senders: dict[Destination, BlockingSender] = {}
        self._receivers: list[BlockingReceiver] = []  # one that is let go stops receiving
        self._closed = False
        host = f"[{address.host}]" if ":" in address.host else address.host
        try:
            self._connection = _Connection(
                f"{'amqp' if address.ca_file is None else 'amqps'}://{host}:{address.port}",
                timeout=timeout,
                ssl_domain=_domain(address),
                user=address.username,
                password=address.password,
                allowed_mechs="PLAIN",
                allow_insecure_mechs=address.ca_file is None,
                sni=_name(address, timeout),
            )
        except (proton.ProtonException, OSError) as error:
            if any(sign in str(error) for sign in _LOGIN):
                raise NotAuthorized(f"{tls.where(address)}: {error}") from error
            raise tls.refusal(address, error) from error
        connection: Any = self._connection.conn
        properties = connection.remote_properties or {}
        self._rabbitmq = properties.get("product") == "RabbitMQ"

    def publish(self, destination: Destination, body: bytes, *, timeout: float = 10.0) -> None:
        sender = None
        try:
            self._check_open()
            sender = self._sender(destination)
            # ``inferred`` makes it a data section, which every other protocol receives as bytes.
            sender.send(proton.Message(body=body, inferred=True, durable=True), timeout=timeout)
        except SendException as error:
            raise ClientError(
                f"publish to {destination.name}: the broker answers {error.state}"
            ) from error
        except LinkDetached as error:
            self._senders.pop(destination, None)
            if sender is not None and error.condition not in _NOT_TAKEN:  # it was on its way
                raise NotConfirmed(f"publish to {destination.name}: {error}") from error
            raise _detached(error) from error
        except (proton.ProtonException, OSError) as error:
            raise NotConfirmed(f"publish to {destination.name}: {error}") from error

    def subscribe(self, destination: Destination) -> None:
        try:
            self._check_open()
            receiver = self._connection.create_receiver(
                self._source(destination), credit=_PREFETCH, handler=self._inbox
            )
        except LinkDetached as error:
            raise _detached(error) from error
        except (proton.ProtonException, OSError) as error:
            raise self._lost(error) from error
        self._receivers.append(receiver)

    def receive(self, *, timeout: float = 10.0) -> Message | None:
        try:
            self._check_open()
            self._connection.wait(lambda: bool(self._inbox.arrived), timeout=timeout)
        except proton.Timeout:
            return None
        except (proton.ProtonException, OSError) as error:
            raise self._lost(error) from error
        if not self._inbox.arrived:  # the wait ended with the connection
            raise self._lost("the connection is closed")
        message, delivery = self._inbox.arrived.popleft()
        again = message.delivery_count > 0 or not message.first_acquirer
        return Message(_bytes(message.body), lambda: self._accept(delivery), again)

    def close(self) -> None:
        self._closed = True
        # Otherwise RabbitMQ 4.0 may keep unacknowledged messages for 30 s, its idle timeout.
        while self._receivers:
            self._receivers.pop().link.close()  # only once: it does not outlive the connection
        with suppress(proton.ProtonException, OSError):  # it may be gone already
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _accept(self, delivery: proton.Delivery) -> None:
        if self._closed:
            return  # too late: the broker redelivers it
        link = delivery.link
        delivery.update(proton.Delivery.ACCEPTED)
        delivery.settle()
        link.flow(1)
        with suppress(proton.ProtonException, OSError):  # the next call raises it
            self._connection.wait(_once(), timeout=0)  # proton sends only while it waits

    def _check_open(self) -> None:
        if self._closed:
            raise proton.ConnectionException("the client is closed")

    def _sender(self, destination: Destination) -> BlockingSender:
        if destination not in self._senders:
            self._senders[destination] = self._connection.create_sender(self._target(destination))
        return self._senders[destination]

    def _target(self, destination: Destination) -> str:
        if not self._rabbitmq:
            return f"{destination.kind}://{destination.name}"
        if destination.kind == "topic":
            return f"/exchanges/{TOPICS}/{quote(destination.name, safe='')}"
        return self._declared(destination)

    def _source(self, destination: Destination) -> str:
        return self._declared(destination) if self._rabbitmq else self._target(destination)

    def _declared(self, destination: Destination) -> str:
        """Declare a queue on RabbitMQ 4, and return its address.

        A link to an unknown queue is refused, and AMQP 1.0 cannot declare one; AMQP 0-9-1 on the
        same port can (https://www.rabbitmq.com/docs/amqp#addresses).
        """
        with Amqp091Client(replace(self._address, protocol="amqp")) as declaring:
            return f"/queues/{quote(declaring.declare(destination), safe='')}"

    def _lost(self, error: object) -> ConnectionRefused:
        return ConnectionRefused(f"{tls.where(self._address)}: {error}")


def _domain(address: Address) -> proton.SSLDomain | None:
    if address.ca_file is None:
        return None
    tls.context(address)  # raises for a bad file; proton does not
    domain = proton.SSLDomain(proton.SSLDomain.MODE_CLIENT)
    domain.set_trusted_ca_db(str(address.ca_file))
    domain.set_peer_authentication(proton.SSLDomain.VERIFY_PEER_NAME)
    # Proton accepts TLS 1.0 and later, and keys of any length; its Python class has no methods for
    # these functions of its C library. The level is that of Python's ssl, RSA of 2048 bits or more;
    # set_peer_authentication sets it, too.
    raw = domain._domain  # noqa: SLF001 (see above)
    pn_ssl_domain_set_protocols(raw, "TLSv1.2 TLSv1.3")
    pn_ssl_domain_set_ciphers(raw, "DEFAULT:@SECLEVEL=2")
    return domain


def _name(address: Address, timeout: float) -> str | None:
    """Return the name that Proton has to find in the certificate; None for the address's own.

    Proton compares names only, never IP addresses. For those, verify the certificate here, and let
    Proton expect a name of the same certificate.
    """
    if address.ca_file is None or not _is_ip(address.host):
        return None
    with tls.open_socket(address, timeout) as verified:
        assert isinstance(verified, ssl.SSLSocket)
        certificate: Any = verified.getpeercert()
    names: list[str] = [
        name for kind, name in certificate["subjectAltName"] if kind == "DNS" and "*" not in name
    ]
    if not names:
        raise ClientError(
            f"{tls.where(address)}: the certificate has no host name, which Proton needs"
        )
    return names[0]


def _is_ip(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _detached(error: LinkDetached) -> ClientError:
    return (
        NotAuthorized(str(error))
        if error.condition == "amqp:unauthorized-access"
        else ClientError(str(error))
    )


def _once() -> Callable[[], bool]:
    """Return a condition that is False at first, then True."""
    answers = iter((False,))
    return lambda: next(answers, True)


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else bytes(body)
