"""A result as one HTML page that needs nothing else: no script, no font, no image, no network."""

from collections.abc import Sequence

from markupsafe import Markup

from testbed.bench.analysis import CAVEAT, Comparison, Summary, caveats, summaries
from testbed.bench.results import Curve, Result, Series
from testbed.report import pages
from testbed.report.charts import Axis, Bar, Line, bars, lines
from testbed.report.text import number

# Marks of a percentile curve: 1 / (1 - percentile), so that every nine takes the same space.
_NINES = tuple(
    (1 / (1 - percentile / 100), f"{percentile:g} %")
    for percentile in (50.0, 90.0, 99.0, 99.9, 99.99)
)
_OFFERED = Axis("offered (msg/s)")


def render(result: Result, comparisons: Sequence[Comparison] = ()) -> str:
    """Return the whole page; ``comparisons`` are those with other results."""
    values = {
        "result": result,
        "caveats": caveats(result),
        "series": [
            {
                "of": series,
                "head": _head(series),
                "rows": [_cells(side) for side in summaries(series)],
                "bars": _bars(series),
                "percentiles": _percentiles(series),
            }
            for series in result.series
        ],
        "curves": [
            {
                "title": title,
                "rates": _throughput(curves),
                "latencies": _latency(curves),
                "curves": curves,
            }
            for title, curves in _grouped(result.curves)
        ],
        "comparisons": [
            {
                "of": comparison,
                "head": ("", comparison.first, comparison.second, "ratio"),
                "rows": [
                    (row.label, number(row.first), number(row.second), str(row.ratio))
                    for row in comparison.rows
                ],
            }
            for comparison in comparisons
        ],
        "comparison_caveat": CAVEAT,
        "number": number,
    }
    return pages.environment("testbed.bench.render").get_template("page.html").render(values)


def _head(series: Series) -> tuple[str, ...]:
    return (
        "",
        series.workload.unit,
        "interval",
        f"ratio to {series.sides[0].label}",
        "publish delay p99",
        f"{'connect' if series.connecting else 'confirm'} p50 / p99",
        "end to end p50 / p99 / p99.9",
        "broker CPU",
        "generator CPU",
        "bytes in / out",
        "syncs",
        "KMS calls",
        "limit",
    )


def _cells(side: Summary) -> tuple[str, ...]:
    waits = " / ".join(number(side.end_to_end.at(percentile)) for percentile in (50, 99, 99.9))
    confirmed = " / ".join(number(side.confirmation.at(percentile)) for percentile in (50, 99))
    return (
        side.label,
        number(side.rate),
        f"{number(side.low)} to {number(side.high)} ({side.confidence:.0%})",
        str(side.ratio or ""),
        f"{number(side.delay.at(99))} ms",
        f"{confirmed} ms",
        f"{waits} ms" if side.end_to_end.count else "",
        number(side.broker_cpu) + (" µs/msg" if side.broker_cpu is not None else ""),
        f"{number(side.generator_cpu)} µs/msg",
        f"{number(side.bytes_in)} / {number(side.bytes_out)}",
        number(side.syncs),
        number(side.kms_calls),
        ", ".join(side.limits),
    )


def _picture(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704 - `charts` escapes all text


def _bars(series: Series) -> Markup:
    drawn = [
        Bar(
            summary.label,
            summary.rate,
            summary.low,
            summary.high,
            f"ratio {summary.ratio}" if summary.ratio else "not comparable" if place else "",
            series.rates(side),
        )
        for place, (summary, side) in enumerate(zip(summaries(series), series.sides, strict=True))
    ]
    title = f"{series.workload.title}: what each layer leaves"
    return _picture(bars(title, series.workload.unit, drawn))


def _percentiles(series: Series) -> Markup:
    drawn = []
    for summary in summaries(series):
        latency = summary.confirmation if series.connecting else summary.end_to_end
        points = (
            (1 / (1 - min(percentile, 99.999) / 100), milliseconds)
            for percentile, milliseconds in latency.curve()
            if percentile >= 10
        )
        drawn.append(Line(summary.label, tuple(points)))
    title = f"{series.workload.title}: latency by percentile"
    y = Axis("time to connect (ms)" if series.connecting else "end to end (ms)", logarithmic=True)
    x = Axis("percentile", logarithmic=True, ticks=_NINES)
    return _picture(lines(title, x, y, drawn))


def _grouped(curves: Sequence[Curve]) -> list[tuple[str, list[Curve]]]:
    groups: dict[str, list[Curve]] = {}
    for curve in curves:
        title = f"{curve.workload.heading}, {curve.driver.heading}"
        groups.setdefault(title, []).append(curve)
    return list(groups.items())


def _throughput(curves: Sequence[Curve]) -> Markup:
    drawn = [
        Line(curve.label, tuple((point.rate, point.throughput) for point in curve.points))
        for curve in curves
    ]
    return _picture(lines("Throughput against rate", _OFFERED, Axis("delivered (msg/s)"), drawn))


def _latency(curves: Sequence[Curve]) -> Markup:
    drawn = [
        Line(
            curve.label,
            tuple((point.rate, point.round.end_to_end.at(99)) for point in curve.points),
        )
        for curve in curves
    ]
    y = Axis("end to end, 99 of 100 (ms)", logarithmic=True)
    return _picture(lines("Latency against rate", _OFFERED, y, drawn))
