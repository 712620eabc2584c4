"""What many measurements add up to: latencies, and how two series of rounds compare. Pure.

Latencies are HdrHistograms: merged by adding counts, never by averaging percentiles.

Rounds come in pairs, one of each side, run one right after the other, so that the same disturbances
touch both. The ratio of each pair is one observation; their median is the estimate. Its interval is
the exact one of the sign test: the k-th smallest and the k-th largest ratio, with k the largest for
which a binomial(n, 1/2) leaves at least the requested confidence between them. It assumes nothing
about the distribution of the noise, and states the confidence that it really has: 5 pairs cannot
give more than 93.75 %.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from math import comb, isfinite
from random import Random
from statistics import median

from hdrh.histogram import HdrHistogram

_RESAMPLES, _LEAST_UNPAIRED = 10_000, 5
# Below this confidence nothing is called a difference, however large it looks.
LEAST_CONFIDENCE = 0.9


class Verdict(StrEnum):
    """Whether a ratio is a difference."""

    LOWER = "lower"
    HIGHER = "higher"
    NOISE = "noise"  # the interval contains 1: no difference was found


@dataclass(frozen=True)
class Ratio:
    """Other over baseline; the true median is in the interval with probability ``confidence``."""

    median: float
    low: float
    high: float
    confidence: float
    pairs: tuple[float, ...]

    @property
    def verdict(self) -> Verdict:
        """Whether the ratio is below 1, above it, or neither for certain."""
        if self.confidence < LEAST_CONFIDENCE or self.low <= 1 <= self.high:
            return Verdict.NOISE
        return Verdict.LOWER if self.high < 1 else Verdict.HIGHER

    def __str__(self) -> str:
        text = f"{self.median:.3f} [{self.low:.3f}, {self.high:.3f}]"
        return f"{text} (noise)" if self.verdict is Verdict.NOISE else text


def ratio(baseline: Sequence[float], other: Sequence[float], confidence: float = 0.95) -> Ratio:
    """Compare ``other`` with ``baseline``, round by round.

    Raises ``ValueError`` for series that are not pairs.
    """
    if len(baseline) != len(other) or not baseline:
        raise ValueError(
            f"rounds come in pairs: {len(baseline)} of one side, {len(other)} of the other"
        )
    if not all(isfinite(value) and value > 0 for value in (*baseline, *other)):
        raise ValueError("a round without a result cannot be compared")
    pairs = tuple(b / a for a, b in zip(baseline, other, strict=True))
    low, high, reached = interval(pairs, confidence)
    return Ratio(median(pairs), low, high, reached, pairs)


def interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the exact interval of the median of a distribution, and its confidence.

    ``values`` are drawn from the distribution. The confidence is at least ``confidence``, unless
    ``values`` are too few: then the interval is all of them.
    """
    ordered, count = sorted(values), len(values)
    if not ordered:
        raise ValueError("there is no median of nothing")
    outside = 0.0  # the probability that the median is beyond one end of the interval
    rank = 1
    for candidate in range(1, (count + 1) // 2 + 1):
        tail = sum(comb(count, successes) for successes in range(candidate)) / 2**count
        if candidate > 1 and 1 - 2 * tail < confidence:
            break
        rank, outside = candidate, tail
    return ordered[rank - 1], ordered[count - rank], max(0.0, 1 - 2 * outside)


def spread(values: Sequence[float]) -> float:
    """Return half the distance between the quartiles, relative to the median."""
    ordered = sorted(values)
    quarter = len(ordered) // 4
    return (
        (ordered[-1 - quarter] - ordered[quarter]) / 2 / median(ordered)
        if ordered and median(ordered)
        else 0.0
    )


def unpaired(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Ratio:
    """Compare the median of ``second`` with that of ``first``, where the rounds did not alternate.

    The interval is a percentile bootstrap of both medians (10,000 resamples, always the same ones).
    It covers the noise within each run, not what changed between them. ``pairs`` is empty.
    """
    if (
        not first
        or not second
        or not all(isfinite(value) and value > 0 for value in (*first, *second))
    ):
        raise ValueError("a round without a result cannot be compared")
    rng = Random(0)  # noqa: S311 - resampling is no secret
    ratios = sorted(
        median(rng.choices(second, k=len(second))) / median(rng.choices(first, k=len(first)))
        for _ in range(_RESAMPLES)
    )
    outside = int((1 - confidence) / 2 * _RESAMPLES)
    # Fewer rounds than this bootstrap to intervals that are too narrow to mean anything.
    reached = confidence if min(len(first), len(second)) >= _LEAST_UNPAIRED else 0.0
    return Ratio(median(second) / median(first), ratios[outside], ratios[-1 - outside], reached, ())


# In microseconds, to three significant digits, up to an hour.
_LEAST, _MOST, _DIGITS = 1, 3_600_000_000, 3
PERCENTILES = (50.0, 90.0, 99.0, 99.9)


class Latencies:
    """Collects latencies of one kind during a run; cheap, for there are millions."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, nanoseconds: int, count: int = 1) -> None:
        """Record a latency ``count`` times."""
        self._counts[nanoseconds // 1000] += count

    def clear(self) -> None:
        """Forget everything."""
        self._counts.clear()

    def encoded(self) -> str:
        """Return a compressed HdrHistogram in base64, in the V2 format that its libraries read."""
        histogram = _empty()
        for microseconds, count in self._counts.items():
            histogram.record_value(min(max(microseconds, _LEAST), _MOST), count)
        return str(histogram.encode().decode())


@dataclass(frozen=True)
class Distribution:
    """Latencies in milliseconds. Everything is derived from the encoded ``histogram``."""

    histogram: str
    count: int
    most: float
    percentiles: tuple[tuple[float, float], ...]

    def at(self, percentile: float) -> float:
        """Return the milliseconds that ``percentile`` per cent of the latencies do not exceed."""
        return float(_decode(self.histogram).get_value_at_percentile(percentile)) / 1000

    def curve(self) -> tuple[tuple[float, float], ...]:
        """Return pairs of percentile and milliseconds, denser towards 100 per cent."""
        if not self.count:
            return ()
        return tuple(
            (point.percentile_level_iterated_to, point.value_iterated_to / 1000)
            for point in _decode(self.histogram).get_recorded_iterator()
        )


def distribution(encoded: Iterable[str]) -> Distribution:
    """Merge several encoded histograms."""
    total = _empty()
    for histogram in encoded:
        total.add(_decode(histogram))
    count = total.get_total_count()
    return Distribution(
        histogram=total.encode().decode(),
        count=count,
        most=total.get_max_value() / 1000 if count else 0.0,
        percentiles=tuple(
            (percentile, total.get_value_at_percentile(percentile) / 1000 if count else 0.0)
            for percentile in PERCENTILES
        ),
    )


def _empty() -> HdrHistogram:
    return HdrHistogram(_LEAST, _MOST, _DIGITS)


@lru_cache(maxsize=32)  # a report asks one histogram for many percentiles
def _decode(encoded: str) -> HdrHistogram:
    return HdrHistogram.decode(encoded)
