"""Codes are those of RFC 6238 and are accepted for the steps around now."""

import base64

import pytest

from testbed.account import mfa

SEED = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("at", "code"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")]
)
def test_codes_are_those_of_the_rfc(at: int, code: str) -> None:
    assert mfa.code(SEED, at) == code


@pytest.mark.parametrize(
    ("offset", "accepted"), [(0, True), (-30, True), (30, True), (-90, False), (90, False)]
)
def test_a_code_counts_for_the_steps_around_now(offset: int, accepted: bool) -> None:
    now = 1_700_000_000.0
    assert (mfa.step_of(SEED, mfa.code(SEED, now + offset), now) is not None) == accepted


def test_two_codes_in_a_row_are_needed() -> None:
    now = 1_700_000_000.0
    first, second = mfa.code(SEED, now), mfa.code(SEED, now + 30)
    assert mfa.consecutive(SEED, first, second, now)
    assert not mfa.consecutive(SEED, second, first, now)
    assert not mfa.consecutive(SEED, first, first, now)
