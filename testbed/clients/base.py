"""One interface for every protocol: connect, publish, receive and acknowledge.

Each other file wraps the real client library of one protocol as a ``Client``. Every client verifies
the certificate chain and the host name. The one exception is an ``Address`` without ``ca_file``:
plaintext, for the control listeners of scenarios and benchmarks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self


@dataclass(frozen=True)
class Address:
    """A listener and a login. ``ca_file=None`` means plaintext (controls only)."""

    protocol: str
    host: str
    port: int
    username: str
    password: str = field(repr=False)
    ca_file: Path | None = None
    # The OpenWire client runs beside the broker, in this container (see openwire.py).
    beside: str = ""
    # Further hosts of the same broker. OpenWire has its own failover:, others use ``failover``.
    others: tuple[str, ...] = ()
    # The client's certificate with its chain, and its key, for a listener that asks (AMQP 0-9-1).
    # Without a user name it is also the login (EXTERNAL).
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Destination:
    """A queue or a topic. ``name`` uses dots; each client maps it to its protocol's form.

    On RabbitMQ a topic is a routing key of ``amq.topic`` and a queue is a durable quorum
    queue unless ``queue_type`` says ``classic``.
    """

    kind: str  # "queue" or "topic"
    name: str
    queue_type: str = "quorum"

    @classmethod
    def queue(cls, name: str, queue_type: str = "quorum") -> "Destination":
        return cls("queue", name, queue_type)

    @classmethod
    def topic(cls, name: str) -> "Destination":
        return cls("topic", name)


@dataclass(frozen=True)
class Message:
    """A received message; the broker keeps it until ``acknowledge`` is called.

    ``redelivered`` is what the broker says of one that it has delivered before. Over OpenWire it is
    not known.
    """

    body: bytes
    acknowledge: Callable[[], None]
    redelivered: bool = False


class Client(Protocol):
    """A connected client; also a context manager that closes it."""

    def publish(self, destination: Destination, body: bytes, *, timeout: float = 10.0) -> None:
        """Send one persistent message and wait (seconds) for the broker's confirmation.

        Raises ``NotConfirmed`` when none came in time or the connection broke first.
        """

    def subscribe(self, destination: Destination) -> None:
        """Start receiving. Returns when the broker has the subscription."""

    def receive(self, *, timeout: float = 10.0) -> Message | None:
        """Return the next message of the subscription, or None after ``timeout`` seconds."""

    def close(self) -> None:
        """Close the connection; harmless when it is already gone."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...
