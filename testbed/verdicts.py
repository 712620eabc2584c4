"""What the findings of a run say about the claims. Pure.

A claim HOLDS only if something was observed, every finding holds, and every control failed.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from testbed.documented.claims import CLAIMS, Claim
from testbed.results import Finding, Run, Verdict

NOT_CHECKED = "NOT YET CHECKED"


@dataclass(frozen=True)
class ClaimVerdict:
    """A claim with its verdict, the reason unless it holds, and all of its findings.

    ``verdict`` is None for a claim that is not checked yet.
    """

    claim: Claim
    verdict: Verdict | None
    reason: str
    findings: tuple[Finding, ...]

    @property
    def status(self) -> str:
        return self.verdict.value if self.verdict else NOT_CHECKED


def decide(findings: Sequence[Finding]) -> tuple[ClaimVerdict, ...]:
    """Return the verdict on each claim, in the order of ``CLAIMS``; unknown claim ids follow.

    A claim fails when one of its findings fails, and is not reproducible when none fails and one
    is not reproducible. An unknown claim id fails.
    """
    known = {claim.id for claim in CLAIMS}
    by_claim: dict[str, list[Finding]] = {}
    for finding in findings:
        by_claim.setdefault(finding.claim, []).append(finding)
    return (
        *(_verdict(claim, tuple(by_claim.get(claim.id, ()))) for claim in CLAIMS),
        *(
            ClaimVerdict(Claim(unknown, "", ""), Verdict.FAILS, "no such claim", tuple(about))
            for unknown, about in by_claim.items()
            if unknown not in known
        ),
    )


def decide_run(run: Run) -> tuple[ClaimVerdict, ...]:
    """Return the verdicts on the claims of ``run``.

    A claim that would hold stays unchecked if one of its scenarios did not finish, also one that
    broke off before its first finding.
    """
    unfinished = {
        claim: f"scenario {scenario.name} did not finish"
        for scenario in run.scenarios
        if scenario.error
        for claim in (*scenario.claims, *(finding.claim for finding in scenario.findings))
    }
    return tuple(
        replace(verdict, verdict=None, reason=unfinished[verdict.claim.id])
        if verdict.verdict is Verdict.HOLDS and verdict.claim.id in unfinished
        else verdict
        for verdict in decide(
            [finding for scenario in run.scenarios for finding in scenario.findings]
        )
    )


def tally(verdicts: Sequence[ClaimVerdict]) -> dict[str, int]:
    """Count the claims of each status, including those with none."""
    counts = Counter(verdict.status for verdict in verdicts)
    return {
        status: counts[status] for status in (*(verdict.value for verdict in Verdict), NOT_CHECKED)
    }


def by_theme(verdicts: Sequence[ClaimVerdict]) -> dict[str, tuple[ClaimVerdict, ...]]:
    """Group the claims by theme."""
    groups: dict[str, list[ClaimVerdict]] = {}
    for verdict in verdicts:
        groups.setdefault(verdict.claim.theme, []).append(verdict)
    return {theme: tuple(group) for theme, group in groups.items()}


def succeeded(run: Run) -> bool:
    """Return whether no claim fails and every scenario finished."""
    return not any(scenario.error for scenario in run.scenarios) and all(
        verdict.verdict is not Verdict.FAILS for verdict in decide_run(run)
    )


def _verdict(claim: Claim, findings: tuple[Finding, ...]) -> ClaimVerdict:
    if not findings:
        return ClaimVerdict(claim, None, "", ())
    assessed = [_assess(finding) for finding in findings]
    for decisive in (Verdict.FAILS, Verdict.NOT_REPRODUCIBLE):
        reasons = [reason for verdict, reason in assessed if verdict is decisive]
        if reasons:
            return ClaimVerdict(claim, decisive, "; ".join(reasons), findings)
    return ClaimVerdict(claim, Verdict.HOLDS, "", findings)


def _assess(finding: Finding) -> tuple[Verdict, str]:
    """Return what one finding proves, and the reason unless it proves that the claim holds."""
    if finding.verdict is not Verdict.HOLDS:
        reason = finding.evidence[0] if finding.evidence else "no reason given"
        return finding.verdict, f"{finding.subject}: {reason}"
    if not finding.evidence:
        return Verdict.FAILS, f"{finding.subject}: no evidence"
    if finding.control is None:
        return Verdict.FAILS, f"{finding.subject}: no control was run"
    if finding.control.verdict is not Verdict.FAILS:
        return Verdict.FAILS, f"{finding.subject}: control did not fail ({finding.control.subject})"
    return Verdict.HOLDS, ""
