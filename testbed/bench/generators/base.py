"""One face for every generator: a session, senders with many messages under way, receivers that take whole chunks.

Two kinds stand behind it: the fastest that Python allows, which write frames that are prepared (``amqp091``,
``openwire``), and the clients that users have (``client``), one message at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from testbed.bench.outstanding import Outstanding
from testbed.clients.base import Destination

# Run, producer, number, intended time of sending (ns). The rest of a body is looked at where it belongs to the sample.
Arrival = tuple[int, int, int, int]


@dataclass(frozen=True)
class Shape:
    """What a sender's messages are like, and how a receiver takes them.

    ``content`` is what bodies are made of after their header, noise if it is empty. ``transaction`` messages are committed together; 0 means that each is confirmed by itself. ``prefetch`` messages
    may be under way to a receiver, which acknowledges ``acknowledge`` of them at once.
    """

    size: int = 1024
    content: bytes = field(default=b"", repr=False)
    persistent: bool = True
    transaction: int = 0
    prefetch: int = 2000
    acknowledge: int = 200


class Payload(Protocol):
    """What becomes of a body between producer and consumer; see ``testbed.bench.payload``. ``kms_calls`` counts up."""

    kms_calls: int

    def seal(self, body: bytes) -> bytes: ...

    def open(self, body: bytes) -> bytes:
        """Raises ``ClientError`` for what ``seal`` did not make."""


class Sender(Protocol):
    """Sends to one destination; ``outstanding`` has the messages without an answer, ``kms_calls`` counts up."""

    outstanding: Outstanding
    kms_calls: int

    def fileno(self) -> int:
        """For ``select``: readable when there may be confirmations."""

    def send(self, intended: Sequence[int]) -> None:
        """One message for each intended time (ns of the monotonic clock). Returns when they are written."""

    def poll(self) -> None:
        """Settle what has been confirmed by now, without waiting."""

    def flush(self) -> None:
        """Nothing more comes for now: commit what is in a transaction."""

    def close(self) -> None: ...


class Receiver(Protocol):
    """Receives from one destination and acknowledges what it hands out; ``kms_calls`` counts up."""

    kms_calls: int

    def fileno(self) -> int: ...

    def poll(self) -> list[Arrival]:
        """What has arrived, without waiting. Raises ``ClientError`` for a body that is not as it was sent."""

    def flush(self) -> None:
        """Acknowledge all that was handed out."""

    def close(self, *, delete: bool = False) -> None:
        """``delete`` removes the destination, where the protocol can."""


class Generator(Protocol):
    """Makes senders and receivers for one target. Everything raises ``ClientError``."""

    def sender(
        self,
        destination: Destination,
        shape: Shape,
        run: int,
        producer: int,
        outstanding: Outstanding,
    ) -> Sender: ...

    def receiver(self, destination: Destination, shape: Shape) -> Receiver: ...

    def visit(self) -> None:
        """Connect, log in and leave in good order."""
