"""What a check found: small frozen values that carry their evidence. Nothing here renders."""

from dataclasses import dataclass
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
