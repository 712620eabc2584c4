"""Does what a testbed holds grow? Pure: samples, a robust slope, and limits.

A robust slope overlooks what is left behind once. For containers and volumes, which are the
testbed's own, the levels at both ends are compared as well; the machine's mounts may be others'.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

# By how much each may grow from the end of the warm-up to the end of the soak; disk is shown alone:
# each call is a record of the trail.
LIMITS: Mapping[str, float] = {
    "memory": 24.0,  # mebibytes of the endpoint's process
    "descriptors": 8.0,
    "threads": 4.0,
    "containers": 0.5,
    "volumes": 0.5,
    "mounts": 0.5,
}
_OWN = ("containers", "volumes")
WARM_UP = 1 / 3  # the part of the samples that is left out: caches and pools fill


@dataclass(frozen=True)
class Sample:
    """What is held ``at`` so many seconds; memory and disk are in mebibytes."""

    at: float
    memory: float
    descriptors: float
    threads: float
    containers: float
    volumes: float
    mounts: float
    disk: float


@dataclass(frozen=True)
class Growth:
    """How one thing grew after the warm-up; ``limit`` is None if it is not judged."""

    name: str
    first: float
    last: float
    grown: float
    limit: float | None

    @property
    def ok(self) -> bool:
        return self.limit is None or self.grown <= self.limit


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median slope of all pairs (Theil and Sen), which outliers do not move.

    0 for fewer than two points.
    """
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for earlier, later in combinations(points, 2)
        if later[0] != earlier[0]
    ]
    return median(slopes) if slopes else 0.0


def step(values: Sequence[float]) -> float:
    """Return by how much the median of the last quarter is above that of the first."""
    quarter = max(1, len(values) // 4)
    return median(values[-quarter:]) - median(values[:quarter])


def growths(samples: Sequence[Sample], limits: Mapping[str, float] = LIMITS) -> tuple[Growth, ...]:
    """Return how everything grew after the warm-up. Needs two samples after it to say anything."""
    kept = samples[int(len(samples) * WARM_UP) :]
    if len(kept) < 2:
        return ()
    return tuple(
        _growth(name, kept, limits.get(name))
        for name in Sample.__dataclass_fields__
        if name != "at"
    )


def _growth(name: str, kept: Sequence[Sample], limit: float | None) -> Growth:
    values = [getattr(sample, name) for sample in kept]
    times = [sample.at for sample in kept]
    grown = slope(list(zip(times, values, strict=True))) * (times[-1] - times[0])
    if name in _OWN:
        grown = max(grown, step(values))
    return Growth(name, values[0], values[-1], round(grown, 2), limit)
