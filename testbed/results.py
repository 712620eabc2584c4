"""The results of checks: small frozen values that carry their evidence."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from testbed.documented.tls import Suite
from testbed.graph import Dependencies
from testbed.timeline import Timeline


class Verdict(StrEnum):
    """What a check or a claim comes to."""

    HOLDS = "HOLDS"
    FAILS = "FAILS"
    NOT_REPRODUCIBLE = "NOT REPRODUCIBLE LOCALLY"

    @classmethod
    def of(cls, holds: bool) -> "Verdict":
        return cls.HOLDS if holds else cls.FAILS


@dataclass(frozen=True)
class Finding:
    """One check of one claim on one subject.

    ``evidence`` is what was observed, one sentence each. ``control`` is the same check where it
    must fail: ``verdicts.decide`` counts a finding only if its control fails.
    """

    claim: str  # an id of the claims table, e.g. "T3"
    subject: str  # what was checked, e.g. "RABBITMQ amqps:5671"
    verdict: Verdict
    evidence: tuple[str, ...]
    control: "Finding | None" = None


@dataclass(frozen=True)
class Cell:
    """What one listener does with one suite of one version.

    ``documented`` is None if the page does not mention it, ``accepted`` is None if the listener did
    not answer. ``detail`` is how it refused, or why the suite that it chose does not count.
    """

    documented: bool | None
    accepted: bool | None
    detail: str = ""

    @property
    def state(self) -> Literal["accepted", "refused", "missing", "extra", "unstated", "unknown"]:
        """``accepted`` and ``refused`` are as documented, ``missing`` and ``extra`` are not."""
        if self.accepted is None:
            return "unknown"
        if self.documented is None:
            return "unstated"
        if self.documented:
            return "accepted" if self.accepted else "missing"
        return "extra" if self.accepted else "refused"

    @property
    def differs(self) -> bool:
        return self.state in ("missing", "extra", "unknown")


@dataclass(frozen=True)
class MatrixRow:
    """One suite of one version on every listener.

    Without ``suite``, the row stands for all ``others`` that were offered and have no row.
    """

    version: str
    suite: Suite | None
    cells: tuple[Cell, ...]
    others: int = 0


@dataclass(frozen=True)
class Matrix:
    """What the listeners of ``subject`` accept, one column each."""

    subject: str
    listeners: tuple[str, ...]
    rows: tuple[MatrixRow, ...]

    @property
    def differences(self) -> tuple[tuple[str, MatrixRow, Cell], ...]:
        """Listener, row and cell of each difference from the documentation."""
        return tuple(
            (name, row, cell)
            for row in self.rows
            for name, cell in zip(self.listeners, row.cells, strict=True)
            if cell.differs
        )


# What a scenario yields: findings, notes, and what is shown of what happened.
Output = Finding | Matrix | Timeline | Dependencies | str


@dataclass(frozen=True)
class ScenarioResult:
    """One run of a scenario. ``error`` is empty unless the scenario did not finish.

    ``claims`` are those that it decides, whether or not it came to a finding about them.
    """

    name: str
    title: str
    findings: tuple[Finding, ...]
    seconds: float
    error: str = ""
    notes: tuple[str, ...] = ()  # measurements and caveats that decide no claim
    matrices: tuple[Matrix, ...] = ()
    timelines: tuple[Timeline, ...] = ()
    dependencies: tuple[Dependencies, ...] = ()
    claims: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """Scenarios run together.

    ``started`` has a time zone; ``environment`` has versions and the machine, but no secrets.
    """

    started: datetime
    seconds: float
    environment: dict[str, str]
    scenarios: tuple[ScenarioResult, ...]
