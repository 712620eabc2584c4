"""What a benchmark's rounds add up to, what to keep in mind, and how results compare. Pure.

Latencies come from the merged histograms of all rounds, counts per message from the sums over all
rounds.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median

from testbed.bench.results import MOST_STOLEN, Result, Round, Series, Side
from testbed.bench.statistics import Distribution, Ratio, distribution, interval, spread, unpaired

STOLEN = 0.02  # the share of the processors' time from which on it is worth a caveat
_SHARED_MACHINE = (
    "Generators and broker share this machine's processors: what one uses, the other lacks. "
    "Ratios mean more than rates."
)
_NOISY = 0.1  # see ``statistics.spread``
_BUSY_BEFORE = 0.5  # load for each processor


@dataclass(frozen=True)
class Summary:
    """One side. ``rate`` is the median of the rounds (messages or connections a second).

    CPU is in microseconds for each message, of the generators and of the broker with its volume.
    Bytes are those on the wire for each message, into the broker and out of it. What could not be
    measured is None. ``ratio`` compares with the first side; it is None for that side and where a
    round delivered nothing.
    """

    label: str
    rate: float
    low: float
    high: float
    confidence: float
    spread: float
    delay: Distribution
    confirmation: Distribution
    end_to_end: Distribution
    generator_cpu: float
    broker_cpu: float | None
    bytes_in: float | None
    bytes_out: float | None
    syncs: float | None
    kms_calls: float
    messages: int
    limits: tuple[str, ...]
    ratio: Ratio | None


def summaries(series: Series) -> tuple[Summary, ...]:
    """Summarise each side."""
    return tuple(_summary(series, side) for side in series.sides)


def steps(series: Series) -> tuple[Ratio | None, ...]:
    """Compare each side with the one before it: the cost of one more layer.

    None where a round delivered nothing.
    """
    return tuple(
        series.ratio(side, before) if _comparable(series, before, side) else None
        for before, side in pairwise(series.sides)
    )


def _comparable(series: Series, *sides: Side) -> bool:
    return all(rate for side in sides for rate in series.rates(side))


def _summary(series: Series, side: Side) -> Summary:
    rates = series.rates(side)
    low, high, confidence = interval(rates)
    messages = sum(
        rate * measured.seconds for rate, measured in zip(rates, side.rounds, strict=True)
    )
    # The broker's readings do not span exactly the measuring: its counts are for each message in
    # the readings' time.
    observed = [
        (rate, measured.broker)
        for rate, measured in zip(rates, side.rounds, strict=True)
        if measured.broker
    ]
    in_readings = sum(rate * usage.seconds for rate, usage in observed)

    def per_message(values: list[float]) -> float | None:
        return sum(values) / in_readings if in_readings else None

    def merged(name: str) -> Distribution:
        return distribution(getattr(measured, name).histogram for measured in side.rounds)

    def ours_per_message(total: float) -> float:
        return total / messages if messages else 0.0

    syncs = [usage.syncs for _, usage in observed if usage.syncs is not None]
    first = side is series.sides[0]
    return Summary(
        label=side.label,
        rate=median(rates),
        low=low,
        high=high,
        confidence=confidence,
        spread=spread(rates),
        delay=merged("delay"),
        confirmation=merged("confirmation"),
        end_to_end=merged("end_to_end"),
        generator_cpu=1e6
        * ours_per_message(
            sum(measured.generator_cores * measured.seconds for measured in side.rounds)
        ),
        broker_cpu=per_message([1e6 * usage.cores * usage.seconds for _, usage in observed]),
        bytes_in=per_message([usage.received for _, usage in observed]),
        bytes_out=per_message([usage.sent for _, usage in observed]),
        syncs=per_message(list(syncs)) if len(syncs) == len(observed) else None,
        kms_calls=ours_per_message(sum(measured.kms_calls for measured in side.rounds)),
        messages=round(messages),
        limits=series.limits(side),
        ratio=None
        if first or not _comparable(series, side, series.sides[0])
        else series.ratio(side),
    )


def _rounds(result: Result) -> list[Round]:
    rounds = [
        measured for series in result.series for side in series.sides for measured in side.rounds
    ]
    return rounds + [point.round for curve in result.curves for point in curve.points]


def stolen_share(result: Result) -> float:
    """Return the share of all processors' time that the hypervisor gave to other machines."""
    rounds = _rounds(result)
    return sum(measured.stolen for measured in rounds) / len(rounds) if rounds else 0.0


def caveats(result: Result) -> tuple[str, ...]:
    """Return what has to stand beside the numbers, depending on the numbers."""
    sides = [(series, side) for series in result.series for side in series.sides]
    elsewhere = bool(sides) and all(side.route == "remote" for _, side in sides)
    notes = [] if elsewhere else [_SHARED_MACHINE]
    for series, side in sides:
        if "generator" in series.limits(side):
            notes.append(
                f"{series.workload.name}, {series.driver.name}, {side.label}: "
                "the generator was the limit; the broker could do more."
            )
    notes += _about_routes({side.route for _, side in sides})
    if any(series.driver.generator == "client" for series, _ in sides):
        notes.append(
            "The users' clients send one message at a time and wait for its confirmation: "
            "that measures latency, not capacity."
        )
    if any(
        side.encryption.volume.startswith("plain") or side.encryption.listener == "plaintext"
        for _, side in sides
    ):
        notes.append(
            "Plaintext listeners and plain volumes are controls: they exist in a benchmark only, "
            "and Amazon MQ has neither."
        )
    notes += _about_machine(result)
    noisy = [
        f"{series.workload.name} by {series.driver.name} ({side.label})"
        for series, side in sides
        if spread(series.rates(side)) > _NOISY
    ]
    if noisy:
        notes.append(f"Rounds of the same thing are more than 10 % apart: {'; '.join(noisy)}.")
    return tuple(dict.fromkeys(notes))


def _about_routes(routes: set[str]) -> list[str]:
    notes = []
    if "published" in routes:
        notes.append(
            "Connections to a published port pass the container engine's proxy, which uses "
            "processor time too."
        )
    if "remote" in routes:
        notes.append(
            "A remote broker's processor time, bytes and syncs cannot be measured from here."
        )
    return notes


def _about_machine(result: Result) -> list[str]:
    notes = []
    load = result.environment.get("load before", "0")
    cores = max((measured.cores for measured in _rounds(result)), default=0)
    if float(load) > _BUSY_BEFORE * (cores or os.cpu_count() or 1):
        notes.append(f"The machine was busy with something else at the start (load {load}).")
    stolen = stolen_share(result)
    if stolen > STOLEN:
        notes.append(
            f"The hypervisor gave {100 * stolen:.0f} % of this machine's processors to other "
            "machines: without that, rates are higher and intervals narrower."
        )
    repeated = sum(series.repeated for series in result.series)
    if repeated:
        notes.append(
            f"{repeated} rounds were repeated on all sides, since the hypervisor gave more than "
            f"{100 * MOST_STOLEN:.0f} % of the processors to other machines during them."
        )
    return notes


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
    """``second`` against ``first``.

    ``changed`` names what differs besides the measured: in the environment, and of the sides in the
    workload, the driver, the broker's version and the route.
    """

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
    changed = [
        f"{name}: {base.environment.get(name, 'unknown')} and "
        f"{other.environment.get(name, 'unknown')}"
        for name in dict.fromkeys([*base.environment, *other.environment])
        if base.environment.get(name) != other.environment.get(name)
    ]
    for key, (series, side) in _sides(base).items():
        if key not in others:
            continue
        other_series, other_side = others[key]
        before, after = series.rates(side), other_series.rates(other_side)
        if all(before) and all(after):
            medians = series.median(side), other_series.median(other_side)
            rows.append(Row(", ".join(key), *medians, unpaired(before, after)))
            changed += _changed(", ".join(key), _settings(series, side), _settings(*others[key]))
    return Comparison(f"{second} with {first}", first, second, tuple(rows), tuple(changed))


def _settings(series: Series, side: Side) -> dict[str, object]:
    """Return what a rate depends on, by its name: names of files say little of what is in them."""
    return {
        **{f"workload's {name}": value for name, value in asdict(series.workload).items()},
        **{f"driver's {name}": value for name, value in asdict(series.driver).items()},
        "broker": side.running,
        "route": side.route,
    }


def _changed(
    label: str, first: Mapping[str, object], second: Mapping[str, object]
) -> Iterator[str]:
    for name, value in first.items():
        # Any number of rounds has a median; a title and a path are no load.
        if not name.endswith(("title", "payload", "rounds")) and value != second[name]:
            yield f"{label}, {name}: {value} and {second[name]}"


def _sides(result: Result) -> dict[tuple[str, str, str], tuple[Series, Side]]:
    return {
        (series.workload.name, series.driver.name, side.label): (series, side)
        for series in result.series
        for side in series.sides
    }
