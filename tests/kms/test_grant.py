"""One grant by itself: who may do what with it, when, and which grants may be created from it."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.kms.base import MQ, USER, USER_ACCOUNT, Caller
from testbed.kms.grant import Constraints, Grant, grant_id_of, new_id, operations_for
from tests.support.kms_authority import (
    ADMIN,
    EC2,
    GRANTEE,
    OTHER_ACCOUNT,
    SERVICE,
    SESSION,
    STRANGER,
    VOLUME,
)

KEY = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SUBSET = {"EncryptionContextSubset": VOLUME}


def make(grantee: str = "mq.amazonaws.com", *operations: str, **fields: Any) -> Grant:
    fields = {
        "issuing_account": USER_ACCOUNT,
        "created": 0.0,
        "starts": 0.0,
        "secret": "s",
        **fields,
    }
    return Grant(
        new_id(), KEY, grantee, operations or ("Decrypt", "DescribeKey", "CreateGrant"), **fields
    )


@pytest.mark.parametrize(
    ("grantee", "allowed"),
    [
        ("mq.amazonaws.com", [SERVICE, MQ]),
        (EC2.principal, [EC2]),
        (GRANTEE.principal, [GRANTEE]),
        (f"arn:aws:iam::{OTHER_ACCOUNT}:root", [GRANTEE]),
        (f"arn:aws:iam::{USER_ACCOUNT}:role/Ops", [SESSION]),
        (f"arn:aws:iam::{USER_ACCOUNT}:role/path/to/Ops", [SESSION]),
        (SESSION.principal, [SESSION]),
        (f"arn:aws:iam::{USER_ACCOUNT}:root", [USER, ADMIN, SESSION]),
    ],
)
def test_the_grantee_alone_is_allowed(grantee: str, allowed: list[Caller]) -> None:
    everyone = [USER, ADMIN, SESSION, GRANTEE, STRANGER, SERVICE, MQ, EC2]
    assert [caller for caller in everyone if make(grantee).allows(caller, "Decrypt", {})] == allowed


def test_what_it_lists_alone_is_allowed() -> None:
    grant = make()
    assert grant.allows(SERVICE, "Decrypt", {})
    assert grant.allows(SERVICE, "DescribeKey", {})
    for operation in (
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "RevokeGrant",
        "DisableKey",
    ):
        assert not grant.allows(SERVICE, operation, {})


def test_constraints_are_about_the_context_of_the_operation_and_nothing_else() -> None:
    grant = make(
        "mq.amazonaws.com",
        "Decrypt",
        "ReEncryptFrom",
        "ReEncryptTo",
        "DescribeKey",
        "RetireGrant",
        constraints=SUBSET,
    )
    assert grant.allows(SERVICE, "Decrypt", {"EncryptionContext": {**VOLUME, "more": "x"}})
    assert not grant.allows(SERVICE, "Decrypt", {"EncryptionContext": {"aws:ebs:id": "vol-other"}})
    assert not grant.allows(SERVICE, "Decrypt", {})
    assert not grant.allows(SERVICE, "Decrypt", {"SourceEncryptionContext": VOLUME})
    assert grant.allows(SERVICE, "ReEncryptFrom", {"SourceEncryptionContext": VOLUME})
    assert not grant.allows(SERVICE, "ReEncryptFrom", {})
    assert grant.allows(SERVICE, "ReEncryptTo", {"DestinationEncryptionContext": VOLUME})
    assert not grant.allows(SERVICE, "ReEncryptTo", {"SourceEncryptionContext": VOLUME})
    for operation in ("DescribeKey", "RetireGrant"):  # they have no context
        assert grant.allows(SERVICE, operation, {})


def test_a_child_is_no_wider_than_its_parent() -> None:
    parent = make("mq.amazonaws.com", "CreateGrant", "Decrypt", "Encrypt", constraints=SUBSET)
    for operations, constraints, fits in (
        (["Decrypt"], SUBSET, True),
        (["CreateGrant", "Decrypt"], {"EncryptionContextEquals": VOLUME}, True),
        (["Decrypt"], {"EncryptionContextSubset": {**VOLUME, "more": "x"}}, True),
        (["Decrypt", "GenerateDataKey"], SUBSET, False),
        (["Decrypt"], {}, False),
        (["Decrypt"], {"EncryptionContextSubset": {"aws:ebs:id": "vol-other"}}, False),
    ):
        assert (
            parent.allows(
                SERVICE, "CreateGrant", {"Operations": operations, "Constraints": constraints}
            )
            is fits
        )
    assert not make("mq.amazonaws.com", "Decrypt").allows(
        SERVICE, "CreateGrant", {"Operations": ["Decrypt"]}
    ), "only a grantee that may create grants"


operations = st.sets(
    st.sampled_from(["CreateGrant", "Decrypt", "Encrypt", "DescribeKey"]), min_size=1
)
contexts = st.dictionaries(st.text("ab", max_size=1), st.text("12", max_size=1), max_size=2)
pairs = st.dictionaries(
    st.text("ab", max_size=1), st.text("12", max_size=1), min_size=1, max_size=2
)
constraints = st.fixed_dictionaries(
    {}, optional={"EncryptionContextSubset": pairs, "EncryptionContextEquals": pairs}
)


@given(
    operations,
    constraints,
    operations,
    constraints,
    st.sampled_from(["Decrypt", "Encrypt", "DescribeKey"]),
    contexts,
)
def test_what_a_child_allows_its_parent_would_have(
    parent_ops: set[str],
    parent_of: Constraints,
    child_ops: set[str],
    child_of: Constraints,
    operation: str,
    context: dict[str, str],
) -> None:
    parent = make("mq.amazonaws.com", *parent_ops, constraints=parent_of)
    child = make("mq.amazonaws.com", *child_ops, constraints=child_of)
    request = {"EncryptionContext": context}
    if parent.allows(
        SERVICE, "CreateGrant", {"Operations": list(child_ops), "Constraints": child_of}
    ) and child.allows(SERVICE, operation, request):
        assert parent.allows(SERVICE, operation, request)


def test_it_is_in_effect_from_its_start_or_with_its_token_to_its_end() -> None:
    grant = replace(make(), starts=10, ends=20)
    assert [grant.in_effect(now) for now in (9, 10, 19, 20)] == [False, True, True, False]
    assert grant.in_effect(9, (grant.grant_id,))
    assert not grant.in_effect(9, (new_id(),))
    assert not grant.in_effect(20, (grant.grant_id,))
    assert make().in_effect(1e12)


def test_who_may_retire_it() -> None:
    plain = make(GRANTEE.principal, "Decrypt", retiring="mq.amazonaws.com")
    assert plain.retirers == ("mq.amazonaws.com", USER_ACCOUNT)
    granted = make(GRANTEE.principal, "Decrypt", "RetireGrant")
    assert granted.retirers == (GRANTEE.principal, USER_ACCOUNT)
    assert make(GRANTEE.principal, "Decrypt").retirers == (USER_ACCOUNT,)


def test_a_token_is_good_for_its_grant_whichever_it_is() -> None:
    grant, other = make(), make()
    first, second = grant.token(), grant.token()
    assert first != second
    assert grant.issued(first)
    assert grant.issued(second)
    assert grant_id_of(first) == grant.grant_id
    assert not other.issued(first)
    assert not replace(grant, secret="another").issued(first)


@given(st.binary(max_size=90), st.text(max_size=20))
def test_what_is_no_token_is_of_no_grant(content: bytes, text: str) -> None:
    grant = make()
    for token in (
        base64.b64encode(content).decode(),
        text,
        "",
        grant.token()[:-4],
        grant.token() + "AAAA",
    ):
        assert not grant.issued(token)
        assert grant_id_of(token) == ""


@given(st.integers(0, 70), st.integers(1, 255))
def test_a_token_with_a_byte_changed_is_invalid(place: int, change: int) -> None:
    grant = make()
    content = bytearray(base64.b64decode(grant.token()))
    content[place] ^= change
    assert not (
        grant.issued(base64.b64encode(content).decode())
        and grant_id_of(base64.b64encode(content).decode()) == grant.grant_id
    )


def test_a_request_is_known_again_by_its_name_and_all_that_is_in_it() -> None:
    grant = make(name="mq_grant", retiring="mq.amazonaws.com", constraints=SUBSET)
    assert grant.same_request(
        replace(grant, grant_id=new_id(), created=5, secret="t", operations=grant.operations[::-1])
    )
    differences: tuple[dict[str, Any], ...] = (
        {"name": "other"},
        {"grantee": "ec2.amazonaws.com"},
        {"operations": ("Decrypt",)},
        {"constraints": {}},
        {"retiring": ""},
    )
    for difference in differences:
        assert not grant.same_request(replace(grant, **difference))
    assert not make(name="").same_request(make(name=""))


def test_it_is_listed_without_its_tokens() -> None:
    grant = make(
        name="mq_grant", retiring="mq.amazonaws.com", constraints=SUBSET, created=1677178780.7
    )
    entry = grant.entry()
    assert entry.pop("CreationDate").isoformat() == "2023-02-23T18:59:40+00:00"
    assert entry == {
        "KeyId": KEY,
        "GrantId": grant.grant_id,
        "Name": "mq_grant",
        "GranteePrincipal": "mq.amazonaws.com",
        "RetiringPrincipal": "mq.amazonaws.com",
        "IssuingAccount": f"arn:aws:iam::{USER_ACCOUNT}:root",
        "Operations": ["Decrypt", "DescribeKey", "CreateGrant"],
        "Constraints": {"EncryptionContextSubset": VOLUME},
    }


def test_what_a_key_is_for_bounds_what_can_be_granted() -> None:
    assert {"Decrypt", "GenerateDataKeyWithoutPlaintext", "CreateGrant"} <= operations_for(
        "ENCRYPT_DECRYPT", symmetric=True
    )
    assert not {"Sign", "GetPublicKey"} & operations_for("ENCRYPT_DECRYPT", symmetric=True)
    assert "GenerateDataKey" not in operations_for("ENCRYPT_DECRYPT", symmetric=False)
    assert operations_for("SIGN_VERIFY", symmetric=False) >= {
        "Sign",
        "GetPublicKey",
    }
    assert "Decrypt" not in operations_for("SIGN_VERIFY", symmetric=False)
    assert operations_for("GENERATE_VERIFY_MAC", symmetric=False) == {
        "GenerateMac",
        "VerifyMac",
        "CreateGrant",
        "RetireGrant",
        "DescribeKey",
    }
