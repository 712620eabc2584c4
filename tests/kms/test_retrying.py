"""``RetryingKms``: outages are ridden out within bounds, refusals are answers."""

from collections.abc import Mapping
from typing import Any

import pytest

from testbed.errors import KmsError
from testbed.kms.base import USER, Caller
from testbed.kms.retrying import RetryingKms
from tests.support.kms_container import localstack

OUTAGE = KmsError("no answer", code="KMSInternalException", status=500)
REFUSAL = KmsError("is disabled", code="DisabledException")


class Scripted:
    """Answers as listed: an error is raised, anything else returned."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[Caller, str, Mapping[str, Any]]] = []

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append((caller, operation, parameters))
        answer = self.answers.pop(0)
        if isinstance(answer, KmsError):
            raise answer
        return answer  # type: ignore[return-value]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def retrying(kms: Scripted, clock: Clock, jitter: float = 1.0, **bounds: Any) -> RetryingKms:
    return RetryingKms(
        kms, sleep=clock.sleep, clock=lambda: clock.now, jitter=lambda: jitter, **bounds
    )


def test_an_outage_is_tried_again_with_the_same_request() -> None:
    kms, clock = Scripted(OUTAGE, OUTAGE, {"Keys": []}), Clock()
    assert retrying(kms, clock).call(USER, "ListKeys", {"Limit": 1}) == {"Keys": []}
    assert kms.calls == [(USER, "ListKeys", {"Limit": 1})] * 3


def test_a_refusal_is_raised_at_once() -> None:
    kms, clock = Scripted(REFUSAL, {}), Clock()
    with pytest.raises(KmsError) as raised:
        retrying(kms, clock).call(USER, "Decrypt", {})
    assert raised.value is REFUSAL
    assert len(kms.calls) == 1
    assert clock.pauses == []


def test_a_refusal_after_an_outage_is_raised_too() -> None:
    kms, clock = Scripted(OUTAGE, REFUSAL, {}), Clock()
    with pytest.raises(KmsError) as raised:
        retrying(kms, clock).call(USER, "Decrypt", {})
    assert raised.value is REFUSAL
    assert len(kms.calls) == 2


def test_pauses_double_up_to_the_longest() -> None:
    kms, clock = Scripted(*[OUTAGE] * 5, {}), Clock()
    retrying(kms, clock, first=0.1, longest=0.5).call(USER, "ListKeys", {})
    assert clock.pauses == pytest.approx([0.1, 0.2, 0.4, 0.5, 0.5])


def test_jitter_scales_each_pause() -> None:
    kms, clock = Scripted(OUTAGE, OUTAGE, {}), Clock()
    retrying(kms, clock, jitter=0.25, first=0.4).call(USER, "ListKeys", {})
    assert clock.pauses == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize(
    ("bounds", "calls"),
    [({"attempts": 3}, 3), ({"attempts": 1}, 1), ({"attempts": 99, "patience": 0.75}, 4)],
)
def test_an_outage_without_end_is_raised_when_the_bounds_are_reached(
    bounds: dict[str, Any], calls: int
) -> None:
    kms, clock = Scripted(*[OUTAGE] * 99), Clock()
    with pytest.raises(KmsError) as raised:
        retrying(kms, clock, **bounds).call(USER, "ListKeys", {})
    assert raised.value is OUTAGE
    assert len(kms.calls) == calls
    assert clock.now <= bounds.get("patience", 10.0)


@pytest.mark.containers
def test_a_call_during_a_restart_of_the_real_kms_succeeds() -> None:
    with localstack() as container:
        container.start()
        key = container.kms.call(USER, "CreateKey", {})["KeyMetadata"]["KeyId"]
        container.kill()

        with pytest.raises(KmsError, match="KMSInternalException"):  # control: without the wrapper
            container.kms.call(USER, "DescribeKey", {"KeyId": key})

        pauses: list[float] = []

        def start_while_waiting(seconds: float) -> None:
            pauses.append(seconds)
            container.start()

        answer = RetryingKms(container.kms, patience=60, sleep=start_while_waiting).call(
            USER, "DescribeKey", {"KeyId": key}
        )
        assert answer["KeyMetadata"]["KeyId"] == key
        assert len(pauses) == 1
