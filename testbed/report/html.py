"""A run as one HTML page that needs nothing else: no script, no font, no image, no network."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from testbed.report.claims import settle_run, tally
from testbed.report.text import printable
from testbed.results import Run, read_suite_note


@dataclass(frozen=True)
class _Matrix:
    """The suites accepted, a column for each listener and version."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[bool, ...]], ...]


def _matrix(notes: Sequence[str]) -> _Matrix | None:
    accepted = {(subject, version): suites for subject, version, suites in filter(None, map(read_suite_note, notes))}
    names = dict.fromkeys(name for suites in accepted.values() for name in suites)
    rows = tuple((name, tuple(name in suites for suites in accepted.values())) for name in names)
    return _Matrix(tuple(accepted), rows) if accepted else None


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
    environment.tests["suites"] = lambda note: read_suite_note(note) is not None
    return environment


def render(run: Run) -> str:
    """The whole page. Everything that comes from the run is escaped."""
    rows = settle_run(run)
    values: dict[str, Any] = {
        "run": run,
        "rows": rows,
        "tally": tally(rows),
        "matrix": _matrix([note for scenario in run.scenarios for note in scenario.notes]),
    }
    return _environment().get_template("page.html").render(values)
