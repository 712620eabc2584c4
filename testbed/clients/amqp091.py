"""AMQP 0-9-1 by pika.

pika's blocking adapter waits for a confirmation without limit, which a stopped broker never
sends. The asynchronous one in a separate thread limits every wait, and answers
heartbeats while nobody calls.
"""

import threading
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import pika
import pika.exceptions
from pika.credentials import ExternalCredentials

from testbed.clients import tls
from testbed.clients.base import Address, Destination, Message
from testbed.clients.mailbox import Mailbox
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized, NotConfirmed

TOPICS = "amq.topic"
_PREFETCH = 50
_GOODBYE_SECONDS = 3.0
_ORPHAN_MS = 60_000  # how long a topic's queue outlives a subscriber that went without closing


class Amqp091Client:
    """See ``Client``. Declares queues on first use. ``timeout`` (seconds) is for connecting.

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
        self._address = address
        self._delivery_mode, self._confirm = 2 if persistent else 1, confirm
        self._mail = Mailbox()
        self._declared: set[Destination] = set()
        self._published = 0
        self._confirmed = 0  # everything up to here was confirmed with "multiple"
        self._returned: set[int] = set()
        trusted = tls.context(address)
        parameters = pika.ConnectionParameters(
            address.host,
            address.port,
            credentials=_credentials(address),
            ssl_options=pika.SSLOptions(trusted, address.host) if trusted else None,
            socket_timeout=timeout,
            stack_timeout=timeout,
        )
        opened = self._mail.expect("open")
        self._connection = pika.SelectConnection(
            parameters,
            on_open_callback=lambda connection: self._mail.answer("open"),
            on_open_error_callback=self._on_end,
            on_close_callback=self._on_end,
        )
        self._thread = threading.Thread(
            target=self._run, name=f"amqp {address.host}:{address.port}", daemon=True
        )
        self._thread.start()
        try:
            self._mail.wait("open", opened, timeout, "login")
            self._channel = self._ask(
                lambda answer: self._connection.channel(on_open_callback=answer), timeout
            )
            self._channel.add_on_close_callback(
                lambda channel, reason: self._mail.end(_translated(self._address, reason))
            )
            self._channel.add_on_return_callback(self._on_return)
            self._ask(
                lambda answer: self._channel.confirm_delivery(self._on_confirm, answer), timeout
            )
        except NotConfirmed as error:
            self.close()
            raise tls.refusal(address, error.message) from error
        except BaseException:
            self.close()
            raise

    def declare(self, destination: Destination, *, timeout: float = 10.0) -> str:
        """Declare a queue for receiving from ``destination``, and return its name.

        The queue exists without a subscriber.
        """
        if destination.kind == "queue":
            name = destination.name
            if destination not in self._declared:
                kind = {"x-queue-type": destination.queue_type}
                self._ask(
                    lambda answer: self._channel.queue_declare(
                        name, durable=True, arguments=kind, callback=answer
                    ),
                    timeout,
                )
                self._declared.add(destination)
            return name
        name = f"{destination.name}.subscriber.{uuid.uuid4().hex}"
        expiry = {"x-expires": _ORPHAN_MS}
        self._ask(
            lambda answer: self._channel.queue_declare(
                name, durable=True, auto_delete=True, arguments=expiry, callback=answer
            ),
            timeout,
        )
        self._ask(
            lambda answer: self._channel.queue_bind(
                name, TOPICS, destination.name, callback=answer
            ),
            timeout,
        )
        return name

    def publish(self, destination: Destination, body: bytes, *, timeout: float = 10.0) -> None:
        if destination.kind == "queue":
            self.declare(destination, timeout=timeout)
        self._published += 1
        number = self._published
        # A queue has to accept it; a topic without subscribers drops it, by definition.
        to_queue = destination.kind == "queue"
        confirmed = self._mail.expect(number)
        if not self._confirm and self._mail.ended:
            raise NotConfirmed(f"publish to {destination.name}: {self._mail.ended.message}")
        self._soon(
            lambda: self._channel.basic_publish(
                "" if to_queue else TOPICS,
                destination.name,
                body,
                pika.BasicProperties(delivery_mode=self._delivery_mode, message_id=str(number)),
                mandatory=to_queue,
            )
        )
        if self._confirm:
            self._mail.wait(number, confirmed, timeout, f"publish to {destination.name}")

    def subscribe(self, destination: Destination) -> None:
        queue = self.declare(destination)
        self._ask(lambda answer: self._channel.basic_qos(prefetch_count=_PREFETCH, callback=answer))
        self._ask(
            lambda answer: self._channel.basic_consume(queue, self._on_message, callback=answer)
        )

    def receive(self, *, timeout: float = 10.0) -> Message | None:
        return self._mail.receive(timeout)

    def close(self) -> None:
        self._soon(self._hang_up)
        self._thread.join(_GOODBYE_SECONDS)
        if self._thread.is_alive():  # the broker does not answer
            self._connection.ioloop.add_callback_threadsafe(self._connection.ioloop.stop)
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # In the caller's thread

    def _soon(self, call: Callable[[], object]) -> None:
        """Have the network thread call ``call``; nothing else may touch the connection."""

        def guarded() -> None:
            try:
                call()
            except pika.exceptions.AMQPError as error:  # the channel or connection is closed
                self._mail.end(_translated(self._address, error))

        if self._thread.is_alive():
            self._connection.ioloop.add_callback_threadsafe(guarded)

    def _ask(self, call: Callable[[Callable[[Any], None]], object], timeout: float = 10.0) -> Any:
        """Have the network thread start a request and wait for its answer."""
        key = object()
        future = self._mail.expect(key)
        self._soon(lambda: call(partial(self._mail.answer, key)))
        return self._mail.wait(key, future, timeout, "request")

    # In the network thread

    def _run(self) -> None:
        try:
            self._connection.ioloop.start()
        finally:
            self._mail.end(ConnectionRefused(f"{tls.where(self._address)}: closed"))

    def _hang_up(self) -> None:
        if self._connection.is_open:
            self._connection.close()
        elif not self._connection.is_closing:
            self._connection.ioloop.stop()

    def _on_end(self, connection: pika.SelectConnection, reason: Exception) -> None:
        self._mail.end(_translated(self._address, reason))
        connection.ioloop.stop()

    def _on_confirm(self, frame: Any) -> None:
        tag, refused = frame.method.delivery_tag, isinstance(frame.method, pika.spec.Basic.Nack)
        numbers = range(self._confirmed + 1, tag + 1) if frame.method.multiple else (tag,)
        if frame.method.multiple:
            self._confirmed = max(self._confirmed, tag)
        for number in numbers:
            if number in self._returned:
                self._mail.answer(number, ClientError("there is no such queue"))
            else:
                self._mail.answer(
                    number, ClientError("the broker refused the message") if refused else None
                )

    def _on_return(
        self, channel: Any, method: Any, properties: pika.BasicProperties, body: bytes
    ) -> None:
        self._returned.add(int(properties.message_id))

    def _on_message(
        self, channel: Any, method: Any, properties: pika.BasicProperties, body: bytes
    ) -> None:
        self._mail.deliver(
            Message(
                body,
                lambda: self._soon(lambda: channel.basic_ack(method.delivery_tag)),
                method.redelivered,
            )
        )


def _credentials(address: Address) -> pika.PlainCredentials | ExternalCredentials:
    if address.certificate and not address.username:
        return ExternalCredentials()
    return pika.PlainCredentials(address.username, address.password)


def _translated(address: Address, error: Exception) -> ClientError:
    message = f"{tls.where(address)}: {error}"
    if isinstance(
        error, (pika.exceptions.ProbableAuthenticationError, pika.exceptions.AuthenticationError)
    ):
        return NotAuthorized(message)
    if getattr(error, "reply_code", 0) == 403:  # ACCESS_REFUSED
        return NotAuthorized(message)
    if isinstance(error, pika.exceptions.ChannelClosed):
        return ClientError(message)
    return ConnectionRefused(message)
