"""The cost table as a page of the documentation."""

from collections.abc import Sequence
from statistics import median

from testbed.bench.compare import Series
from testbed.bench.html import number
from testbed.bench.result import Result, caveats
from testbed.bench.rounds import takes_turns
from testbed.bench.summary import Summary, steps, summaries
from testbed.bench.table import (
    VOLUME_AIM,
    Order,
    Section,
    VolumeCost,
    orders,
    outcome,
    volume_costs,
)
from testbed.bench.yardstick import Yardstick


def render(
    result: Result, sections: Sequence[Section], yardsticks: Sequence[Yardstick] = ()
) -> str:
    """The whole page; ``sections`` are those that ``result`` was made for."""
    left = list(result.series)
    lines = [
        "# What encryption costs",
        "",
        f"Made by `{result.command}` on {result.started.date().isoformat()} in {result.seconds / 60:.0f} minutes; [measuring.md](measuring.md) says how, and what",
        "the numbers do not say. Run it on your machine: rates are this machine's, ratios carry further.",
        "",
        *(f"- {name}: {value}" for name, value in result.environment.items()),
        f"- brokers: {', '.join(sorted({f'{series.driver.engine} {side.running}' for series in result.series for side in series.sides}))}",
        "",
        "**Keep in mind**",
        "",
        *(f"- {each}" for each in caveats(result)),
    ]
    for section in sections:
        taken = [left.pop(0) for _ in section.cases if left]
        if taken:
            lines += [
                "",
                f"## {section.title}",
                "",
                section.about,
                *(line for series in taken for line in _series(series)),
            ]
    if result.curves:
        lines += [
            "",
            "## Highest rate sustained",
            "",
            "| workload | driver | | msg/s |",
            "|---|---|---|---:|",
        ]
        lines += [
            f"| {each.workload.title} | {each.driver.title} | {each.label} | {number(each.highest)} |"
            for each in result.curves
        ]
    return "\n".join(
        [
            *lines,
            *_volumes(volume_costs(result)),
            *_yardsticks(yardsticks),
            "",
            *_orders(orders(result)),
            "",
        ]
    )


def _series(series: Series) -> list[str]:
    connecting = series.workload.pattern == "connect"
    unit = "connections/s" if connecting else "msg/s"
    times = "connect p50 / p99 ms" if connecting else "end to end p50 / p99 ms"
    head = [
        "",
        unit,
        "of the one above",
        times,
        "broker µs",
        "generator µs",
        "bytes in / out",
        "syncs",
        "KMS calls",
        "limit",
    ]
    lines = [
        "",
        f"**{series.workload.title}: {series.driver.title}**",
        "",
        f"| {' | '.join(head)} |",
        f"|---{'|---:' * (len(head) - 2)}|---|",
    ]
    for each, step in zip(summaries(series), ["", *steps(series)], strict=True):
        lines.append(f"| {' | '.join(_row(each, str(step), connecting))} |")
    rounds = len(series.sides[0].rounds)
    confidence = next(
        (step.confidence for step in steps(series) if not isinstance(step, str)), None
    )
    said = f"; ratios with {confidence:.0%} intervals" if confidence is not None else ""
    turns = (
        f"in turns of {series.workload.turn:g} s"
        if takes_turns(series.workload, series.driver)
        else "in turns"
    )
    lines += [
        "",
        f"{rounds} rounds of {series.workload.duration:g} s each, {turns}{said}. Everything but rates and times is for each message.",
    ]
    return lines


def _row(each: Summary, step: str, connecting: bool) -> list[str]:
    times = each.confirmation if connecting else each.end_to_end
    return [
        each.label,
        number(each.rate),
        step,
        f"{number(times.at(50))} / {number(times.at(99))}",
        _or_dash(each.broker_cpu),
        number(each.generator_cpu),
        f"{_or_dash(each.bytes_in)} / {_or_dash(each.bytes_out)}",
        _or_dash(each.syncs),
        _or_dash(each.kms_calls or None),
        ", ".join(each.limits),
    ]


def _or_dash(value: float | None) -> str:
    return "-" if value is None else number(value)


def _volumes(found: Sequence[VolumeCost]) -> list[str]:
    if not found:
        return []
    lines = [
        "",
        "## The encrypted volume against its aim",
        "",
        f"The aim is {VOLUME_AIM:.0%} of the plain volume's rate: 1 KB, durable, confirmed and consumed, over TLS.",
        "[measuring.md](measuring.md#what-the-encrypted-volume-costs-and-why) says what is missing, and why.",
        "",
        "| driver | of the plain volume | |",
        "|---|---:|---|",
    ]
    return [*lines, *(f"| {each.driver} | {each.ratio} | {each.outcome} |" for each in found)]


def _yardsticks(found: Sequence[Yardstick]) -> list[str]:
    if not found:
        return []
    lines = [
        "",
        "## Our generators beside the brokers' own",
        "",
        "1 KB, durable, confirmed and consumed, over TLS; on one broker, in turns, each with the settings that were best for it.",
        "Ours should not be slower: were they, the broker would not be the limit of what is measured above.",
        "",
        "| their tool | their msg/s | our msg/s | ours over theirs | |",
        "|---|---:|---:|---:|---|",
    ]
    for each in found:
        theirs, ours = (number(median(rates)) for rates in (each.theirs, each.ours))
        lines.append(
            f"| {each.tool} ({each.their_settings}) | {theirs} | {ours} ({each.our_settings}) | {each.ratio} | {outcome(each.ratio, 1.0)} |"
        )
    return lines


def _orders(found: Sequence[Order]) -> list[str]:
    """The sanity check, in words."""
    broken = [each for each in found if not each.holds]
    lines = [
        "## Do the numbers make sense?",
        "",
        f"{len(found) - len(broken)} of {len(found)} expected orders hold or are within the noise.",
    ]
    if broken:
        lines += [
            "",
            *(
                f"- Not: {each.about}: {each.slower} is faster than {each.faster}, {each.ratio}."
                for each in broken
            ),
        ]
    return lines
