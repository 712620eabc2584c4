"""Times from one moment to another, in HdrHistograms: merged by adding, never by averaging percentiles."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram

# In microseconds, to three significant digits, up to an hour.
_LEAST, _MOST, _DIGITS = 1, 3_600_000_000, 3
PERCENTILES = (50.0, 90.0, 99.0, 99.9)


class Latencies:
    """Collects times of one kind while a run goes on; cheap, because millions are taken."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, nanoseconds: int, count: int = 1) -> None:
        self._counts[nanoseconds // 1000] += count

    def clear(self) -> None:
        self._counts.clear()

    def encoded(self) -> str:
        """As a compressed HdrHistogram in base64 (its V2 format), which every HdrHistogram library reads."""
        histogram = _empty()
        for microseconds, count in self._counts.items():
            histogram.record_value(min(max(microseconds, _LEAST), _MOST), count)
        return histogram.encode().decode()


@dataclass(frozen=True)
class Distribution:
    """Times in milliseconds. ``histogram`` is the encoded HdrHistogram that all else is read from."""

    histogram: str
    count: int
    most: float
    percentiles: tuple[tuple[float, float], ...]

    def at(self, percentile: float) -> float:
        """Milliseconds that ``percentile`` per cent of the times do not exceed."""
        return _decoded(self.histogram).get_value_at_percentile(percentile) / 1000

    def curve(self) -> tuple[tuple[float, float], ...]:
        """Percentile and milliseconds, denser towards 100 per cent."""
        if not self.count:
            return ()
        points = _decoded(self.histogram).get_recorded_iterator()
        return tuple(
            (each.percentile_level_iterated_to, each.value_iterated_to / 1000) for each in points
        )


def distribution(encoded: Iterable[str]) -> Distribution:
    """All times of several encoded histograms together."""
    total = _empty()
    for each in encoded:
        total.add(_decoded(each))
    count = total.get_total_count()
    return Distribution(
        histogram=total.encode().decode(),
        count=count,
        most=total.get_max_value() / 1000 if count else 0.0,
        percentiles=tuple(
            (each, total.get_value_at_percentile(each) / 1000 if count else 0.0)
            for each in PERCENTILES
        ),
    )


def _empty() -> HdrHistogram:
    return HdrHistogram(_LEAST, _MOST, _DIGITS)


def _decoded(encoded: str) -> HdrHistogram:
    return HdrHistogram.decode(encoded)
