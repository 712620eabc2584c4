"""A result on a terminal of 80 columns or more, and progress until it is there."""

import logging
import sys
from collections.abc import Sequence
from itertools import pairwise

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from testbed.bench.analysis import CAVEAT, STOLEN, Comparison, Summary, caveats, steps, summaries
from testbed.bench.load.fleet import Progress
from testbed.bench.results import Curve, Point, Result, Round, Series, limit, throughput
from testbed.bench.run import Observer
from testbed.bench.spec import Case, Workload
from testbed.report.text import number

logger = logging.getLogger(__name__)


class ProgressObserver(Observer):
    """Logs what is finished, and shows what is in progress on a line that the next one replaces."""

    def in_progress(self, workload: Workload, label: str, number: int, progress: Progress) -> None:
        if sys.stderr.isatty():
            line = progress_line(workload, label, number, progress)
            sys.stderr.write(f"\r\x1b[2K{line}\r")
            sys.stderr.flush()

    def finished(self, case: Case, label: str, number: int, measured: Round) -> None:
        logger.info("%s", round_line(case, label, number, measured))

    def measured(self, label: str, point: Point) -> None:
        logger.info(
            "%s: %s msg/s offered, %s delivered, %s",
            label,
            f"{point.rate:,.0f}",
            f"{point.throughput:,.0f}",
            "sustained" if point.sustained else "not sustained",
        )


def progress_line(workload: Workload, label: str, number: int, progress: Progress) -> str:
    """Describe a round that goes on."""
    phase = "warming up" if progress.seconds < 0 else f"{progress.seconds:.1f} s"
    done = (
        f"{progress.connected} connections"
        if workload.pattern == "connect"
        else f"{progress.confirmed} confirmed, {progress.received} received"
    )
    return f"{workload.name} {label} round {number + 1}/{workload.rounds}: {phase}, {done}"


def round_line(case: Case, label: str, index: int, measured: Round) -> str:
    """Describe a round that is over; ``index`` counts from 0."""
    workload = case.workload
    rate = f"{number(throughput(workload, measured))} {workload.unit}"
    cores = f", broker {measured.broker.cores:.2f} cores" if measured.broker else ""
    stolen = f", {100 * measured.stolen:.0f} % stolen" if measured.stolen > STOLEN else ""
    return (
        f"{workload.name} {label} round {index + 1}/{workload.rounds}: {rate}{cores}, "
        f"generators {measured.generator_cores:.2f}{stolen}, "
        f"limit: {limit(workload, case.driver, measured)}"
    )


def renderable(result: Result) -> Group:
    """Return the whole result."""
    parts: list[RenderableType] = [
        Text(", ".join(f"{name} {value}" for name, value in result.environment.items()), "dim"),
        Text(),
    ]
    for series in result.series:
        parts += [*_series(series), *_steps(series), Text()]
    parts += [line for curve in result.curves for line in _curve(curve)]
    parts += [Text(str(yardstick)) for yardstick in result.yardsticks]
    parts += [Text(f"! {caveat}", "yellow") for caveat in caveats(result)]
    return Group(*parts)


def show(result: Result, console: Console | None = None) -> None:
    """Print a result on ``console``, standard output by default."""
    (console or Console()).print(renderable(result))


def show_comparisons(comparisons: Sequence[Comparison], console: Console | None = None) -> None:
    """Print comparisons of results on ``console``, standard output by default."""
    console = console or Console()
    for comparison in comparisons:
        table = Table(title=comparison.title, title_justify="left")
        table.add_column("")
        for name in (comparison.first, comparison.second, "ratio"):
            table.add_column(name, justify="right")
        for row in comparison.rows:
            table.add_row(row.label, number(row.first), number(row.second), str(row.ratio))
        console.print(table)
        for caveat in (*comparison.changed, CAVEAT):
            console.print(Text(f"! {caveat}", "yellow"))


def _series(series: Series) -> list[Text]:
    """Return a heading, and two lines for each side: 80 columns have no room for a table."""
    lines = [Text(series.heading, "bold")]
    for summary in summaries(series):
        lines += _side(summary, series)
    return lines


def _side(summary: Summary, series: Series) -> list[Text]:
    latency = summary.confirmation if series.connecting else summary.end_to_end
    percentiles = ", ".join(
        f"p{percentile:g} {number(latency.at(percentile))}" for percentile in (50, 99, 99.9)
    )
    values = {
        "µs broker": summary.broker_cpu,
        "µs generator": summary.generator_cpu,
        "bytes in": summary.bytes_in,
        "bytes out": summary.bytes_out,
        "syncs": summary.syncs,
        "KMS calls": summary.kms_calls or None,
    }
    costs = ", ".join(
        f"{number(value)} {name}" for name, value in values.items() if value is not None
    )
    rate = f"{number(summary.rate)} {series.workload.unit}"
    return [
        Text.assemble(
            f"  {summary.label}: ",
            (rate, "bold"),
            f", {percentiles} ms, limit: {', '.join(summary.limits)}",
        ),
        Text(f"    each: {costs}", "dim"),
    ]


def _steps(series: Series) -> list[Text]:
    """Return what each layer leaves of the throughput."""
    lines = []
    for (before, side), step in zip(pairwise(series.sides), steps(series), strict=True):
        ratio = f"{step}, {step.confidence:.0%} interval" if step else "not comparable"
        lines.append(Text(f"  {before.label} -> {side.label}: {ratio}"))
    return lines


def _curve(curve: Curve) -> list[Text]:
    highest = number(curve.highest)
    lines = [Text(f"{curve.workload.heading}, {curve.label}: {highest} msg/s sustained")]
    for point in curve.points:
        latency = point.round.end_to_end
        late = f"p50 {number(latency.at(50))} ms, p99 {number(latency.at(99))} ms"
        rates = f"{number(point.rate):>9} offered {number(point.throughput):>9} delivered"
        lines.append(Text(f"  {rates}  {late}{'' if point.sustained else '  not sustained'}"))
    return lines
