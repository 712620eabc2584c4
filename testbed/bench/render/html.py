"""A result as one HTML page that needs nothing else: no script, no font, no image, no network."""

from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from testbed.bench.analysis import CAVEAT, Comparison, caveats, steps, summaries
from testbed.bench.render.svg import Axis, Bar, Line, lines, waterfall
from testbed.bench.results import Curve, Result, Series
from testbed.report.text import number, printable

# Marks of a percentile curve: 1 / (1 - percentile), so that every nine takes the same space.
_NINES = tuple(
    (1 / (1 - percentile / 100), f"{percentile:g} %")
    for percentile in (50.0, 90.0, 99.0, 99.9, 99.99)
)
_OFFERED = Axis("offered (msg/s)")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("testbed.bench.render", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters["number"] = number
    return environment


def render(result: Result, comparisons: Sequence[Comparison] = ()) -> str:
    """Return the whole page; ``comparisons`` are those with other results."""
    values = {
        "result": result,
        "caveats": caveats(result),
        "series": [
            {
                "of": series,
                "sides": summaries(series),
                "waterfall": _waterfall(series),
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
        "comparisons": comparisons,
        "comparison_caveat": CAVEAT,
    }
    return _environment().get_template("page.html").render(values)


def _picture(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704 - the svg module escapes all text


def _waterfall(series: Series) -> Markup:
    notes = [f"{step or 'not comparable'} of the one above" for step in steps(series)]
    bars = [
        Bar(summary.label, summary.rate, summary.low, summary.high, note)
        for summary, note in zip(summaries(series), ["", *notes], strict=True)
    ]
    title = f"{series.workload.title}: what each layer leaves"
    return _picture(waterfall(title, series.workload.unit, bars))


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
