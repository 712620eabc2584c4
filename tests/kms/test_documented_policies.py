"""AWS's examples of key policies, as KMS takes them and as their pages say that they decide."""

import pytest

from testbed.kms import key_policy
from tests.support.documented_calls import Example
from tests.support.documented_condition_keys import CONDITION_KEYS
from tests.support.documented_policies import POLICIES
from tests.support.key_policies import Statement, allow, decide, deny, document

EXAMPLES = {**CONDITION_KEYS, **POLICIES}
ALLOWS_ALL_TLS = "only over TLS, and only in one Region"  # nothing of the testbed is outside it


def outcomes(example: Example, *more: Statement, reverse: bool = False) -> list[bool]:
    """Return the decisions on the calls, with ``more`` statements or in another order."""
    statements, calls = example
    ordered = [*statements, *more][:: -1 if reverse else 1]
    return [decide(document(*ordered), call.request()).allowed for call in calls]


def documented(example: Example) -> list[bool]:
    return [call.allowed for call in example[1]]


each = pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)


@each
def test_awss_examples_are_accepted_and_decide_as_their_pages_say(example: Example) -> None:
    key_policy.accepted(document(*example[0]))
    assert outcomes(example) == documented(example)


def test_each_example_allows_something_and_refuses_something() -> None:
    one_sided = {name for name, example in EXAMPLES.items() if len(set(documented(example))) < 2}
    assert one_sided == {ALLOWS_ALL_TLS, "an organization's accounts"}


@each
def test_the_order_of_statements_does_not_matter(example: Example) -> None:
    assert outcomes(example, reverse=True) == documented(example)


@each
def test_a_deny_outweighs_whatever_allows(example: Example) -> None:
    assert not any(outcomes(example, deny()))
    assert not any(outcomes(example, deny(), reverse=True))


@each
def test_an_allow_more_takes_nothing_away(example: Example) -> None:
    for statement in (allow(), allow({"AWS": "*"}, "kms:Decrypt")):
        for after, before in zip(outcomes(example, statement), documented(example), strict=True):
            assert after >= before


@each
def test_an_allow_with_an_unknown_key_gives_nothing(example: Example) -> None:
    for condition in (
        {"Null": {"s3:prefix": "true"}},
        {"StringNotEquals": {"s3:prefix": "x"}},
        {"StringEqualsIfExists": {"s3:prefix": "x"}},
        {"ForAllValues:StringEquals": {"s3:prefix": "x"}},
    ):
        assert outcomes(example, allow(Condition=condition)) == documented(example)
