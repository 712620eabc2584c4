"""The cost table as a page of the documentation."""

from collections.abc import Sequence
from statistics import median

from testbed.bench.analysis import Summary, caveats, steps, summaries
from testbed.bench.results import Curve, Result, Series, Yardstick
from testbed.bench.spec import takes_turns
from testbed.bench.table import (
    VOLUME_TARGET,
    Order,
    Section,
    VolumeCost,
    orders,
    outcome,
    volume_costs,
)
from testbed.report.text import dash, number


def render(result: Result, sections: Sequence[Section]) -> str:
    """Return the whole page; ``sections`` are those that ``result`` was measured for."""
    lines = _head(result)
    for section in sections:
        series = [series for series in result.series if series.section == section.title]
        if series:
            lines += ["", f"## {section.title}", "", section.about]
            lines += [line for measured in series for line in _series(measured)]
    lines += [
        *_curves(result.curves),
        *_volumes(volume_costs(result)),
        *_yardsticks(result.yardsticks),
        *_orders(orders(result)),
        "",
    ]
    return "\n".join(lines)


def _head(result: Result) -> list[str]:
    brokers = {
        f"{series.driver.engine} {side.running}"
        for series in result.series
        for side in series.sides
    }
    minutes = f"{result.seconds / 60:.0f} minutes"
    return [
        "# What encryption costs",
        "",
        f"Made by `{result.command}` on {result.started.date().isoformat()} in {minutes};",
        "[measuring.md](measuring.md) says how, and what the numbers do not say. Run it on your",
        "machine: rates are this machine's, ratios carry further.",
        "",
        *(f"- {name}: {value}" for name, value in result.environment.items()),
        f"- brokers: {', '.join(sorted(brokers))}",
        "",
        "**Keep in mind**",
        "",
        *(f"- {caveat}" for caveat in caveats(result)),
    ]


def _series(series: Series) -> list[str]:
    head = [
        "",
        series.workload.unit,
        "of the one above",
        f"{'connect' if series.connecting else 'end to end'} p50 / p99 ms",
        "broker µs",
        "generator µs",
        "bytes in / out",
        "syncs",
        "KMS calls",
        "limit",
    ]
    ratios = steps(series)
    rows = [
        _row(summary, step, connecting=series.connecting)
        for summary, step in zip(
            summaries(series),
            ["", *(str(ratio or "not comparable") for ratio in ratios)],
            strict=True,
        )
    ]
    confidence = next((ratio.confidence for ratio in ratios if ratio), None)
    intervals = f"; ratios with {confidence:.0%} intervals" if confidence is not None else ""
    turns = (
        f"in turns of {series.workload.turn:g} s"
        if takes_turns(series.workload, series.driver)
        else "in turns"
    )
    rounds = len(series.sides[0].rounds)
    return [
        "",
        f"**{series.workload.title}: {series.driver.title}**",
        "",
        f"| {' | '.join(head)} |",
        f"|---{'|---:' * (len(head) - 2)}|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        f"{rounds} rounds of {series.workload.duration:g} s each, {turns}{intervals}.",
        "Everything but rates and times is for each message.",
    ]


def _row(summary: Summary, step: str, *, connecting: bool) -> list[str]:
    latency = summary.confirmation if connecting else summary.end_to_end
    return [
        summary.label,
        number(summary.rate),
        step,
        f"{number(latency.at(50))} / {number(latency.at(99))}",
        dash(summary.broker_cpu),
        number(summary.generator_cpu),
        f"{dash(summary.bytes_in)} / {dash(summary.bytes_out)}",
        dash(summary.syncs),
        dash(summary.kms_calls or None),
        ", ".join(summary.limits),
    ]


def _curves(curves: Sequence[Curve]) -> list[str]:
    if not curves:
        return []
    return [
        "",
        "## Highest rate sustained",
        "",
        "The highest of the few rates that were tried, one round each, below the first that was",
        "not sustained. It is a step of a coarse scale, which one disturbed round may move: it",
        "does not say what encryption costs.",
        "",
        "| workload | driver | | msg/s |",
        "|---|---|---|---:|",
        *(
            f"| {curve.workload.title} | {curve.driver.title} | {curve.label} "
            f"| {number(curve.highest)} |"
            for curve in curves
        ),
    ]


def _volumes(costs: Sequence[VolumeCost]) -> list[str]:
    if not costs:
        return []
    return [
        "",
        "## The encrypted volume against its target",
        "",
        f"The target is {VOLUME_TARGET:.0%} of the plain volume's rate: 1 KB, durable, confirmed",
        "and consumed, over TLS.",
        "[measuring.md](measuring.md#what-the-encrypted-volume-costs-and-why)",
        "says what is missing, and why.",
        "",
        "| driver | of the plain volume | |",
        "|---|---:|---|",
        *(f"| {cost.driver} | {cost.ratio} | {cost.outcome} |" for cost in costs),
    ]


def _yardsticks(yardsticks: Sequence[Yardstick]) -> list[str]:
    if not yardsticks:
        return []
    lines = [
        "",
        "## Our generators beside the brokers' own",
        "",
        "1 KB, durable, confirmed and consumed, over TLS; on one broker, in turns, each with its",
        "best settings. Ours should not be slower: the broker would not be the limit of what is",
        "measured above.",
        "",
        "| their tool | their msg/s | our msg/s | ours over theirs | |",
        "|---|---:|---:|---:|---|",
    ]
    for yardstick in yardsticks:
        theirs, ours = number(median(yardstick.theirs)), number(median(yardstick.ours))
        lines.append(
            f"| {yardstick.tool} ({yardstick.their_settings}) | {theirs} "
            f"| {ours} ({yardstick.our_settings}) | {yardstick.ratio} "
            f"| {outcome(yardstick.ratio, 1.0)} |"
        )
    return lines


def _orders(expected: Sequence[Order]) -> list[str]:
    """Return the sanity check."""
    broken = [order for order in expected if not order.holds]
    held = f"{len(expected) - len(broken)} of {len(expected)} expected orders hold"
    lines = ["", "## Do the numbers make sense?", "", f"{held} or are within the noise."]
    if broken:
        lines.append("")
        lines += [
            f"- Not: {order.about}: {order.slower} is faster than {order.faster}, {order.ratio}."
            for order in broken
        ]
    return lines
