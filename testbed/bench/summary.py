"""What the rounds of a side amount to, in the units that people ask for. Pure.

Latencies come from the histograms of all rounds together; counts for each message from the sums over all rounds.
"""

from dataclasses import dataclass
from statistics import median

from testbed.bench.compare import Series, Side
from testbed.bench.latencies import Distribution, distribution
from testbed.bench.rounds import Round
from testbed.bench.statistics import Ratio, interval, spread


@dataclass(frozen=True)
class Summary:
    """One side. ``rate`` is the median of the rounds (messages or connections a second) with its interval.

    CPU is in microseconds for each message, of the generators and of the broker with its volume; bytes are those on the
    wire for each message, into the broker and out of it. What could not be measured is None. ``ratio`` compares with
    the first side, None for that one itself or where rounds are too few.
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
    generator_cores: float
    broker_cores: float | None
    bytes_in: float | None
    bytes_out: float | None
    syncs: float | None
    kms_calls: float
    messages: int
    limits: tuple[str, ...]
    ratio: Ratio | None


def summaries(series: Series) -> tuple[Summary, ...]:
    """One for each side."""
    return tuple(_summary(series, side) for side in series.sides)


def steps(series: Series) -> tuple[Ratio | str, ...]:
    """How each side compares with the one before it: the cost of one more layer."""
    found: list[Ratio | str] = []
    for before, side in zip(series.sides, series.sides[1:], strict=False):
        comparable = all(series.rates(before)) and all(series.rates(side))
        found.append(series.ratio(side, before) if comparable else "not comparable")
    return tuple(found)


def _summary(series: Series, side: Side) -> Summary:
    rates = series.rates(side)
    low, high, confidence = interval(rates)
    used = [each.broker for each in side.rounds if each.broker]
    messages = sum(rate * each.seconds for rate, each in zip(rates, side.rounds, strict=True))
    # The engine's readings do not begin and end quite when the measuring does: counts are taken per second first.
    in_readings = sum(
        rate * each.broker.seconds
        for rate, each in zip(rates, side.rounds, strict=True)
        if each.broker
    )

    def per_message(total: float | None) -> float | None:
        return total / in_readings if total is not None and in_readings else None

    def together(name: str) -> Distribution:
        return distribution(getattr(each, name).histogram for each in side.rounds)

    syncs = [each.syncs for each in used]
    return Summary(
        label=side.label,
        rate=median(rates),
        low=low,
        high=high,
        confidence=confidence,
        spread=spread(rates),
        delay=together("delay"),
        confirmation=together("confirmation"),
        end_to_end=together("end_to_end"),
        generator_cpu=_microseconds(
            sum(each.generator_cores * each.seconds for each in side.rounds), messages
        ),
        broker_cpu=per_message(sum(each.cores * each.seconds for each in used) * 1e6)
        if used
        else None,
        generator_cores=_mean(side.rounds),
        broker_cores=sum(each.cores for each in used) / len(used) if used else None,
        bytes_in=per_message(sum(each.received for each in used)) if used else None,
        bytes_out=per_message(sum(each.sent for each in used)) if used else None,
        syncs=per_message(sum(each for each in syncs if each is not None))
        if syncs and None not in syncs
        else None,
        kms_calls=sum(each.kms_calls for each in side.rounds) / messages if messages else 0.0,
        messages=round(messages),
        limits=series.limits(side),
        ratio=None
        if side is series.sides[0] or not all(rates) or not all(series.rates(series.sides[0]))
        else series.ratio(side),
    )


def _mean(rounds: tuple[Round, ...]) -> float:
    return sum(each.generator_cores for each in rounds) / len(rounds)


def _microseconds(seconds: float, messages: float) -> float:
    return seconds / messages * 1e6 if messages else 0.0
