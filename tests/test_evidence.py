"""A finding holds only if each look is yes and its control's is no; and the page of evidence."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from testbed import clients, evidence, scenario
from testbed.documented.claims import CLAIMS
from testbed.errors import ClientError, KmsError
from testbed.evidence import Observation, contrast
from testbed.results import Verdict
from testbed.verdicts import decide

YES, NO = Observation(yes=True, evidence="yes"), Observation(yes=False, evidence="no")
PAGE = (Path(__file__).resolve().parent.parent / "docs" / "evidence.md").read_text()


@pytest.mark.parametrize(
    ("looks", "control", "also", "holds"),
    [
        ([YES], [NO], [], True),
        ([YES, YES], [NO, NO], [YES], True),
        ([YES, NO], [NO, NO], [], False),
        ([YES], [NO], [NO], False),
        ([YES], [YES], [], False),
        # One look of the control is enough for doubt: it does not tell the fault.
        ([YES, YES], [NO, YES], [], False),
    ],
)
def test_a_claim_holds_if_every_look_tells_the_fault(
    looks: list[Observation],
    control: list[Observation],
    also: list[Observation],
    holds: bool,
) -> None:
    finding = contrast("T1", "a subject", looks, "its control", control, also=also)
    [verdict] = [verdict for verdict in decide([finding]) if verdict.claim.id == "T1"]
    assert (verdict.verdict is Verdict.HOLDS) == holds
    assert len(finding.evidence) == len(looks) + len(also)


def test_the_reason_of_a_verdict_is_the_look_that_failed() -> None:
    looks, also = [YES, NO], [Observation(yes=True, evidence="besides")]
    finding = contrast("T1", "a subject", looks, "its control", [NO, YES], also=also)
    [verdict] = [verdict for verdict in decide([finding]) if verdict.claim.id == "T1"]
    assert verdict.reason == "a subject: no"
    assert finding.evidence == ("no", "yes", "besides")
    assert finding.control
    assert finding.control.evidence == ("yes", "no")


@pytest.mark.parametrize(("looks", "control"), [([], []), ([YES], []), ([YES], [NO, NO])])
def test_a_control_that_does_not_repeat_every_look_is_none(
    looks: list[Observation], control: list[Observation]
) -> None:
    with pytest.raises(ValueError, match="looks, and"):
        contrast("T1", "a subject", looks, "its control", control)


def test_the_inverse_of_a_look_has_its_evidence() -> None:
    assert (YES.inverse.yes, YES.inverse.evidence) == (False, "yes")
    assert YES.inverse.inverse == YES


@pytest.mark.parametrize("serves", [True, False])
def test_a_node_whose_volume_attaches_does_not_stay_down_even_if_it_does_not_serve(
    serves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(_: object) -> SimpleNamespace:
        if not serves:
            raise ClientError("nobody answers")
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(clients, "connect", connect)
    brokers: Any = SimpleNamespace(
        upkeep=SimpleNamespace(attach=lambda *_: None),
        peek=lambda _: SimpleNamespace(engine_type="RABBITMQ"),
        address=lambda *_: None,
    )
    if serves:
        assert not evidence.stays_down(brokers, "b-1").yes
    else:
        with pytest.raises(ClientError, match="clients do not connect"):
            evidence.stays_down(brokers, "b-1")


@pytest.mark.parametrize("code", ["KMSInternalException", "ThrottlingException"])
def test_a_kms_that_does_not_answer_has_refused_nothing(code: str) -> None:
    def call(*_: object) -> None:
        raise KmsError("It fails.", code=code)

    with pytest.raises(KmsError):
        evidence.ask(SimpleNamespace(call=call), "Decrypt", {})
    code = "AccessDeniedException"
    answer = evidence.ask(SimpleNamespace(call=call), "Decrypt", {})
    assert answer.denied, "control"


def test_the_page_has_a_row_for_each_claim_of_each_scenario() -> None:
    rows = re.findall(r"^\| ([A-Z]\d+) \| `(\w+)` \|", PAGE, re.MULTILINE)
    decided = {(claim, found.name) for found in scenario.find() for claim in found.claims}
    assert set(rows) == decided
    assert len(rows) == len(decided)
    order = [claim.id for claim in CLAIMS]
    assert [order.index(claim) for claim, _ in rows] == sorted(
        order.index(claim) for claim, _ in rows
    )


def test_the_page_says_what_is_looked_at_and_in_what_a_control_differs() -> None:
    for row in re.findall(r"^\| [A-Z]\d+ \|.*$", PAGE, re.MULTILINE):
        claim, _, looked_at, control, difference = (cell.strip() for cell in row.split("|")[1:-1])
        assert looked_at, row
        assert control, row
        assert difference or claim == "P9", row
