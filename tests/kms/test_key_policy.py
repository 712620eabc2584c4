"""Key policies: those that KMS writes, and what it accepts, keeps and refuses of a user's."""

import json
from dataclasses import replace
from typing import Any

import pytest

from testbed.errors import KmsError
from testbed.kms import key_policy
from testbed.kms.base import MQ, SERVICE_ACCOUNT, USER, USER_ACCOUNT, Caller
from testbed.policy.evaluate import ADMINISTRATOR, Policies, evaluate
from tests.support.key_policies import KEY, ROOT, allow, decision, deny, document, request
from tests.support.kms_authority import (
    ADMIN,
    EC2,
    GRANTEE,
    OTHER_ACCOUNT,
    SERVICE,
    SESSION,
    STRANGER,
    VIA_MQ,
)

ROLE = f"arn:aws:iam::{USER_ACCOUNT}:role/Ops"


def put(text: str, caller: Caller = ADMIN) -> str:
    """Return the policy as it is kept."""
    kept = key_policy.accepted(text)
    key_policy.check_lockout(kept, request(caller, "PutKeyPolicy"))
    return kept


# The policies that KMS writes


def test_the_default_policy_leaves_it_to_the_account() -> None:
    default = key_policy.default(USER_ACCOUNT)
    assert decision(default, USER) == "allow", "its root user is named"
    for caller in (ADMIN, SESSION, VIA_MQ):
        assert decision(default, caller) == "account"
    for caller in (GRANTEE, STRANGER, SERVICE, MQ):
        assert decision(default, caller) == ""


def test_a_service_is_a_principal_of_its_own_account() -> None:
    owned = replace(KEY, arn=KEY.arn.replace(USER_ACCOUNT, SERVICE_ACCOUNT))
    default = key_policy.in_force(key_policy.default(SERVICE_ACCOUNT))
    for caller, allowed in ((MQ, True), (SERVICE, False), (USER, False)):
        policies = Policies([ADMINISTRATOR], default, delegates=True)
        assert evaluate(request(caller, key=owned), policies).allowed is allowed


def test_a_key_that_aws_manages_is_used_through_its_service_and_looked_at() -> None:
    managed = key_policy.aws_managed(USER_ACCOUNT, "mq")
    for action in ("CreateGrant", "GenerateDataKeyWithoutPlaintext"):
        assert decision(managed, VIA_MQ, action) == "allow"
    elsewhere = replace(VIA_MQ, invoked_by="ec2.amazonaws.com")
    assert decision(managed, elsewhere, "CreateGrant") == ""
    from_outside = replace(GRANTEE, invoked_by="mq.amazonaws.com")
    assert decision(managed, from_outside, "CreateGrant") == "", "only from the account itself"
    for action in ("DescribeKey", "GetKeyPolicy", "ListGrants", "RevokeGrant"):
        assert decision(managed, USER, action)
        assert decision(managed, ADMIN, action)
    for action in (
        "DisableKey",
        "ScheduleKeyDeletion",
        "PutKeyPolicy",
        "DeleteAlias",
        "Decrypt",
        "CreateGrant",
    ):
        for caller in (USER, ADMIN, SERVICE):
            assert not decision(managed, caller, action)


# Whom a policy names


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        ("*", {"user", "admin", "session", "grantee", "service", "ec2"}),
        ({"AWS": "*"}, {"user", "admin", "session", "grantee"}),
        ({"AWS": USER_ACCOUNT}, {"user", "admin", "session"}),
        (ROOT, {"user", "admin", "session"}),
        ({"AWS": ADMIN.principal}, {"admin"}),
        ({"AWS": [ADMIN.principal, GRANTEE.principal]}, {"admin", "grantee"}),
        ({"AWS": SESSION.principal}, {"session"}),
        ({"AWS": ROLE}, {"session"}),
        ({"AWS": f"arn:aws:iam::{USER_ACCOUNT}:role/teams/queues/Ops"}, {"session"}),
        ({"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:role/Ops"}, set()),
        ({"AWS": OTHER_ACCOUNT}, {"grantee"}),
        ({"Service": "mq.amazonaws.com"}, {"service"}),
        ({"Service": "mq.amazonaws.com", "AWS": ADMIN.principal}, {"service", "admin"}),
    ],
)
def test_principals(principal: Any, allowed: set[str]) -> None:
    callers = {
        "user": USER,
        "admin": ADMIN,
        "session": SESSION,
        "grantee": GRANTEE,
        "service": SERVICE,
        "ec2": EC2,
    }
    text = document(allow(principal))
    assert {name for name, caller in callers.items() if decision(text, caller)} == allowed
    denies = document(allow(), deny(principal))
    assert {
        name for name, caller in callers.items() if decision(denies, caller) == "deny"
    } == allowed, "a deny names the same"


# What KMS keeps of a new policy


def test_a_policy_is_kept_as_it_was_sent() -> None:
    sent = json.dumps(json.loads(document(allow(ROOT), Id="caf\u00e9")), indent=3)
    assert put(sent) == sent
    assert key_policy.accepted(sent) == sent


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (USER_ACCOUNT, ROOT["AWS"]),
        ([USER_ACCOUNT], ROOT["AWS"]),
        ([ROOT["AWS"], USER_ACCOUNT], ROOT["AWS"]),
        ([ADMIN.principal, ADMIN.principal], ADMIN.principal),
        (
            [OTHER_ACCOUNT, ADMIN.principal, OTHER_ACCOUNT],
            [f"arn:aws:iam::{OTHER_ACCOUNT}:root", ADMIN.principal],
        ),
        ([ADMIN.principal, SESSION.principal], [ADMIN.principal, SESSION.principal]),
    ],
)
@pytest.mark.parametrize("element", ["Principal", "NotPrincipal"])
def test_an_account_is_kept_as_its_root_and_once(element: str, sent: Any, kept: Any) -> None:
    named = {"Effect": "Allow", element: {"AWS": sent}, "Action": "kms:*", "Resource": "*"}
    content = json.loads(key_policy.accepted(document(allow(), named)))
    assert content["Statement"] == [allow(), {**named, element: {"AWS": kept}}]


def test_the_root_is_of_the_keys_partition() -> None:
    content = json.loads(key_policy.accepted(document(allow({"AWS": USER_ACCOUNT})), "aws-cn"))
    assert content["Statement"][0]["Principal"] == {"AWS": f"arn:aws-cn:iam::{USER_ACCOUNT}:root"}


# KMS API reference, PutKeyPolicy: "the policy statement has no effect", and the request succeeds.
@pytest.mark.parametrize("missing", ["Action", "Resource"])
def test_a_statement_without_action_or_resource_is_kept_and_has_no_effect(missing: str) -> None:
    for statement in (allow(), deny()):
        del statement[missing]
        text = put(document(allow(ROOT), statement))
        assert decision(text, GRANTEE) == ""
        assert decision(text, USER) == "allow"


# What KMS refuses

INVALID = "Policy contains a statement with one or more invalid principals."
NONE = "Policy contains a statement with no principal."


def without(element: str, **statement: Any) -> str:
    return document({**{k: v for k, v in allow().items() if k != element}, **statement})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        # AWS gives no sentence (aws/aws-sdk-ruby#1784).
        ("not a real policy statement", ""),
        ("[]", ""),
        ("5", ""),
        ("null", ""),
        ("{}", ""),
        ('{"Statement": []}', ""),
        ('{"Statement": [5]}', ""),
        (json.dumps(document(allow(ROOT))), ""),
        (document(allow(ROOT), Version="2012-10-18"), ""),
        (document(allow(ROOT), Owner="me"), ""),
        (document(allow(ROOT, Effect="Maybe")), ""),
        (document(allow(ROOT, Sid="a"), allow(ROOT, Sid="a")), ""),
        (document(allow(ROOT, Action=[5])), ""),
        (document(allow(ROOT, Condition={"StringEqual": {"aws:username": "x"}})), ""),
        (document(allow(ROOT, Condition={"StringEquals": "x"})), ""),
        (document(allow(ROOT, Condition={"IpAddress": {"aws:SourceIp": "somewhere"}})), ""),
        (without("Principal"), NONE),
        (document(allow({"AWS": []})), NONE),
        (document(allow({})), NONE),
        (document(allow(ROOT["AWS"])), INVALID),
        (document(allow({"AWS": "somebody"})), INVALID),
        (document(allow({"AWS": f"arn:aws:iam::{USER_ACCOUNT}:user/*"})), INVALID),
        (document(allow({"AWS": f"arn:aws:iam::{USER_ACCOUNT}:group/g"})), INVALID),
        (document(allow({"AWS": "AIDACKCEVSQ6C2EXAMPLE"})), INVALID),
        (document(allow({"AWS": [ROOT["AWS"], 5]})), INVALID),
        (document(allow({"Service": "mq"})), INVALID),
        (document(allow({"Federated": "accounts.google.com"})), INVALID),
    ],
)
def test_what_is_no_key_policy(text: str, sentence: str) -> None:
    with pytest.raises(KmsError) as refusal:
        put(text, USER)
    assert refusal.value.code == "MalformedPolicyDocumentException"
    assert refusal.value.message == sentence
    assert decision(text, STRANGER, "PutKeyPolicy") == "", "put on LocalStack, it allows nothing"


# KMSKEYS: "Using set operators with condition keys".
@pytest.mark.parametrize(
    ("key", "subject"),
    [("kms:EncryptionContext:a", "encryption context"), ("aws:RequestTag/a", "tag")],
)
def test_for_all_values_of_a_key_with_one_value_is_refused(key: str, subject: str) -> None:
    with pytest.raises(KmsError, match=f"without the specified {subject}") as refusal:
        put(document(allow(ROOT, Condition={"ForAllValues:StringEquals": {key: "x"}})))
    assert refusal.value.message.startswith("OverlyPermissiveCondition:")
    for operation in ("StringEquals", "ForAnyValue:StringEquals"):
        put(document(allow(ROOT), allow(Condition={operation: {key: "x"}})))


@pytest.mark.parametrize(
    "statement",
    [
        allow(action="kms:Decrypt"),
        allow({"AWS": GRANTEE.principal}),
        deny(),
        allow(Condition={"Null": {"aws:SourceIp": "true"}}),
        allow(Condition={"StringEquals": {"s3:prefix": "x"}}),
        allow(Resource=KEY.arn[:-1]),
    ],
)
def test_nobody_locks_themselves_out(statement: dict[str, Any]) -> None:
    sentence = "The new key policy will not allow you to update the key policy in the future."
    with pytest.raises(KmsError, match=sentence) as refusal:
        put(document(statement))
    assert refusal.value.code == "MalformedPolicyDocumentException"


@pytest.mark.parametrize(
    "statement",
    [
        allow(ROOT),
        allow({"AWS": ADMIN.principal}, "kms:Put*"),
        allow(Condition={"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}}),
        allow(Resource=KEY.arn),
        allow(Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}),
    ],
)
def test_control_whoever_may_put_the_next_policy_may_put_this_one(
    statement: dict[str, Any],
) -> None:
    put(document(statement))


def test_a_policy_has_a_largest_size() -> None:
    room = key_policy.LARGEST - len(document(allow(ROOT, Sid="")))
    put(document(allow(ROOT, Sid="x" * room)))
    with pytest.raises(KmsError) as refusal:
        put(document(allow(ROOT, Sid="x" * (room + 1))))
    assert refusal.value.code == "LimitExceededException"
