"""Results of different runs side by side: what both measured, and whether it differs. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from testbed.bench.results import Result, Series, Side
from testbed.bench.statistics import Ratio, unpaired

CAVEAT = "Two runs at different times: what else the machine did then is part of the difference."


@dataclass(frozen=True)
class Row:
    """One side that both results have; ``first`` and ``second`` are medians of its rounds."""

    label: str
    first: float
    second: float
    ratio: Ratio


@dataclass(frozen=True)
class Comparison:
    """``second`` against ``first``. ``changed`` names what differs in the environment."""

    title: str
    first: str
    second: str
    rows: tuple[Row, ...]
    changed: tuple[str, ...]


def compare(named: Sequence[tuple[str, Result]]) -> tuple[Comparison, ...]:
    """Compare every result with the first one. ``named`` has the results with their names."""
    (name, base), *others = named
    return tuple(_comparison(name, base, other, result) for other, result in others)


def _comparison(first: str, base: Result, second: str, other: Result) -> Comparison:
    others = _sides(other)
    rows = []
    for key, (series, side) in _sides(base).items():
        if key not in others:
            continue
        other_series, other_side = others[key]
        before, after = series.rates(side), other_series.rates(other_side)
        if all(before) and all(after):
            medians = series.median(side), other_series.median(other_side)
            rows.append(Row(", ".join(key), *medians, unpaired(before, after)))
    changed = tuple(
        f"{name}: {base.environment.get(name, 'unknown')} and "
        f"{other.environment.get(name, 'unknown')}"
        for name in dict.fromkeys([*base.environment, *other.environment])
        if base.environment.get(name) != other.environment.get(name)
    )
    return Comparison(f"{second} with {first}", first, second, tuple(rows), changed)


def _sides(result: Result) -> dict[tuple[str, str, str], tuple[Series, Side]]:
    return {
        (series.workload.name, series.driver.name, side.label): (series, side)
        for series in result.series
        for side in series.sides
    }
