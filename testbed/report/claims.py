"""What the findings of a run say about the claims. Pure.

A claim HOLDS only if something was observed, all of it holds, and the same check was seen to fail
where it has to.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from testbed.documented.claims import CLAIMS, Claim
from testbed.results import Finding, Run, Verdict

NOT_CHECKED = "NOT YET CHECKED"


@dataclass(frozen=True)
class Row:
    """A claim with its verdict (None: not yet checked), the reason where it does not hold, and all findings."""

    claim: Claim
    verdict: Verdict | None
    reason: str
    findings: tuple[Finding, ...]

    @property
    def status(self) -> str:
        return self.verdict.value if self.verdict else NOT_CHECKED


def weigh(finding: Finding) -> tuple[Verdict, str]:
    """What one finding is worth, and why not HOLDS where it is not."""
    if finding.verdict is not Verdict.HOLDS:
        return (
            finding.verdict,
            f"{finding.subject}: {finding.evidence[0] if finding.evidence else 'no reason given'}",
        )
    if not finding.evidence:
        return Verdict.FAILS, f"{finding.subject}: no evidence"
    if finding.control is None:
        return Verdict.FAILS, f"{finding.subject}: no control was run"
    if finding.control.verdict is not Verdict.FAILS:
        return Verdict.FAILS, f"{finding.subject}: control did not fail ({finding.control.subject})"
    return Verdict.HOLDS, ""


def settle(findings: Sequence[Finding]) -> tuple[Row, ...]:
    """A row for each claim of the table, in its order, then one for each claim id that is in no table.

    One finding that fails decides its claim; one that is not reproducible here decides it otherwise.
    """
    rows = [
        _row(claim, tuple(each for each in findings if each.claim == claim.id)) for claim in CLAIMS
    ]
    known = {claim.id for claim in CLAIMS}
    for unknown in dict.fromkeys(each.claim for each in findings if each.claim not in known):
        about = tuple(each for each in findings if each.claim == unknown)
        rows.append(Row(Claim(unknown, "", ""), Verdict.FAILS, "no such claim", about))
    return tuple(rows)


def _row(claim: Claim, findings: tuple[Finding, ...]) -> Row:
    if not findings:
        return Row(claim, None, "", ())
    weighed = [weigh(each) for each in findings]
    for verdict in (Verdict.FAILS, Verdict.NOT_REPRODUCIBLE):
        reasons = [reason for each, reason in weighed if each is verdict]
        if reasons:
            return Row(claim, verdict, "; ".join(reasons), findings)
    return Row(claim, Verdict.HOLDS, "", findings)


def settle_run(run: Run) -> tuple[Row, ...]:
    """As ``settle``; what a scenario found before it broke off leaves a claim unchecked rather than held."""
    rows = settle([finding for scenario in run.scenarios for finding in scenario.findings])
    broken: dict[str, str] = {}
    for scenario in run.scenarios:
        if scenario.error:
            broken |= {
                finding.claim: f"scenario {scenario.name} broke off"
                for finding in scenario.findings
            }
    return tuple(
        replace(row, verdict=None, reason=broken[row.claim.id])
        if row.verdict is Verdict.HOLDS and row.claim.id in broken
        else row
        for row in rows
    )


def tally(rows: Sequence[Row]) -> dict[str, int]:
    """How many claims have each status; every status is there, also with 0."""
    counted = Counter(row.status for row in rows)
    return {
        status: counted[status] for status in (*(verdict.value for verdict in Verdict), NOT_CHECKED)
    }


def succeeded(run: Run) -> bool:
    """Whether no claim fails and no scenario broke off: what an exit status should say."""
    return not any(scenario.error for scenario in run.scenarios) and all(
        row.verdict is not Verdict.FAILS for row in settle_run(run)
    )
