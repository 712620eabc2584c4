"""What a check found: small frozen values that carry their evidence. Nothing here renders."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Literal

from testbed.documented.tls import Suite


class Verdict(str, Enum):
    HOLDS = "HOLDS"
    FAILS = "FAILS"
    NOT_REPRODUCIBLE = "NOT REPRODUCIBLE LOCALLY"

    @classmethod
    def of(cls, holds: bool) -> "Verdict":
        return cls.HOLDS if holds else cls.FAILS


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
class Cell:
    """What one listener does with one suite of one version.

    ``documented`` is None where the page says nothing of it, ``accepted`` None where the listener did
    not answer. ``detail`` is how it refused, or why a suite that it chose does not count.
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
    """One suite of one version on every listener; without ``suite`` all ``others`` that can be offered and have no row."""

    version: str
    suite: Suite | None
    cells: tuple[Cell, ...]
    others: int = 0


@dataclass(frozen=True)
class Matrix:
    """What the listeners of ``subject`` accept, a column for each."""

    subject: str
    listeners: tuple[str, ...]
    rows: tuple[MatrixRow, ...]

    @property
    def differences(self) -> tuple[tuple[str, MatrixRow, Cell], ...]:
        """Listener, row and cell of everything that is not as documented."""
        return tuple(
            (name, row, cell)
            for row in self.rows
            for name, cell in zip(self.listeners, row.cells, strict=True)
            if cell.differs
        )


@dataclass(frozen=True)
class ScenarioResult:
    """One scenario's run. ``error`` is empty unless the scenario itself could not finish."""

    name: str
    title: str
    findings: tuple[Finding, ...]
    seconds: float
    error: str = ""
    notes: tuple[str, ...] = ()  # measurements and caveats that settle no claim
    matrices: tuple[Matrix, ...] = ()


@dataclass(frozen=True)
class Run:
    """What was run together. ``started`` is aware; ``environment`` names versions and the machine, no secrets."""

    started: datetime
    seconds: float
    environment: dict[str, str]
    scenarios: tuple[ScenarioResult, ...]
