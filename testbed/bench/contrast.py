"""Two results side by side: what both have measured, and whether it differs. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from testbed.bench.compare import Series, Side
from testbed.bench.result import Result
from testbed.bench.statistics import Ratio, unpaired


@dataclass(frozen=True)
class Row:
    """One side that both results have; ``first`` and ``second`` are medians of its rounds."""

    label: str
    first: float
    second: float
    ratio: Ratio


@dataclass(frozen=True)
class Contrast:
    """``second`` against ``first``. ``changed`` names what differs in the environment."""

    title: str
    first: str
    second: str
    rows: tuple[Row, ...]
    changed: tuple[str, ...]


def contrasts(named: Sequence[tuple[str, Result]]) -> tuple[Contrast, ...]:
    """Every result against the first one."""
    (name, base), *others = named
    return tuple(_contrast(name, base, other, result) for other, result in others)


def _contrast(first: str, base: Result, second: str, other: Result) -> Contrast:
    found = _sides(other)
    rows = []
    for key, (series, side) in _sides(base).items():
        if key in found:
            before, after = series.rates(side), found[key][0].rates(found[key][1])
            if all(before) and all(after):
                rows.append(
                    Row(
                        ", ".join(key),
                        series.median(side),
                        found[key][0].median(found[key][1]),
                        unpaired(before, after),
                    )
                )
    changed = tuple(
        f"{name}: {base.environment.get(name, 'unknown')} and {other.environment.get(name, 'unknown')}"
        for name in dict.fromkeys([*base.environment, *other.environment])
        if base.environment.get(name) != other.environment.get(name)
    )
    return Contrast(f"{second} with {first}", first, second, tuple(rows), changed)


def _sides(result: Result) -> dict[tuple[str, str, str], tuple[Series, Side]]:
    return {
        (series.workload.name, series.driver.name, side.label): (series, side)
        for series in result.series
        for side in series.sides
    }
