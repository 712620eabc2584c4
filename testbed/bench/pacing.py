"""When each message is meant to be sent, how many may be under way, and whose turn it is. Pure: the clock is the caller's.

A paced producer keeps its timetable whatever the broker does: what could not be sent when it was due is sent later with
the time at which it was meant to go, so that a broker that stalls shows in the latencies (no coordinated omission).
"""

from dataclasses import dataclass

_PAUSE = 0.1  # of a turn, before the next one: for what is still under way
_CHUNK_BYTES = 65536  # written at once; more would only wait in the socket's buffer


class Timetable:
    """``rate`` messages a second from ``start`` (ns) on, at even distances."""

    def __init__(self, rate: float, start: int) -> None:
        self._interval, self._start, self._given = 1e9 / rate, start, 0

    @property
    def next(self) -> int:
        """When the next message is due (ns)."""
        return self._start + int(self._given * self._interval)

    def take(self, now: int, most: int) -> list[int]:
        """The intended times of the messages due at ``now``, ``most`` of them at most."""
        due = (
            int((now - self._start) / self._interval) + 1 - self._given if now >= self._start else 0
        )
        count = max(0, min(due, most))
        times = [self._start + int((self._given + more) * self._interval) for more in range(count)]
        self._given += count
        return times


@dataclass(frozen=True)
class Window:
    """At most ``most`` messages without an answer.

    A producer that sends as fast as it can waits until ``chunk`` more have room: many small writes would cost both
    sides more than they bring.
    """

    most: int
    chunk: int

    @classmethod
    def of(cls, most: int, size: int, transaction: int = 0) -> "Window":
        if transaction:
            return cls(max(most, transaction), transaction)
        return cls(most, max(1, min(most // 8, _CHUNK_BYTES // size)))

    def room(self, outstanding: int) -> int:
        """How many to send now: none until there is room for a chunk."""
        left = self.most - outstanding
        return min(left, self.chunk) if left >= self.chunk else 0


Span = tuple[int, int]


@dataclass(frozen=True)
class Times:
    """When one side of a round works: spans of ns, in order. The ``warm`` ones do not count."""

    warm: tuple[Span, ...]
    measured: tuple[Span, ...]

    def beginning(self, at: int) -> "Times":
        """The same, counted from ``at``."""
        return Times(
            *(
                tuple((at + begin, at + end) for begin, end in spans)
                for spans in (self.warm, self.measured)
            )
        )


def in_turns(sides: int, warm_up: float, seconds: float, turn: float = 0.0) -> list[Times]:
    """The times of each side of a round, from 0 on. Each works for ``warm_up`` and then for ``seconds`` in all.

    The sides take turns of about ``turn`` seconds, of so many that all are equal, in an order that is turned round each
    time (A B, B A), with a pause between them. 0 is one turn for all of it, and so it is where a side is alone.
    """
    now, spans = 0, []
    for each in (warm_up, seconds):
        count = max(1, round(each / turn)) if turn and sides > 1 else 1
        long = round(each / count * 1e9)
        pause = int(_PAUSE * long) if sides > 1 else 0
        made: list[list[Span]] = [[] for _ in range(sides)]
        for number in range(count):
            for side in sorted(range(sides), reverse=number % 2 == 1):
                made[side].append((now, now + long))
                now += long + pause
        spans.append(made)
    return [Times(tuple(warm), tuple(measured)) for warm, measured in zip(*spans, strict=True)]


def next_rate(rate: float, low: float, high: float, sustained: bool) -> tuple[float, float, float]:
    """One step of the search for the highest rate that is sustained: the next rate, and what it is between.

    Doubles while everything holds (``high`` is 0 until something has not), then halves the distance.
    """
    low, high = (rate, high) if sustained else (low, rate)
    return (rate * 2 if not high else (low + high) / 2), low, high
