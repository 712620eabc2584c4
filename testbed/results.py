"""What a check found: small frozen values that carry their evidence. Nothing here renders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Verdict(str, Enum):
    HOLDS = "HOLDS"
    FAILS = "FAILS"
    NOT_REPRODUCIBLE = "NOT REPRODUCIBLE LOCALLY"


@dataclass(frozen=True)
class Finding:
    """One check of one claim on one subject.

    ``evidence`` is what was observed, one sentence each. ``control`` is the same check
    run where it has to fail; a finding whose control does not fail proves nothing, and
    ``claims.settle`` says so.
    """

    claim: str  # an id of the claims table, e.g. "T3"
    subject: str  # what was looked at, e.g. "RABBITMQ amqps:5671"
    verdict: Verdict
    evidence: tuple[str, ...]
    control: "Finding | None" = None


@dataclass(frozen=True)
class ScenarioResult:
    """One scenario's run. ``error`` is empty unless the scenario itself could not finish."""

    name: str
    title: str
    findings: tuple[Finding, ...]
    seconds: float
    error: str = ""
    notes: tuple[str, ...] = ()  # measurements and caveats that settle no claim


@dataclass(frozen=True)
class Run:
    """What was run together. ``started`` is aware; ``environment`` names versions and the machine, no secrets."""

    started: datetime
    seconds: float
    environment: dict[str, str]
    scenarios: tuple[ScenarioResult, ...]


_SUITES, _ON = "Suites accepted by ", " on "


def suite_note(subject: str, version: str, suites: Sequence[str]) -> str:
    """The suites a listener accepts as a note that ``read_suite_note`` reads back."""
    return f"{_SUITES}{subject}{_ON}{version}: {', '.join(suites)}"


def read_suite_note(note: str) -> tuple[str, str, tuple[str, ...]] | None:
    """Subject, version and suites of a note written by ``suite_note``; None for any other."""
    head, colon, suites = note.removeprefix(_SUITES).rpartition(": ")
    subject, on, version = head.rpartition(_ON)
    if not (note.startswith(_SUITES) and colon and on):
        return None
    return subject, version, tuple(suites.split(", "))
