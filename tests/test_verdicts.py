"""Verdicts on claims: only findings with evidence and a failing control make one hold."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.documented.claims import CLAIMS, THEMES
from testbed.results import Finding, Run, ScenarioResult, Verdict
from testbed.verdicts import (
    NOT_CHECKED,
    ClaimVerdict,
    by_theme,
    decide,
    decide_run,
    succeeded,
    tally,
)

HOLDS, FAILS, NOT_REPRODUCIBLE = Verdict.HOLDS, Verdict.FAILS, Verdict.NOT_REPRODUCIBLE
CONTROL = Finding("T3", "a listener with a third suite", FAILS, ("an extra suite",))
GOOD = Finding("T3", "RABBITMQ amqps:5671", HOLDS, ("two suites accepted",), CONTROL)


def finding(verdict: Verdict, control: Finding | None = CONTROL, claim: str = "T3") -> Finding:
    return Finding(claim, "a subject", verdict, ("seen",), control)


def verdict_on(findings: list[Finding], claim: str = "T3") -> ClaimVerdict:
    return next(verdict for verdict in decide(findings) if verdict.claim.id == claim)


def run_of(*scenarios: ScenarioResult) -> Run:
    return Run(datetime(2026, 1, 2, tzinfo=UTC), 12.34, {}, scenarios)


def scenario(*findings: Finding, error: str = "") -> ScenarioResult:
    return ScenarioResult("tls", "What the listeners accept", findings, 1.5, error)


def test_the_claims_are_complete_and_distinct() -> None:
    ids = [claim.id for claim in CLAIMS]
    assert len(ids) == len(set(ids)) == 32
    assert Counter(claim_id[0] for claim_id in ids) == {
        "P": 9,
        "R": 11,
        "G": 3,
        "T": 8,
        "E": 1,
    }
    assert all(claim.statement and claim.evidence for claim in CLAIMS)


def test_claims_are_grouped_by_theme_in_their_order() -> None:
    groups = by_theme(decide([]))
    assert list(groups) == list(THEMES.values())
    ids = [verdict.claim.id for group in groups.values() for verdict in group]
    assert ids == [claim.id for claim in CLAIMS]
    [unknown] = [verdict for verdict in decide([replace(GOOD, claim="X1")]) if verdict.findings]
    assert list(by_theme([unknown])) == ["Other"]


def test_a_claim_with_evidence_and_a_failing_control_holds() -> None:
    assert verdict_on([GOOD]).verdict is HOLDS
    assert verdict_on([GOOD]).reason == ""


@pytest.mark.parametrize(
    ("findings", "verdict", "reason"),
    [
        ([finding(FAILS)], FAILS, "seen"),
        ([GOOD, finding(FAILS)], FAILS, "seen"),
        ([GOOD, finding(HOLDS, None)], FAILS, "no control was run"),
        ([GOOD, finding(HOLDS, finding(HOLDS))], FAILS, "control did not fail"),
        ([GOOD, finding(HOLDS, finding(NOT_REPRODUCIBLE))], FAILS, "control did not fail"),
        ([Finding("T3", "a subject", HOLDS, (), CONTROL)], FAILS, "no evidence"),
        ([finding(NOT_REPRODUCIBLE, None)], NOT_REPRODUCIBLE, "seen"),
        ([GOOD, finding(NOT_REPRODUCIBLE, None)], NOT_REPRODUCIBLE, "seen"),
        ([finding(NOT_REPRODUCIBLE, None), finding(FAILS)], FAILS, "seen"),
        ([], None, ""),
    ],
)
def test_anything_less_does_not(
    findings: list[Finding], verdict: Verdict | None, reason: str
) -> None:
    decided = verdict_on(findings)
    assert decided.verdict is verdict
    assert reason in decided.reason
    assert decided.findings == tuple(findings)


def test_claims_without_a_finding_are_listed() -> None:
    assert [verdict.status for verdict in decide([])] == [NOT_CHECKED] * len(CLAIMS)


def test_an_unknown_claim_is_not_lost() -> None:
    last = decide([finding(HOLDS, claim="T99")])[-1]
    assert (last.claim.id, last.verdict, last.reason) == ("T99", FAILS, "no such claim")


def test_findings_of_an_unfinished_scenario_hold_nothing() -> None:
    run = run_of(scenario(GOOD), scenario(GOOD, error="lost the broker"))
    decided = next(verdict for verdict in decide_run(run) if verdict.claim.id == "T3")
    assert decided.verdict is None
    assert decided.reason == "scenario tls did not finish"
    assert not succeeded(run)
    assert succeeded(run_of(scenario(GOOD)))
    assert succeeded(run_of())


def test_a_scenario_that_breaks_off_before_its_first_finding_leaves_its_claims_unchecked() -> None:
    broken = replace(scenario(error="lost the broker"), name="broken", claims=("T3",))
    decided = next(
        verdict
        for verdict in decide_run(run_of(scenario(GOOD), broken))
        if verdict.claim.id == "T3"
    )
    assert (decided.verdict, decided.reason) == (None, "scenario broken did not finish")


def test_a_failure_in_an_unfinished_scenario_still_fails() -> None:
    run = run_of(scenario(finding(FAILS), error="lost the broker"))
    assert next(verdict for verdict in decide_run(run) if verdict.claim.id == "T3").verdict is FAILS
    assert not succeeded(run_of(scenario(finding(FAILS))))


def test_the_tally_has_every_status() -> None:
    assert tally(decide([GOOD])) == {
        "HOLDS": 1,
        "FAILS": 0,
        "NOT REPRODUCIBLE LOCALLY": 0,
        NOT_CHECKED: len(CLAIMS) - 1,
    }


claim_ids = st.sampled_from(["T1", "T3", "unknown"])
evidence = st.lists(st.sampled_from(["seen"]), max_size=2).map(tuple)
findings = st.recursive(
    st.builds(Finding, claim_ids, st.just("a subject"), st.sampled_from(Verdict), evidence),
    lambda control: st.builds(
        Finding, claim_ids, st.just("a subject"), st.sampled_from(Verdict), evidence, control
    ),
    max_leaves=3,
)


@given(st.lists(findings, max_size=6))
def test_only_a_whole_proof_holds(drawn: list[Finding]) -> None:
    for verdict in decide(drawn):
        if verdict.verdict is HOLDS:
            assert verdict.findings
            assert all(
                finding.verdict is HOLDS and finding.control and finding.control.verdict is FAILS
                for finding in verdict.findings
            )
