"""A run as one HTML page that needs nothing else: no script, no font, no image, no network."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from testbed.report import matrix
from testbed.report.claims import settle_run, tally
from testbed.report.text import printable
from testbed.results import Run


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("testbed.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Text of a finding may hold what HTML cannot; the template's own is clean.
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.globals |= {
        "lines": matrix.lines,
        "mark": matrix.mark,
        "summary": matrix.summary,
        "legend": matrix.LEGEND,
    }
    return environment


def render(run: Run) -> str:
    """The whole page. Everything that comes from the run is escaped."""
    rows = settle_run(run)
    values: dict[str, Any] = {
        "run": run,
        "rows": rows,
        "tally": tally(rows),
        "matrices": [each for scenario in run.scenarios for each in scenario.matrices],
    }
    return _environment().get_template("page.html").render(values)
