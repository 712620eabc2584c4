"""A result as one HTML page that needs nothing else: no script, no font, no image, no network."""

from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from testbed.bench.compare import Series
from testbed.bench.contrast import Contrast
from testbed.bench.result import Result, caveats
from testbed.bench.summary import steps, summaries
from testbed.bench.svg import Axis, Bar, Line, lines, waterfall
from testbed.bench.sweep import Curve
from testbed.report.text import printable

# Where a percentile curve has its marks: 1 / (1 - percentile), so that every nine takes the same room.
_NINES = tuple(
    (1 / (1 - percentile / 100), f"{percentile:g} %")
    for percentile in (50.0, 90.0, 99.0, 99.9, 99.99)
)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("testbed.bench", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters["number"] = number
    return environment


def render(result: Result, contrasts: Sequence[Contrast] = ()) -> str:
    """The whole page; ``contrasts`` are comparisons with other results."""
    values = {
        "result": result,
        "caveats": caveats(result),
        "series": [
            (each, summaries(each), _waterfall(each), _percentiles(each)) for each in result.series
        ],
        "curves": [
            (workload, _rates(curves), _late(curves), curves)
            for workload, curves in _grouped(result.curves)
        ],
        "contrasts": contrasts,
    }
    return _environment().get_template("page.html").render(values)


def number(value: float | None, digits: int = 3) -> str:
    """For people: as many digits as mean something."""
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"


def _waterfall(series: Series) -> Markup:
    made = summaries(series)
    notes = [""] + [f"{step} of the one above" for step in steps(series)]
    bars = [
        Bar(each.label, each.rate, each.low, each.high, note)
        for each, note in zip(made, notes, strict=True)
    ]
    return Markup(waterfall(f"{series.workload.title}: what each layer leaves", unit(series), bars))  # noqa: S704 - svg escapes all text


def unit(series: Series) -> str:
    return "connections/s" if series.workload.pattern == "connect" else "msg/s"


def _percentiles(series: Series) -> Markup:
    connecting = series.workload.pattern == "connect"
    drawn = [
        Line(
            each.label,
            tuple(
                (1 / (1 - min(p, 99.999) / 100), ms)
                for p, ms in (each.confirmation if connecting else each.end_to_end).curve()
                if p >= 10
            ),
        )
        for each in summaries(series)
    ]
    what = "time to connect (ms)" if connecting else "end to end (ms)"
    return Markup(
        lines(
            f"{series.workload.title}: latency by percentile",
            Axis("percentile", True, _NINES),
            Axis(what, True),
            drawn,
        )
    )


def _grouped(curves: Sequence[Curve]) -> list[tuple[str, list[Curve]]]:
    groups: dict[str, list[Curve]] = {}
    for curve in curves:
        groups.setdefault(
            f"{curve.workload.title or curve.workload.name}, {curve.driver.title or curve.driver.name}",
            [],
        ).append(curve)
    return list(groups.items())


def _rates(curves: Sequence[Curve]) -> Markup:
    drawn = [
        Line(each.label, tuple((point.rate, point.throughput) for point in each.points))
        for each in curves
    ]
    return Markup(
        lines("Throughput against rate", Axis("offered (msg/s)"), Axis("delivered (msg/s)"), drawn)
    )


def _late(curves: Sequence[Curve]) -> Markup:
    drawn = [
        Line(
            each.label, tuple((point.rate, point.round.end_to_end.at(99)) for point in each.points)
        )
        for each in curves
    ]
    return Markup(
        lines(
            "Latency against rate",
            Axis("offered (msg/s)"),
            Axis("end to end, 99 of 100 (ms)", True),
            drawn,
        )
    )
