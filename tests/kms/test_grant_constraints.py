"""The constraints of a grant compare encryption contexts as pairs, and a child's are no looser."""

from hypothesis import given
from hypothesis import strategies as st

from testbed.kms.grant import Constraints, at_least_as_strict, satisfies

text = st.text("ab:=", max_size=3)
contexts = st.dictionaries(text, text, max_size=3)
constraints = st.dictionaries(
    st.sampled_from(["EncryptionContextSubset", "EncryptionContextEquals"]),
    contexts.filter(bool),
    max_size=2,
)


def test_the_guides_examples_of_a_subset() -> None:
    """KMS developer guide, "Grant constraints"."""
    constraint = {"EncryptionContextSubset": {"Department": "Finance", "Classification": "Public"}}
    assert satisfies({"Classification": "Public", "Department": "Finance"}, constraint)
    assert satisfies(
        {
            "Customer": "12345",
            "Department": "Finance",
            "Classification": "Public",
            "Purpose": "Test",
        },
        constraint,
    )
    assert not satisfies({"Department": "Finance"}, constraint)
    assert not satisfies({"department": "finance", "classification": "public"}, constraint)
    assert not satisfies({"Classification": "Public", "Customer": "12345"}, constraint)
    assert not satisfies(None, constraint)


def test_the_case_of_a_key_does_not_count_and_that_of_a_value_does() -> None:
    """API reference, GrantConstraints."""
    for kind in ("EncryptionContextSubset", "EncryptionContextEquals"):
        constraint = {kind: {"Department": "Finance"}}
        assert satisfies({"department": "Finance"}, constraint)
        assert not satisfies({"Department": "finance"}, constraint)
        assert at_least_as_strict({kind: {"DEPARTMENT": "Finance"}}, constraint)
        assert not at_least_as_strict({kind: {"Department": "finance"}}, constraint)


def test_equals_is_neither_more_nor_less() -> None:
    constraint = {"EncryptionContextEquals": {"Department": "IT"}}
    assert satisfies({"Department": "IT"}, constraint)
    assert not satisfies({"Department": "IT", "Purpose": "Test"}, constraint)
    assert not satisfies({}, constraint)


@given(constraints, constraints, contexts)
def test_no_context_gets_past_a_child_that_would_not_get_past_its_parent(
    child: Constraints, parent: Constraints, context: dict[str, str]
) -> None:
    if at_least_as_strict(child, parent) and satisfies(context, child):
        assert satisfies(context, parent)


@given(constraints, contexts.filter(bool))
def test_a_constraint_may_stay_grow_and_become_an_equality(
    parent: Constraints, extra: dict[str, str]
) -> None:
    assert at_least_as_strict(parent, parent)
    assert at_least_as_strict(parent, {})
    subset = parent.get("EncryptionContextSubset")
    if subset and len(parent) == 1:
        assert at_least_as_strict({"EncryptionContextSubset": {**extra, **subset}}, parent)
        assert at_least_as_strict({"EncryptionContextEquals": {**extra, **subset}}, parent)
        assert not at_least_as_strict({}, parent)
        assert not at_least_as_strict(parent, {"EncryptionContextEquals": subset})
