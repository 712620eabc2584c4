"""Every scenario on a testbed of its own: each finding holds, and each control fails. And what running one takes care of."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from testbed import scenario
from testbed.documented.claims import CLAIMS
from testbed.documented.engines import SEVERAL_HOURS
from testbed.errors import ClientError, TestbedError
from testbed.report.claims import weigh
from testbed.results import Finding, Verdict
from testbed.scenario import Scenario
from testbed.testbed import Testbed, temporary

SCENARIOS = {each.name: each for each in scenario.find()}


@pytest.fixture(scope="module")
def turned() -> Iterator[Testbed]:
    """As in `make demo`: a delay of hours, for a clock that is turned."""
    with temporary(print, delay=SEVERAL_HOURS) as testbed:
        yield testbed


@pytest.mark.containers
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_finding_holds_and_every_control_fails(turned: Testbed, name: str) -> None:
    result = scenario.run(SCENARIOS[name], turned, print)
    assert result.error == ""
    assert not [reason for finding in result.findings for verdict, reason in [weigh(finding)] if verdict is not Verdict.HOLDS]
    assert {finding.claim for finding in result.findings} == set(SCENARIOS[name].claims), "it settles what it says it does"


def test_together_they_settle_every_claim() -> None:
    assert {claim for each in SCENARIOS.values() for claim in each.claims} == {claim.id for claim in CLAIMS}


# What running one takes care of

FOUND = Finding("R1", "something", Verdict.HOLDS, ("seen",))


def fake(*, error: BaseException | None = None) -> Scenario:
    def run(testbed: object, say: object) -> Iterator[Finding | str]:
        yield FOUND
        yield "a note"
        if error:
            raise error

    return Scenario("fake", "A fake one", ("R1",), run)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "said"),
    [(ClientError("the broker is gone", hint="Start it."), "the broker is gone Start it."), (ZeroDivisionError("by nought"), "ZeroDivisionError: by nought")],
)
def test_what_was_found_before_a_scenario_breaks_off_stays(error: Exception, said: str) -> None:
    result = scenario.run(fake(error=error), SimpleNamespace(), lambda line: None)  # type: ignore[arg-type]
    assert result.findings == (FOUND,) and result.notes == ("a note",) and said in result.error


def test_an_interruption_is_not_a_result() -> None:
    with pytest.raises(KeyboardInterrupt):
        scenario.run(fake(error=KeyboardInterrupt()), SimpleNamespace(), lambda line: None)  # type: ignore[arg-type]


def test_a_name_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(TestbedError, match="no scenario 'hand'") as refused:
        scenario.find(["hand"])
    assert "handshakes" in refused.value.hint
