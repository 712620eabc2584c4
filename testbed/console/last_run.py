"""The claims of the last report, which ``testbed demo`` writes beside the state folder."""

import json
from dataclasses import dataclass
from pathlib import Path

from testbed.report.as_json import SCHEMA

FOLDER = "report"


@dataclass(frozen=True)
class ClaimRow:
    """A claim and its verdict."""

    id: str
    verdict: str
    statement: str
    reason: str


@dataclass(frozen=True)
class LastRun:
    """When a run started, how many claims have each verdict, and the claims."""

    started: str
    summary: tuple[tuple[str, int], ...]
    claims: tuple[ClaimRow, ...]
    matrices: tuple[str, ...]


def read(state_folder: Path) -> LastRun | None:
    """Return the run, or None if there is no report that can be read."""
    try:
        document = json.loads((_folder(state_folder) / "report.json").read_text())
        if document["schema"] != SCHEMA:
            return None
        return LastRun(
            document["started"],
            tuple((str(name), int(count)) for name, count in document["summary"].items()),
            tuple(
                ClaimRow(claim["id"], claim["verdict"], claim["statement"], claim["reason"])
                for claim in document["claims"]
            ),
            tuple(
                matrix["subject"]
                for scenario in document["scenarios"]
                for matrix in scenario["matrices"]
            ),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def page(state_folder: Path) -> bytes | None:
    """Return the report as an HTML page, or None if there is none."""
    try:
        return (_folder(state_folder) / "report.html").read_bytes()
    except OSError:
        return None


def _folder(state_folder: Path) -> Path:
    return state_folder.parent / FOLDER
