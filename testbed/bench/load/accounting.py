"""What each message says about itself, and whether one was lost. Pure.

The checker's account, cheap enough for tens of thousands of messages a second: producers number
their messages without a gap, so one byte for each number counts how often it was received. The full
history, each event with its time and each body compared, is kept of a sample: every ``SAMPLE``-th
message.
"""

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct

from testbed.bench.statistics import Latencies
from testbed.checker import Account
from testbed.history import Kind

SAMPLE = 61  # a prime, so that no size of a batch or a frame hides from it
MOST = 255  # receipts of a message that are counted: a byte holds no more
# How each body begins: run, producer, number (from 0), intended sending time (ns, monotonic).
HEADER = Struct(">IIQQ")


@lru_cache(maxsize=64)
def filler(run: int, producer: int, size: int, content: bytes = b"") -> bytes:
    """Return what follows the header in a body of ``size`` bytes.

    It is ``content`` repeated, or incompressible noise, the same for all messages of a producer, so
    that a damaged body shows.
    """
    length = max(0, size - HEADER.size)
    if content:
        return (content * (length // len(content) + 1))[:length]
    return hashlib.shake_128(f"{run}-{producer}".encode()).digest(length)


def message_name(run: int, producer: int, number: int) -> str:
    """Return a message's identity in a history."""
    return f"{run:08x}-{producer}-{number}"


class Outstanding:
    """Messages that were sent and not answered yet. Numbers count up from 0.

    ``latencies`` gets the time from sending to confirmation of each message. ``sample`` has the
    events of every ``SAMPLE``-th one: kind, number, time (ns).
    """

    def __init__(self, latencies: Latencies) -> None:
        self.latencies = latencies
        self.attempted = 0
        self.confirmed = 0
        self.refused: list[int] = []
        self.sample: list[tuple[Kind, int, int]] = []
        self._sent: dict[int, int] = {}  # number -> time (ns)
        self._lowest = 0  # everything below has been answered

    def __len__(self) -> int:
        return len(self._sent)

    def add(self, count: int, now: int) -> int:
        """Add ``count`` messages sent at ``now`` (ns). Returns the number of the first."""
        first = self.attempted
        for number in range(first, first + count):
            self._sent[number] = now
            if not number % SAMPLE:
                self.sample.append((Kind.ATTEMPTED, number, now))
        self.attempted += count
        return first

    def answer(
        self, number: int, now: int, *, multiple: bool = False, confirmed: bool = True
    ) -> None:
        """Record the broker's answer to ``number``, and with ``multiple`` to all before it.

        Answers come in any order, as in AMQP; a second one for the same number is ignored.
        """
        for answered in range(self._lowest, number + 1) if multiple else (number,):
            sent = self._sent.pop(answered, None)
            if sent is None:
                continue
            if confirmed:
                self.confirmed += 1
                self.latencies.add(now - sent)
            else:
                self.refused.append(answered)
            if not answered % SAMPLE:
                kind = Kind.CONFIRMED if confirmed else Kind.FAILED
                self.sample.append((kind, answered, now))
        if multiple:
            self._lowest = max(self._lowest, number + 1)
        else:
            while self._lowest < self.attempted and self._lowest not in self._sent:
                self._lowest += 1

    def unanswered(self) -> tuple[int, ...]:
        """Return the numbers of the messages without an answer."""
        return tuple(self._sent)


@dataclass(frozen=True)
class Sent:
    """A producer's record: the numbers below ``attempted``, all confirmed but for those listed."""

    producer: int
    attempted: int
    refused: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()


class Tally:
    """How often each number of each producer was received; from ``MOST`` on it stays there."""

    def __init__(self) -> None:
        self._counts: dict[int, bytearray] = {}

    def of(self, producer: int, upto: int) -> bytearray:
        """Return a producer's counts, with room up to ``upto``, for the caller to add to."""
        counts = self._counts.setdefault(producer, bytearray())
        if upto >= len(counts):
            counts.extend(bytes(max(65536, upto + 1 - len(counts))))
        return counts

    def add(self, producer: int, number: int) -> None:
        """Count one message."""
        counts = self.of(producer, number)
        if counts[number] < MOST:
            counts[number] += 1

    def packed(self) -> dict[int, bytes]:
        """Return the compressed counts of each producer."""
        return {
            producer: zlib.compress(bytes(counts).rstrip(b"\0"), 1)
            for producer, counts in self._counts.items()
        }


def account(run: int, sent: Iterable[Sent], received: Iterable[Mapping[int, bytes]]) -> Account:
    """Account for the messages of one run.

    ``received`` are the packed tallies of consumers that share the messages. Consumers that each
    get all messages are accounted for one by one.
    """
    counts: dict[int, bytearray] = {}
    for tally in received:
        for producer, packed in tally.items():
            _add_counts(counts.setdefault(producer, bytearray()), zlib.decompress(packed))
    rows = [(record, counts.pop(record.producer, bytearray())) for record in sent]
    rows += [(Sent(stranger, 0), seen) for stranger, seen in counts.items()]
    names: dict[str, list[str]] = {
        kind: [] for kind in ("failed", "lost", "duplicated", "unexpected", "unknown", "recovered")
    }
    for record, seen in rows:
        seen.extend(bytes(max(0, record.attempted - len(seen))))
        complete = seen.count(1) == len(seen) == record.attempted
        if complete and not record.refused and not record.unknown:
            continue  # the usual case, and there may be millions of messages
        refused, unknown = set(record.refused), set(record.unknown)
        for number, times in enumerate(seen):
            for kind in _kinds(number, times, record.attempted, refused, unknown):
                names[kind].append(message_name(run, record.producer, number))
    return Account(
        attempted=sum(record.attempted for record, _ in rows),
        confirmed=sum(
            record.attempted - len(record.refused) - len(record.unknown) for record, _ in rows
        ),
        received=sum(len(seen) - seen.count(0) for _, seen in rows),
        failed=len(names["failed"]),
        lost=tuple(names["lost"]),
        duplicated=tuple(names["duplicated"]),
        unexpected=tuple(names["unexpected"]),
        unknown=tuple(names["unknown"]),
        recovered=tuple(names["recovered"]),
    )


def _kinds(
    number: int, times: int, attempted: int, refused: set[int], unknown: set[int]
) -> Iterable[str]:
    """Classify a message in the checker's terms."""
    if number in unknown:
        yield "unknown"
        if times:
            yield "recovered"
    elif number in refused:
        yield "unexpected" if times else "failed"
    elif number >= attempted and times:
        yield "unexpected"
    elif number < attempted and not times:
        yield "lost"
    if times > 1:
        yield "duplicated"


def _add_counts(total: bytearray, more: bytes) -> None:
    if not any(total):
        total[:] = more
        return
    total.extend(bytes(max(0, len(more) - len(total))))
    for number, times in enumerate(more):
        if times:
            total[number] = min(MOST, total[number] + times)
