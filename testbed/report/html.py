"""A run as one self-contained HTML page: no script, font, image or network access."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from testbed.report import matrix
from testbed.report.text import printable
from testbed.results import Run
from testbed.verdicts import decide_run, tally


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("testbed.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Findings may contain characters that HTML cannot; the template does not.
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
    """Return the page. All text from the run is escaped."""
    verdicts = decide_run(run)
    values: dict[str, Any] = {
        "run": run,
        "verdicts": verdicts,
        "tally": tally(verdicts),
        "matrices": [matrix for scenario in run.scenarios for matrix in scenario.matrices],
    }
    return _environment().get_template("page.html").render(values)
