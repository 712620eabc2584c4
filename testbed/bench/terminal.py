"""A result on the terminal, from 80 columns up, and progress while it is made."""

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from testbed.bench.compare import Series
from testbed.bench.contrast import Contrast
from testbed.bench.driver import Driver
from testbed.bench.fleet import Progress
from testbed.bench.html import number, unit
from testbed.bench.result import STOLEN, Result, caveats
from testbed.bench.rounds import Round, limit, throughput
from testbed.bench.summary import steps, summaries
from testbed.bench.sweep import Curve
from testbed.bench.workload import Workload


def renderable(result: Result) -> Group:
    """The whole result."""
    parts: list[RenderableType] = [
        Text(", ".join(f"{name} {value}" for name, value in result.environment.items()), "dim"),
        Text(),
    ]
    for series in result.series:
        parts += [*_series(series), *_costs(series), Text()]
    parts += [line for curve in result.curves for line in _curve(curve)]
    parts += [Text(f"! {each}", "yellow") for each in caveats(result)]
    return Group(*parts)


def show(result: Result, console: Console | None = None) -> None:
    """Print it on ``console``, or on standard output."""
    (console or Console()).print(renderable(result))


def show_contrasts(found: Sequence[Contrast], console: Console | None = None) -> None:
    """Print comparisons of results."""
    printing = console or Console()
    for contrast in found:
        table = Table(title=contrast.title, title_justify="left")
        table.add_column("")
        for name in (contrast.first, contrast.second, "ratio"):
            table.add_column(name, justify="right")
        for row in contrast.rows:
            table.add_row(row.label, number(row.first), number(row.second), str(row.ratio))
        printing.print(table)
        for changed in contrast.changed:
            printing.print(Text(f"! {changed}", "yellow"))
        printing.print(
            Text(
                "! Two runs at different times: what else the machine did then is in the difference too.",
                "yellow",
            )
        )


def _series(series: Series) -> list[Text]:
    """A heading, then two lines for each side: 80 columns hold no table of this."""
    connecting = series.workload.pattern == "connect"
    parts = [
        Text(
            f"{series.workload.title or series.workload.name}: {series.driver.title or series.driver.name}",
            "bold",
        )
    ]
    for each in summaries(series):
        times = each.confirmation if connecting else each.end_to_end
        late = ", ".join(
            f"p{percentile:g} {number(times.at(percentile))}" for percentile in (50, 99, 99.9)
        )
        parts.append(
            Text.assemble(
                f"  {each.label}: ",
                (f"{number(each.rate)} {unit(series)}", "bold"),
                f", {late} ms, limit: {', '.join(each.limits)}",
            )
        )
        measured = {
            "µs broker": each.broker_cpu,
            "µs generator": each.generator_cpu,
            "bytes in": each.bytes_in,
            "bytes out": each.bytes_out,
            "syncs": each.syncs,
            "KMS calls": each.kms_calls or None,
        }
        said = ", ".join(
            f"{number(value)} {name}" for name, value in measured.items() if value is not None
        )
        parts.append(Text(f"    each: {said}", "dim"))
    return parts


def _costs(series: Series) -> list[Text]:
    """What each layer leaves of the throughput."""
    lines = []
    for before, side, step in zip(series.sides, series.sides[1:], steps(series), strict=False):
        confidence = f", {step.confidence:.0%} interval" if not isinstance(step, str) else ""
        lines.append(Text(f"  {before.label} -> {side.label}: {step}{confidence}"))
    return lines


def _curve(curve: Curve) -> list[Text]:
    lines = [
        Text(
            f"{curve.workload.title or curve.workload.name}, {curve.label}: {number(curve.highest)} msg/s sustained"
        )
    ]
    for point in curve.points:
        kept = "" if point.sustained else "  not sustained"
        late = f"p50 {number(point.round.end_to_end.at(50))} ms, p99 {number(point.round.end_to_end.at(99))} ms"
        lines.append(
            Text(
                f"  {number(point.rate):>9} offered {number(point.throughput):>9} delivered  {late}{kept}"
            )
        )
    return lines


def progress_line(workload: Workload, label: str, number_: int, progress: Progress) -> str:
    """What a round has done so far."""
    phase = "warming up" if progress.seconds < 0 else f"{progress.seconds:.1f} s"
    done = (
        f"{progress.connected} connections"
        if workload.pattern == "connect"
        else f"{progress.confirmed} confirmed, {progress.received} received"
    )
    return f"{workload.name} {label} round {number_ + 1}/{workload.rounds}: {phase}, {done}"


def round_line(workload: Workload, driver: Driver, label: str, number_: int, made: Round) -> str:
    """What came of a round."""
    cores = f", broker {made.broker.cores:.2f} cores" if made.broker else ""
    stolen = f", {100 * made.stolen:.0f} % stolen" if made.stolen > STOLEN else ""
    what = "connections/s" if workload.pattern == "connect" else "msg/s"
    return (
        f"{workload.name} {label} round {number_ + 1}/{workload.rounds}: {number(throughput(workload, made))} {what}{cores}, "
        f"generators {made.generator_cores:.2f}{stolen}, limit: {limit(workload, driver, made)}"
    )
