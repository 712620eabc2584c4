"""Latencies as HdrHistograms: merged by adding counts, never by averaging percentiles."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from hdrh.histogram import HdrHistogram

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
