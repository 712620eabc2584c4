"""What is sent to LocalStack instead: different contexts are bound differently."""

from hypothesis import example, given
from hypothesis import strategies as st

from testbed.kms.backend import bind_context

text = st.text("ab:=", max_size=3)
contexts = st.dictionaries(text, text, max_size=3)


def as_localstack_binds(context: dict[str, str]) -> str:
    """Serialize as LocalStack 2026.3 does in ``_serialize_encryption_context``."""
    return "".join(
        key + value for key, value in sorted(context.items()) if key != "aws-crypto-public-key"
    )


@given(contexts, contexts)
@example({"aws:mq:broker": "b-1"}, {"aws:mq:brokerb": "-1"})
@example({"aws-crypto-public-key": "x"}, {})
@example({"a": "b", "c": "d"}, {"a": "bcd"})
@example({"pairs": "x"}, {"pair": "sx"})
def test_two_contexts_are_bound_alike_only_if_they_are_the_same(
    one: dict[str, str], other: dict[str, str]
) -> None:
    assert (as_localstack_binds(bind_context(one)) == as_localstack_binds(bind_context(other))) == (
        one == other
    )


def test_control_what_localstack_would_bind_is_the_same_for_different_contexts() -> None:
    assert as_localstack_binds({"aws:mq:broker": "b-1"}) == as_localstack_binds(
        {"aws:mq:brokerb": "-1"}
    )


def test_no_context_stays_none() -> None:
    assert bind_context(None) == bind_context({}) == {}
