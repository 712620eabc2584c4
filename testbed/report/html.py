"""A run as one self-contained HTML page: no script, font, image or network access."""

from functools import cache
from typing import Any

from jinja2 import Environment

from testbed.report import graph, matrix, pages, timeline
from testbed.report.text import control
from testbed.results import Run
from testbed.verdicts import by_theme, decide_run, tally


@cache
def _environment() -> Environment:
    environment = pages.environment("testbed.report")
    environment.globals |= {
        "control": control,
        "lines": matrix.lines,
        "mark": matrix.mark,
        "summary": matrix.summary,
        "legend": matrix.LEGEND,
    }
    return environment


def render(run: Run) -> str:
    """Return the page. All text from the run is escaped."""
    verdicts = decide_run(run)
    scenarios = run.scenarios
    values: dict[str, Any] = {
        "run": run,
        "themes": by_theme([verdict for verdict in verdicts if verdict.findings]),
        "unchecked": [verdict for verdict in verdicts if not verdict.findings],
        "tally": tally(verdicts),
        "timelines": [timeline.Sketch(line) for ran in scenarios for line in ran.timelines],
        "graphs": [
            (found.subject, graph.sketch(found.chains))
            for ran in scenarios
            for found in ran.dependencies
        ],
        "matrices": [matrix for ran in scenarios for matrix in ran.matrices],
    }
    return _environment().get_template("page.html").render(values)
