"""AWS's examples of whole policies, and the decisions that their pages tell."""

from typing import Any

import pytest

from testbed.policy.evaluate import ADMINISTRATOR, Policies
from tests.support.policy_documents import (
    KEY,
    OTHER,
    ROLE,
    SERVICE,
    SESSION,
    STRANGER,
    STRANGERS_ROOT,
    USER,
    Context,
    allow,
    decide,
    deny,
    key_policy,
    policy,
)

# From "Policy evaluation logic", "Example identity-based and resource-based policy evaluation".
CARLOS = "arn:aws:iam::123456789012:user/carlossalazar"
BUCKET = ["arn:aws:s3:::carlossalazar/*", "arn:aws:s3:::carlossalazar"]
LISTING = [
    "s3:GetBucketLocation",
    "s3:GetAccountPublicAccessBlock",
    "s3:ListAccessPoints",
    "s3:ListAllMyBuckets",
]
CARLOS_POLICIES = Policies(
    identity=[
        policy(
            allow(LISTING, "arn:aws:s3:::*", Sid="AllowS3ListRead"),
            allow("s3:*", BUCKET, Sid="AllowS3Self"),
            deny("s3:*", "arn:aws:s3:::*log*", Sid="DenyS3Logs"),
        )
    ],
    resource=key_policy(allow("s3:*", BUCKET, Sid="Bucket", Principal={"AWS": CARLOS})),
)


@pytest.mark.parametrize(
    ("action", "resource", "allowed", "sid"),
    [
        ("s3:PutObject", "arn:aws:s3:::carlossalazar-logs/file", False, "DenyS3Logs"),
        ("s3:PutObject", "arn:aws:s3:::carlossalazar/file", True, "Bucket"),
        ("s3:ListAllMyBuckets", "arn:aws:s3:::other", True, "AllowS3ListRead"),
        ("s3:PutObject", "arn:aws:s3:::other/file", False, None),
    ],
)
def test_carlos_and_his_logs(action: str, resource: str, allowed: bool, sid: str | None) -> None:
    decision = decide(CARLOS, CARLOS_POLICIES, action, resource)
    assert decision.allowed is allowed
    assert (decision.statement.sid if decision.statement else None) == sid


# From "The difference between explicit and implicit denies".
@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("iam:GetUser", ""),
        ("iam:CreatePolicy", "because no identity-based policy allows the iam:CreatePolicy action"),
        ("iam:GetOrganizationsAccessReport", "with an explicit deny in an identity-based policy"),
    ],
)
def test_explicit_and_implicit_denies(action: str, reason: str) -> None:
    reports = policy(allow(["iam:Get*", "iam:List*"]), deny("iam:*Report"))
    assert decide(USER, Policies([reports]), action, "*").reason == reason


BOB = f"arn:aws:iam::{OTHER}:user/Bob"
APP = f"arn:aws:sts::{OTHER}:assumed-role/cross-account-read-only-role/cross-account-audit-app"
APP_ROLE = f"arn:aws:iam::{OTHER}:role/cross-account-read-only-role"


# From "NotPrincipal", both examples: "all principals except" the named one are denied.
@pytest.mark.parametrize(
    ("excepted", "spared"),
    [([BOB, STRANGERS_ROOT], BOB), ([APP, APP_ROLE, STRANGERS_ROOT], APP)],
)
def test_everyone_but_the_named_one_is_denied(excepted: list[str], spared: str) -> None:
    lock = key_policy(allow(Principal="*"), deny(NotPrincipal={"AWS": excepted}))
    everyone = {BOB, STRANGER, APP, f"{APP}2", USER, SERVICE}
    policies = Policies([ADMINISTRATOR], lock)
    assert {caller for caller in everyone if decide(caller, policies).allowed} == {spared}


# From "Principal", section "All principals": the alternative to NotPrincipal.
def test_everyone_but_one_is_denied_by_a_condition() -> None:
    condition = {"ArnNotEquals": {"aws:PrincipalArn": USER}}
    lock = key_policy(allow(Principal="*"), deny(Principal="*", Condition=condition))
    assert decide(USER, Policies(resource=lock)).allowed
    assert not decide(SESSION, Policies(resource=lock)).allowed


def encrypting(**pairs: str) -> Context:
    """The context of a request with this encryption context."""
    values = {f"kms:EncryptionContext:{key}": value for key, value in pairs.items()}
    return {**values, "kms:EncryptionContextKeys": list(pairs)}


EXAMPLE_APP = {"StringEquals": {"kms:EncryptionContext:AppName": "ExampleApp"}}
IT_AND_ALPHA = {
    "StringEquals": {
        "kms:EncryptionContext:Department": "IT",
        "kms:EncryptionContext:Project": "Alpha",
    }
}
ONLY_THESE = {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["Department", "Project"]}}
THROUGH_EBS = {
    "StringEquals": {
        "kms:CallerAccount": "111122223333",
        "kms:ViaService": "ec2.us-west-2.amazonaws.com",
    }
}
TAKEN_SHORT = {"NumericLessThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": "30"}}


# From the KMS Developer Guide, "AWS KMS condition keys": an Allow with each condition.
@pytest.mark.parametrize(
    ("condition", "fulfilled", "unfulfilled"),
    [
        (EXAMPLE_APP, [encrypting(AppName="ExampleApp"), encrypting(appname="ExampleApp", a="b")],
         [encrypting(), encrypting(AppName="exampleapp"), encrypting(Stage="ExampleApp")]),
        (EXAMPLE_APP | {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["AppName"]}},
         [encrypting(AppName="ExampleApp")],
         [encrypting(), encrypting(AppName="ExampleApp", a="b"), encrypting(appname="ExampleApp")]),
        (IT_AND_ALPHA, [encrypting(Department="IT", Project="Alpha", a="b")],
         [encrypting(Department="IT"), encrypting(Project="Alpha"), encrypting()]),
        (IT_AND_ALPHA | ONLY_THESE, [encrypting(Department="IT", Project="Alpha")],
         [encrypting(Department="IT", Project="Alpha", a="b"), encrypting()]),
        ({"Null": {"kms:EncryptionContextKeys": False}}, [encrypting(a="b")], [encrypting(), {}]),
        (THROUGH_EBS,
         [{"kms:CallerAccount": "111122223333", "kms:ViaService": "ec2.us-west-2.amazonaws.com"}],
         [{"kms:CallerAccount": "111122223333"}, {}]),
        ({"Bool": {"kms:GrantIsForAWSResource": True}}, [{"kms:GrantIsForAWSResource": "true"}],
         [{"kms:GrantIsForAWSResource": "false"}, {}]),
        ({"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt", "Decrypt"]}},
         [{"kms:GrantOperations": ["Decrypt"]}], [{"kms:GrantOperations": ["Decrypt", "Sign"]}]),
        ({"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/test*"}},
         [{"kms:ResourceAliases": ["alias/x", "alias/test1"]}], [{"kms:ResourceAliases": []}, {}]),
        ({"StringLike": {"kms:RequestAlias": "alias/*"}}, [{"kms:RequestAlias": "alias/a"}], [{}]),
        ({"NumericLessThanEquals": {"kms:RotationPeriodInDays": "180"}},
         [{"kms:RotationPeriodInDays": "180"}], [{"kms:RotationPeriodInDays": "365"}]),
        ({"DateLessThan": {"kms:ValidTo": "2026-12-31T23:59:59Z"}},
         [{"kms:ValidTo": "1700000000"}], [{"kms:ValidTo": "2027-01-01T00:00:00Z"}, {}]),
    ],
)  # fmt: skip
def test_conditions_of_key_policies(
    condition: dict[str, Any], fulfilled: list[Context], unfulfilled: list[Context]
) -> None:
    allows = Policies(resource=key_policy(allow(Principal={"AWS": ROLE}, Condition=condition)))
    denies = Policies([ADMINISTRATOR], key_policy(deny(Principal="*", Condition=condition)))
    for context in fulfilled:
        assert decide(SESSION, allows, context=context).allowed, context
        assert not decide(SESSION, denies, context=context).allowed, context
    for context in unfulfilled:
        assert not decide(SESSION, allows, context=context).allowed, context
        assert decide(SESSION, denies, context=context).allowed, context


# The same page: "prevents other policies and grants for this KMS key from allowing".
def test_a_deny_in_the_key_policy_stops_services_and_grants() -> None:
    stages = {"StringEquals": {"kms:EncryptionContext:Stage": ["Restricted", "Production"]}}
    guarded = Policies(
        resource=key_policy(
            allow(Principal={"Service": SERVICE}), deny(Principal="*", Condition=stages)
        ),
        granted=lambda _: [SERVICE],
    )
    assert decide(SERVICE, guarded, context=encrypting(Stage="Test")).allowed
    assert not decide(SERVICE, guarded, context=encrypting(stage="Production")).allowed


@pytest.mark.parametrize(
    ("days", "allowed"), [("7", False), ("29", False), ("30", True), (None, True)]
)
def test_a_deny_of_short_waiting_periods(days: str | None, allowed: bool) -> None:
    locked = policy(deny("kms:ScheduleKeyDeletion", Condition=TAKEN_SHORT))
    context: Context = {} if days is None else {"kms:ScheduleKeyDeletionPendingWindowInDays": days}
    policies = Policies([ADMINISTRATOR, locked])
    assert decide(USER, policies, "kms:ScheduleKeyDeletion", KEY, context).allowed is allowed


# From "Condition operators", the note on IfExists: "the request is still denied even if the tag is
# missing", and from "Variables and tags" the policy of the home directories.
def test_a_deny_with_a_negated_operator_and_a_missing_key() -> None:
    condition = {"StringNotEqualsIfExists": {"aws:RequestTag/team": "blue"}}
    policies = Policies([ADMINISTRATOR, policy(deny("mq:CreateBroker", Condition=condition))])
    assert not decide(USER, policies, "mq:CreateBroker", "*").allowed
    tagged: Context = {"aws:RequestTag/team": "blue"}
    assert decide(USER, policies, "mq:CreateBroker", "*", tagged).allowed


def test_everyone_has_a_home_directory() -> None:
    homes = Policies([policy(allow("s3:GetObject", "arn:aws:s3:::mybucket/${aws:username}/*"))])
    home = "arn:aws:s3:::mybucket/exampleuser/file"
    assert decide(USER, homes, "s3:GetObject", home).allowed
    assert not decide(STRANGER, homes, "s3:GetObject", home).allowed
    assert not decide(SESSION, homes, "s3:GetObject", home).allowed, "a session has no user name"


# From "Variables and tags": "any attempt to match it fails and causes the statement to be invalid".
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_a_variable_without_a_value_makes_a_statement_invalid(effect: str) -> None:
    elsewhere = {"NotResource": "arn:aws:s3:::mybucket/${aws:username}/*"}
    statement = {"Effect": effect, "Action": "s3:*", **elsewhere}
    policies = Policies([policy(statement)] + ([ADMINISTRATOR] if effect == "Deny" else []))
    for caller, applies in ((USER, True), (SESSION, False)):
        decision = decide(caller, policies, "s3:GetObject", "arn:aws:s3:::mybucket/other/file")
        assert decision.allowed is (applies is (effect == "Allow"))
