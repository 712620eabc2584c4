"""One interface for every generator: senders, receivers, and the bytes below them.

Two kinds implement it: the fastest that Python allows, which write prepared frames (``amqp091``,
``openwire``), and the client libraries that users have (``client``), one message at a time.
"""

import select
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from testbed.bench.load.accounting import Outstanding
from testbed.bench.target import Target
from testbed.clients import tls
from testbed.clients.base import Destination
from testbed.errors import ConnectionRefused

# Run, producer, number, intended sending time (ns). The rest of a body is checked for the sample.
Arrival = tuple[int, int, int, int]
TIMEOUT = 15.0  # seconds, for what a broker answers or takes at once
_READ = 65536


@dataclass(frozen=True)
class Shape:
    """What a sender's messages are like, and how a receiver takes them.

    ``content`` fills bodies after their header, noise if empty. ``transaction`` messages are
    committed together; with 0 each is confirmed by itself. A receiver has ``prefetch`` messages in
    flight and acknowledges ``acknowledge`` of them at once.
    """

    size: int = 1024
    content: bytes = field(default=b"", repr=False)
    persistent: bool = True
    transaction: int = 0
    prefetch: int = 2000
    acknowledge: int = 200


class Payload(Protocol):
    """What happens to a body between producer and consumer."""

    @property
    def kms_calls(self) -> int:
        """How many calls of KMS there were so far."""

    def seal(self, body: bytes) -> bytes:
        """Return the body to send."""

    def open(self, body: bytes) -> bytes:
        """Return the original body. Raises ``ClientError`` for one that ``seal`` did not make."""


class Sender(Protocol):
    """Sends to one destination."""

    @property
    def outstanding(self) -> Outstanding:
        """The messages without an answer."""

    @property
    def kms_calls(self) -> int:
        """How many calls of KMS there were so far."""

    def fileno(self) -> int:
        """Return a descriptor for ``select``: readable when there may be confirmations."""

    def send(self, intended: Sequence[int]) -> None:
        """Write one message for each intended time (ns of the monotonic clock)."""

    def poll(self) -> None:
        """Record the confirmations that have arrived, without waiting."""

    def flush(self) -> None:
        """Commit an open transaction."""

    def close(self) -> None:
        """Close the connection."""


class Receiver(Protocol):
    """Receives from one destination and acknowledges the messages that it returns."""

    @property
    def kms_calls(self) -> int:
        """How many calls of KMS there were so far."""

    def fileno(self) -> int:
        """Return a descriptor for ``select``: readable when messages may have arrived."""

    def poll(self) -> list[Arrival]:
        """Return what has arrived, without waiting. Raises ``ClientError`` for a damaged body."""

    def flush(self) -> None:
        """Acknowledge everything that was returned."""

    def close(self, *, delete: bool = False) -> None:
        """Close the connection; ``delete`` removes the destination, where the protocol can."""


class OpenSender(Protocol):
    """Opens a sender on one target."""

    def __call__(
        self,
        destination: Destination,
        shape: Shape,
        *,
        run: int,
        producer: int,
        outstanding: Outstanding,
    ) -> Sender:
        """Open a sender."""


@dataclass(frozen=True)
class Generator:
    """Opens senders and receivers on one target; ``visit`` connects, logs in and disconnects.

    All of them raise ``ClientError``.
    """

    sender: OpenSender
    receiver: Callable[[Destination, Shape], Receiver]
    visit: Callable[[], None]


@lru_cache(maxsize=64)
def repeated(template: bytes, count: int) -> bytes:
    """Return ``count`` prepared messages, one after the other."""
    return template * count


class Connection:
    """Bytes to and from a broker: large writes, and reads that take what has arrived.

    TLS with everything verified, unless the target is plaintext. Every method raises
    ``ConnectionRefused`` when the broker has hung up.
    """

    def __init__(self, target: Target) -> None:
        encryption = target.encryption
        self._socket = tls.open_socket(
            target.address,
            TIMEOUT,
            server_name=target.server_name,
            suite=encryption.suite,
            version=encryption.version,
        )
        self._tls = self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        self._chunk = memoryview(bytearray(_READ))
        self.buffer = bytearray()

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    @property
    def cipher(self) -> str:
        """The TLS version and suite, or ``plaintext``."""
        agreed = self._tls and self._tls.cipher()
        return f"{agreed[1]} {agreed[0]}" if agreed else "plaintext"

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write everything; waits while the broker does not read."""
        try:
            self._socket.settimeout(TIMEOUT)
            self._socket.sendall(data)
        except OSError as error:
            raise ConnectionRefused(f"the broker stopped reading: {error}") from error

    def read(self, wait: float = 0.0) -> int:
        """Add what has arrived to ``buffer``, waiting up to ``wait`` seconds for something.

        Returns the number of bytes.
        """
        try:
            # A TLS record may hold more than one read returns, and select does not see the rest.
            if (
                wait
                and not (self._tls and self._tls.pending())
                and not select.select([self._socket], [], [], wait)[0]
            ):
                return 0
            self._socket.settimeout(0)
            count = self._socket.recv_into(self._chunk)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise ConnectionRefused(f"the broker broke the connection: {error}") from error
        if not count:
            raise ConnectionRefused("the broker hung up")
        self.buffer += self._chunk[:count]
        return count

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes. Raises ``ConnectionRefused`` after ``TIMEOUT``."""
        deadline = time.monotonic() + TIMEOUT
        while len(self.buffer) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ConnectionRefused(f"the broker did not answer within {TIMEOUT:g} s")
            self.read(left)
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
