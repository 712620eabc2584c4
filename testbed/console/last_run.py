"""The last report and benchmark, in the folder ``report`` beside the state folder."""

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec

from testbed.report.as_json import SCHEMA
from testbed.timeline import Timeline
from testbed.verdicts import NOT_CHECKED

FOLDER = "report"
# `testbed demo` writes the first, `testbed bench ... --html` the second where it is asked to.
PAGES = {"report": "report.html", "benchmark": "benchmark.html"}


@dataclass(frozen=True)
class ClaimRow:
    """A claim and its verdict."""

    id: str
    verdict: str
    statement: str
    reason: str


@dataclass(frozen=True)
class LastRun:
    """When a run started, its claims, those that were checked first, and its time lines."""

    started: str
    summary: tuple[tuple[str, int], ...]
    claims: tuple[ClaimRow, ...]
    matrices: tuple[str, ...]
    timelines: tuple[Timeline, ...]


def read(state_folder: Path) -> LastRun | None:
    """Return the run, or None if there is no report that can be read."""
    try:
        document = json.loads((_folder(state_folder) / "report.json").read_text())
        if document["schema"] != SCHEMA:
            return None
        claims = sorted(document["claims"], key=lambda claim: claim["verdict"] == NOT_CHECKED)
        return LastRun(
            document["started"],
            tuple((str(name), int(count)) for name, count in document["summary"].items()),
            tuple(
                ClaimRow(claim["id"], claim["verdict"], claim["statement"], claim["reason"])
                for claim in claims
            ),
            tuple(
                matrix["subject"]
                for scenario in document["scenarios"]
                for matrix in scenario["matrices"]
            ),
            tuple(
                msgspec.convert(timeline, Timeline)
                for scenario in document["scenarios"]
                for timeline in scenario.get("timelines", ())
            ),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def page(state_folder: Path, name: str) -> bytes | None:
    """Return one of ``PAGES``, or None if there is none."""
    try:
        return (_folder(state_folder) / PAGES[name]).read_bytes()
    except OSError:
        return None


def benchmarked(state_folder: Path) -> float | None:
    """Return when the benchmark's page was written, in seconds since 1970; None without one."""
    try:
        return (_folder(state_folder) / PAGES["benchmark"]).stat().st_mtime
    except OSError:
        return None


def _folder(state_folder: Path) -> Path:
    return state_folder.parent / FOLDER
