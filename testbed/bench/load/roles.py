"""What one connection does during a round: produce, consume, relay, request, or visit.

A worker drives several roles side by side in one thread. Each counts what happens while the
measuring lasts, and everything for the account.

A paced producer keeps its timetable whatever the broker does: a message that could not be sent when
it was due is sent later with its intended time, so that a stall of the broker shows in the
latencies (no coordinated omission).
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from testbed.bench.load.accounting import (
    MOST,
    SAMPLE,
    Outstanding,
    Sent,
    Tally,
    message_name,
)
from testbed.bench.load.base import Arrival, Receiver, Sender
from testbed.bench.statistics import Latencies
from testbed.errors import ClientError
from testbed.history import Event, Kind

_TICK = 250_000  # ns: at most how often a paced producer sends what has become due
_CHUNK_BYTES = 65536  # written at once; more would only wait in the socket's buffer


class Timetable:
    """``rate`` messages a second, evenly spaced, from ``start`` (ns) on."""

    def __init__(self, rate: float, start: int) -> None:
        self._interval, self._start, self._taken = 1e9 / rate, start, 0

    @property
    def next(self) -> int:
        """When the next message is due (ns)."""
        return self._due(self._taken)

    def take(self, now: int, most: int) -> list[int]:
        """Return the intended times of the messages due at ``now``, at most ``most`` of them."""
        if now < self._start:
            return []
        due = int((now - self._start) / self._interval) + 1 - self._taken
        first = self._taken
        self._taken += max(0, min(due, most))
        return [self._due(number) for number in range(first, self._taken)]

    def _due(self, number: int) -> int:
        return self._start + int(number * self._interval)


@dataclass(frozen=True)
class Window:
    """At most ``most`` unconfirmed messages.

    A producer that sends as fast as it can waits until there is room for ``chunk`` more: many small
    writes would cost both sides more than they gain.
    """

    most: int
    chunk: int

    @classmethod
    def of(cls, most: int, size: int, transaction: int = 0) -> "Window":
        """Return the window for messages of ``size`` bytes, or for transactions of messages."""
        if transaction:
            return cls(max(most, transaction), transaction)
        return cls(most, max(1, min(most // 8, _CHUNK_BYTES // size)))

    def room(self, outstanding: int) -> int:
        """Return how many messages to send now: none until there is room for a chunk."""
        left = self.most - outstanding
        return min(left, self.chunk) if left >= self.chunk else 0


@dataclass
class Measured:
    """What happened during the measuring."""

    confirmed: int = 0
    received: int = 0
    connected: int = 0
    delay: Latencies = field(default_factory=Latencies)  # intended to sent
    confirmation: Latencies = field(default_factory=Latencies)  # sent to confirmed
    end_to_end: Latencies = field(default_factory=Latencies)  # intended to received

    def clear(self) -> None:
        """Begin anew."""
        self.confirmed = self.received = self.connected = 0
        for latencies in (self.delay, self.confirmation, self.end_to_end):
            latencies.clear()


class Role:
    """The interface of all roles. ``sockets`` are what to poll for."""

    def __init__(self, sockets: Sequence[Sender | Receiver] = ()) -> None:
        self.sockets = sockets

    def start(self, now: int) -> None:
        """Begin at ``now`` (ns)."""

    def step(self, now: int) -> int:
        """Do what is due. Returns when to call again (ns), 0 for when something arrives."""
        return 0

    @property
    def waiting(self) -> bool:
        """Whether something that it sent has no answer yet."""
        return False

    def poll(self) -> None:
        """Take what has arrived."""

    def finish(self, patience: float) -> None:
        """End, waiting at most ``patience`` seconds without progress for what is in flight."""

    def sent(self) -> list[Sent]:
        """Return the account of what was sent."""
        return []

    def sample(self, run: int) -> list[Event]:
        """Return the history of every ``SAMPLE``-th message."""
        return []

    def close(self, *, delete: bool) -> None:
        """Close the connections; ``delete`` removes what was received from."""


class Producer(Role):
    """Keeps its window full, or its timetable."""

    def __init__(
        self, sender: Sender, producer: int, window: Window, rate: float, measured: Measured
    ) -> None:
        super().__init__([sender])
        self._sender, self._producer, self._window = sender, producer, window
        self._rate, self._measured = rate, measured
        self._timetable: Timetable | None = None
        self._confirmed = 0

    def start(self, now: int) -> None:
        self._timetable = Timetable(self._rate, now) if self._rate else None

    def step(self, now: int) -> int:
        if self._timetable is None:
            # Bounded, because the window of a client that waits for each answer is never full.
            left = self._window.most
            while left > 0 and (count := self._window.room(self._in_flight())):
                self._send([time.monotonic_ns()] * count)
                left -= count
            return now if self._window.room(self._in_flight()) else 0
        if due := self._timetable.take(now, self._window.most - self._in_flight()):
            self._send(due)
            self._sender.flush()
        return max(self._timetable.next, now + _TICK)

    @property
    def waiting(self) -> bool:
        return self._in_flight() > 0

    def _in_flight(self) -> int:
        return len(self._sender.outstanding)

    def _send(self, intended: Sequence[int]) -> None:
        now = time.monotonic_ns()
        for due, count in Counter(intended).items():
            self._measured.delay.add(now - due, count)
        self._sender.send(intended)

    def poll(self) -> None:
        self._sender.poll()
        new = self._sender.outstanding.confirmed - self._confirmed
        self._confirmed += new
        self._measured.confirmed += new

    def finish(self, patience: float) -> None:
        self._sender.flush()
        outstanding, progress = self._sender.outstanding, time.monotonic()
        while len(outstanding) and time.monotonic() - progress < patience:
            before = len(outstanding)
            self.poll()
            if len(outstanding) < before:
                progress = time.monotonic()
            else:
                time.sleep(0.002)

    def sent(self) -> list[Sent]:
        return [_record(self._producer, self._sender.outstanding)]

    def sample(self, run: int) -> list[Event]:
        return _events(run, self._producer, self._sender.outstanding)

    def close(self, *, delete: bool) -> None:
        self._sender.close()


class Consumer(Role):
    """Takes and acknowledges whatever arrives."""

    def __init__(self, receiver: Receiver, run: int, measured: Measured) -> None:
        super().__init__([receiver])
        self._receiver, self._run, self._measured = receiver, run, measured
        self.tally = Tally()
        self.total = 0
        self._sample: list[Event] = []

    def start(self, now: int) -> None:
        self.poll()  # what came with the subscription's answer is already in the buffer

    def poll(self) -> None:
        if arrived := self._receiver.poll():
            self.count(arrived)
        else:
            self._receiver.flush()

    def count(self, arrived: list[Arrival]) -> None:
        """Count these messages. Raises ``ClientError`` for one of another run."""
        now = time.monotonic_ns()
        self.total += len(arrived)
        self._measured.received += len(arrived)
        self.time(arrived, now)
        last, counts = -1, bytearray()
        for run, producer, number, _ in arrived:
            if run != self._run:
                raise ClientError("a message of another run arrived: the destination was not empty")
            if producer != last or number >= len(counts):
                last, counts = producer, self.tally.of(producer, number)
            if counts[number] < MOST:
                counts[number] += 1
            if not number % SAMPLE:
                name = message_name(run, producer, number)
                self._sample.append(Event(Kind.RECEIVED, name, now / 1e9))

    def time(self, arrived: list[Arrival], now: int) -> None:
        """Record the end-to-end latencies of messages that arrived at ``now`` (ns)."""
        for due, count in Counter(map(itemgetter(3), arrived)).items():
            self._measured.end_to_end.add(now - due, count)

    def finish(self, patience: float) -> None:
        self._receiver.flush()

    def sample(self, run: int) -> list[Event]:
        return self._sample

    def close(self, *, delete: bool) -> None:
        self._receiver.close(delete=delete)


class Relay(Consumer):
    """Answers each request with a message of the same size and the request's intended time."""

    def __init__(
        self, receiver: Receiver, sender: Sender, producer: int, run: int, measured: Measured
    ) -> None:
        super().__init__(receiver, run, measured)
        self.sockets = [receiver, sender]
        self._sender, self._producer = sender, producer

    def poll(self) -> None:
        self._sender.poll()
        super().poll()

    def count(self, arrived: list[Arrival]) -> None:
        super().count(arrived)
        self._sender.send([due for _, _, _, due in arrived])
        self._sender.flush()

    def finish(self, patience: float) -> None:
        super().finish(patience)
        end = time.monotonic() + patience
        while len(self._sender.outstanding) and time.monotonic() < end:
            self._sender.poll()
            time.sleep(0.002)

    def sent(self) -> list[Sent]:
        return [_record(self._producer, self._sender.outstanding)]

    def sample(self, run: int) -> list[Event]:
        return [*self._sample, *_events(run, self._producer, self._sender.outstanding)]

    def close(self, *, delete: bool) -> None:
        super().close(delete=delete)
        self._sender.close()


class Requester(Producer):
    """A producer whose window is of requests without a reply."""

    def __init__(
        self,
        sender: Sender,
        replies: Consumer,
        producer: int,
        window: Window,
        *,
        rate: float,
        measured: Measured,
    ) -> None:
        super().__init__(sender, producer, window, rate, measured)
        self._replies = replies

    def _in_flight(self) -> int:
        return self._sender.outstanding.attempted - self._replies.total


class Visitor(Role):
    """Connects, logs in, leaves, and repeats; each visit's time counts as a confirmation."""

    def __init__(self, visit: Callable[[], None], rate: float, measured: Measured) -> None:
        super().__init__()
        self._visit, self._rate, self._measured = visit, rate, measured
        self._timetable: Timetable | None = None

    def start(self, now: int) -> None:
        self._timetable = Timetable(self._rate, now) if self._rate else None

    def step(self, now: int) -> int:
        if self._timetable is not None and not (due := self._timetable.take(now, 1)):
            return self._timetable.next
        begun = time.monotonic_ns()
        self._measured.delay.add(begun - (due[0] if self._timetable else begun))
        self._visit()
        self._measured.confirmation.add(time.monotonic_ns() - begun)
        self._measured.connected += 1
        return time.monotonic_ns()


def _record(producer: int, outstanding: Outstanding) -> Sent:
    refused = tuple(outstanding.refused)
    return Sent(producer, outstanding.attempted, refused, outstanding.unanswered())


def _events(run: int, producer: int, outstanding: Outstanding) -> list[Event]:
    return [
        Event(kind, message_name(run, producer, number), at / 1e9)
        for kind, number, at in outstanding.sample
    ]
