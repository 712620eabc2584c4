"""When messages are due, how many may be in flight, and whose turn it is. Pure.

A paced producer keeps its timetable whatever the broker does: a message that could not be sent when
it was due is sent later with its intended time, so that a stall of the broker shows in the
latencies (no coordinated omission).
"""

from dataclasses import dataclass

_PAUSE = 0.1  # of a turn, before the next one: for what is still in flight
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


Span = tuple[int, int]


@dataclass(frozen=True)
class Times:
    """When one side of a round works: spans of ns, in order. The ``warm`` ones do not count."""

    warm: tuple[Span, ...]
    measured: tuple[Span, ...]

    def shifted(self, offset: int) -> "Times":
        """Return the same times, ``offset`` ns later."""

        def shift(spans: tuple[Span, ...]) -> tuple[Span, ...]:
            return tuple((offset + begin, offset + end) for begin, end in spans)

        return Times(shift(self.warm), shift(self.measured))


def in_turns(sides: int, warm_up: float, seconds: float, turn: float = 0.0) -> list[Times]:
    """Return the times of each side of a round, from 0 on.

    Each side works for ``warm_up`` and then for ``seconds`` in total, in equal turns of about
    ``turn`` seconds, with a pause between them and the order reversed each time (A B, B A). A
    ``turn`` of 0, or a single side, means one turn for all of it.
    """
    warm, after = _turns(sides, warm_up, turn, 0)
    measured, _ = _turns(sides, seconds, turn, after)
    return [Times(*spans) for spans in zip(warm, measured, strict=True)]


def _turns(
    sides: int, seconds: float, turn: float, start: int
) -> tuple[list[tuple[Span, ...]], int]:
    """Return the spans of each side, and when the next turn may begin."""
    count = max(1, round(seconds / turn)) if turn and sides > 1 else 1
    length = round(seconds / count * 1e9)
    pause = int(_PAUSE * length) if sides > 1 else 0
    spans: list[list[Span]] = [[] for _ in range(sides)]
    for number in range(count):
        for side in sorted(range(sides), reverse=number % 2 == 1):
            spans[side].append((start, start + length))
            start += length + pause
    return [tuple(of_side) for of_side in spans], start


def next_rate(
    rate: float, low: float, high: float, *, sustained: bool
) -> tuple[float, float, float]:
    """Take one step of the search for the highest sustainable rate.

    Returns the next rate and its bounds. Doubles while everything is sustained (``high`` is 0
    until something was not), then halves the distance.
    """
    low, high = (rate, high) if sustained else (low, rate)
    return (rate * 2 if not high else (low + high) / 2), low, high
