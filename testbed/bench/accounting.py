"""Was a message lost? The checker's account, kept cheaply enough for tens of thousands of messages a second. Pure.

Producers number their messages without a gap, so a byte for each number says how often it was received. The full
history, each event with its time and each body compared, is kept of a sample: every ``SAMPLE``-th message.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from testbed.bench.body import name_of
from testbed.checker import Account

SAMPLE = 61  # a prime, so that no size of a batch or a frame hides from it


@dataclass(frozen=True)
class Sent:
    """What a producer knows: it attempted the numbers below ``attempted``, and all but these were confirmed."""

    producer: int
    attempted: int
    refused: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()


class Tally:
    """How often each number of each producer was received (255 times at most)."""

    def __init__(self) -> None:
        self._counts: dict[int, bytearray] = {}

    def of(self, producer: int, upto: int) -> bytearray:
        """The counts of a producer, with room for the numbers up to ``upto``; the caller adds to them."""
        counts = self._counts.setdefault(producer, bytearray())
        if upto >= len(counts):
            counts.extend(bytes(max(65536, upto + 1 - len(counts))))
        return counts

    def add(self, producer: int, number: int) -> None:
        self.of(producer, number)[number] += 1

    def packed(self) -> dict[int, bytes]:
        return {
            producer: zlib.compress(bytes(counts).rstrip(b"\0"), 1)
            for producer, counts in self._counts.items()
        }


def account(run: int, sent: Iterable[Sent], received: Iterable[Mapping[int, bytes]]) -> Account:
    """The messages of one run. ``received`` are the packed tallies of consumers that share the messages.

    Consumers that each get all messages are accounted for one by one.
    """
    counts: dict[int, bytearray] = {}
    for tally in received:
        for producer, packed in tally.items():
            _add(counts.setdefault(producer, bytearray()), zlib.decompress(packed))
    rows = [(each, counts.pop(each.producer, bytearray())) for each in sent]
    rows += [(Sent(stranger, 0), seen) for stranger, seen in counts.items()]
    names: dict[str, list[str]] = {
        kind: [] for kind in ("failed", "lost", "duplicated", "unexpected", "unknown", "recovered")
    }
    for each, seen in rows:
        seen.extend(bytes(max(0, each.attempted - len(seen))))
        if seen.count(1) == len(seen) == each.attempted and not each.refused and not each.unknown:
            continue  # all confirmed, all received once: the usual case, and there may be millions
        refused, unknown = set(each.refused), set(each.unknown)
        for number, times in enumerate(seen):
            name = name_of(run, each.producer, number)
            for kind in _kinds(number, times, each.attempted, refused, unknown):
                names[kind].append(name)
    return Account(
        attempted=sum(each.attempted for each, _ in rows),
        confirmed=sum(each.attempted - len(each.refused) - len(each.unknown) for each, _ in rows),
        received=sum(len(seen) - seen.count(0) for _, seen in rows),
        failed=len(names["failed"]),
        **{
            kind: tuple(names[kind])
            for kind in ("lost", "duplicated", "unexpected", "unknown", "recovered")
        },
    )


def _kinds(
    number: int, times: int, attempted: int, refused: set[int], unknown: set[int]
) -> Iterable[str]:
    """What a message is, in the checker's words."""
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


def _add(total: bytearray, more: bytes) -> None:
    if not any(total):
        total[:] = more
        return
    total.extend(bytes(max(0, len(more) - len(total))))
    for number, times in enumerate(more):
        if times:
            total[number] = min(255, total[number] + times)
