"""What one connection does during a round: produce, consume, relay, ask and wait for the answer, or connect and leave.

A lane is driven by one thread's loop (``worker``), several side by side. It counts what happens while the measuring lasts,
and everything for the account.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from testbed.bench.accounting import SAMPLE, Sent, Tally
from testbed.bench.body import name_of
from testbed.bench.generators.base import Arrival, Receiver, Sender
from testbed.bench.latencies import Latencies
from testbed.bench.pacing import Timetable, Window
from testbed.errors import ClientError
from testbed.history import Event, Kind

_TICK = 250_000  # ns: a paced producer looks this often at most, and sends what has become due


@dataclass
class Measured:
    """What happened between two moments. Times as ``latencies`` has them."""

    confirmed: int = 0
    received: int = 0
    connected: int = 0
    delay: Latencies = field(default_factory=Latencies)  # intended to sent
    confirmation: Latencies = field(default_factory=Latencies)  # sent to confirmed
    end_to_end: Latencies = field(default_factory=Latencies)  # intended to received

    def clear(self) -> None:
        self.confirmed = self.received = self.connected = 0
        for times in (self.delay, self.confirmation, self.end_to_end):
            times.clear()


class Producer:
    """Keeps its window full, or its timetable."""

    def __init__(
        self, sender: Sender, producer: int, window: Window, rate: float, measured: Measured
    ) -> None:
        self.sockets = [sender]
        self._sender, self._producer, self._window, self._rate, self._measured = (
            sender,
            producer,
            window,
            rate,
            measured,
        )
        self._timetable: Timetable | None = None
        self._confirmed = 0

    def start(self, now: int) -> None:
        self._timetable = Timetable(self._rate, now) if self._rate else None

    def step(self, now: int) -> int:
        """Send what is due; when to come again (ns), 0 for when something arrives."""
        if self._timetable is None:
            left = (
                self._window.most
            )  # a client settles a message before it returns: it would never be full
            while left > 0 and (count := self._window.room(self._under_way())):
                self._send([time.monotonic_ns()] * count)
                left -= count
            return now if self._window.room(self._under_way()) else 0
        if due := self._timetable.take(now, self._window.most - self._under_way()):
            self._send(due)
            self._sender.flush()
        return max(self._timetable.next, now + _TICK)

    def _under_way(self) -> int:
        return len(self._sender.outstanding)

    def _send(self, intended: Sequence[int]) -> None:
        sent = time.monotonic_ns()
        for meant, count in Counter(intended).items():
            self._measured.delay.add(sent - meant, count)
        self._sender.send(intended)

    def poll(self) -> None:
        self._sender.poll()
        new = self._sender.outstanding.confirmed - self._confirmed
        self._confirmed += new
        self._measured.confirmed += new

    def finish(self, patience: float) -> None:
        """Send no more, and wait for the answers that are due."""
        self._sender.flush()
        outstanding, heard = self._sender.outstanding, time.monotonic()
        while len(outstanding) and time.monotonic() - heard < patience:
            before = len(outstanding)
            self.poll()
            if len(outstanding) < before:
                heard = time.monotonic()
            else:
                time.sleep(0.002)

    def sent(self) -> list[Sent]:
        outstanding = self._sender.outstanding
        return [
            Sent(
                self._producer,
                outstanding.attempted,
                tuple(outstanding.refused),
                outstanding.unknown(),
            )
        ]

    def sample(self, run: int) -> list[Event]:
        return [
            Event(kind, name_of(run, self._producer, number), at / 1e9)
            for kind, number, at in self._sender.outstanding.sample
        ]

    def close(self, *, delete: bool) -> None:
        self._sender.close()


class Consumer:
    """Takes and acknowledges whatever arrives."""

    def __init__(self, receiver: Receiver, run: int, measured: Measured) -> None:
        self.sockets = [receiver]
        self._receiver, self._run, self._measured = receiver, run, measured
        self.tally = Tally()
        self.total = 0
        self._sample: list[Event] = []

    def start(self, now: int) -> None:
        self.poll()  # what came with the subscription's answer does not announce itself

    def step(self, now: int) -> int:
        return 0

    def poll(self) -> None:
        arrived = self._receiver.poll()
        if arrived:
            self.count(arrived)
        else:
            self._receiver.flush()

    def count(self, arrived: list[Arrival]) -> None:
        now = time.monotonic_ns()
        self.total += len(arrived)
        self._measured.received += len(arrived)
        self._time(arrived, now)
        last, counts = -1, bytearray()
        for run, producer, number, _ in arrived:
            if run != self._run:
                raise ClientError("a message of another run arrived: the destination was not empty")
            if producer != last or number >= len(counts):
                last, counts = producer, self.tally.of(producer, number)
            counts[number] += 1
            if not number % SAMPLE:
                self._sample.append(Event(Kind.RECEIVED, name_of(run, producer, number), now / 1e9))

    def _time(self, arrived: list[Arrival], now: int) -> None:
        for meant, count in Counter(map(itemgetter(3), arrived)).items():
            self._measured.end_to_end.add(now - meant, count)

    def finish(self, patience: float) -> None:
        self._receiver.flush()

    def sent(self) -> list[Sent]:
        return []

    def sample(self, run: int) -> list[Event]:
        return self._sample

    def close(self, *, delete: bool) -> None:
        self._receiver.close(delete=delete)


class Relay(Consumer):
    """Answers each request with a message of the same size that carries the time at which the request was meant to go."""

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
        self._sender.send([meant for _, _, _, meant in arrived])
        self._sender.flush()

    def finish(self, patience: float) -> None:
        super().finish(patience)
        end = time.monotonic() + patience
        while len(self._sender.outstanding) and time.monotonic() < end:
            self._sender.poll()
            time.sleep(0.002)

    def sent(self) -> list[Sent]:
        outstanding = self._sender.outstanding
        return [
            Sent(
                self._producer,
                outstanding.attempted,
                tuple(outstanding.refused),
                outstanding.unknown(),
            )
        ]

    def sample(self, run: int) -> list[Event]:
        answers = [
            Event(kind, name_of(run, self._producer, number), at / 1e9)
            for kind, number, at in self._sender.outstanding.sample
        ]
        return [*self._sample, *answers]

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
        rate: float,
        measured: Measured,
    ) -> None:
        super().__init__(sender, producer, window, rate, measured)
        self._replies = replies

    def _under_way(self) -> int:
        return self._sender.outstanding.attempted - self._replies.total


class Visitor:
    """Connects, logs in, leaves, and begins again: the time of each visit counts as a confirmation."""

    def __init__(self, visit: Callable[[], None], rate: float, measured: Measured) -> None:
        self.sockets: list[Sender | Receiver] = []
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

    def poll(self) -> None:
        """Nothing arrives on its own."""

    def finish(self, patience: float) -> None:
        """Every visit has ended."""

    def sent(self) -> list[Sent]:
        return []

    def sample(self, run: int) -> list[Event]:
        return []

    def close(self, *, delete: bool) -> None:
        """Nothing is open."""
