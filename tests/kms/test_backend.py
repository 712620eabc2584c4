"""What is sent to LocalStack instead, and how what it fails at is told from a refusal."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from testbed.errors import KmsError
from testbed.kms.backend import Backend, bind_context
from testbed.kms.base import USER, Caller, is_outage

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


class Failing:
    """LocalStack, whose disk is full, or which meets what it did not expect."""

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        raise KmsError("No space left on device", code="InternalError", status=500)


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("CreateKey", {}, "KMSInternalException"),
        ("Decrypt", {"CiphertextBlob": b"c"}, "KMSInternalException"),
        (
            "Decrypt",
            {"CiphertextBlob": b"c", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
            "InvalidCiphertextException",
        ),
    ],
)
def test_what_localstack_fails_at_is_an_outage_unless_it_is_garbage(
    operation: str, parameters: dict[str, Any], code: str
) -> None:
    with pytest.raises(KmsError) as failed:
        Backend(Failing()).call(USER, operation, parameters)
    assert failed.value.code == code
    assert is_outage(failed.value) is (code == "KMSInternalException")
    assert failed.value.status == (500 if is_outage(failed.value) else 400)
