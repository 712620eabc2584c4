"""Key policies on their own: principals, actions, deny before allow, conditions, refusals."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import KmsError
from testbed.kms import policy
from testbed.kms.base import MQ, SERVICE_ACCOUNT, USER, USER_ACCOUNT, Caller
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

KEY = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE = f"arn:aws:iam::{USER_ACCOUNT}:role/Ops"
ROOT = {"AWS": f"arn:aws:iam::{USER_ACCOUNT}:root"}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(
    effect: str = "Allow", principal: Any = "*", action: Any = "kms:*", **elements: Any
) -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*", **elements}


def decision(text: str, caller: Caller, action: str = "kms:Decrypt") -> str:
    return policy.evaluate(text, policy.Request(caller, action, KEY))


def test_the_default_policy_leaves_it_to_the_account() -> None:
    default = policy.default(USER_ACCOUNT)
    assert decision(default, USER) == "allow", "its root user is named"
    assert (
        decision(default, ADMIN)
        == decision(default, SESSION)
        == decision(default, VIA_MQ)
        == "account"
    )
    assert (
        decision(default, GRANTEE)
        == decision(default, STRANGER)
        == decision(default, SERVICE)
        == decision(default, MQ)
        == ""
    )
    assert decision(policy.default(SERVICE_ACCOUNT), MQ) == "account"
    assert decision(policy.default(SERVICE_ACCOUNT), SERVICE) == ""


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
    assert {
        name
        for name, caller in callers.items()
        if decision(document(statement(principal=principal)), caller)
    } == allowed
    denies = document(statement(), statement("Deny", principal))
    assert {
        name for name, caller in callers.items() if decision(denies, caller) == "deny"
    } == allowed, "a deny names the same"


@pytest.mark.parametrize(
    ("action", "matches"),
    [
        ("kms:*", True),
        ("*", True),
        ("kms:Decrypt", True),
        ("KMS:decrypt", True),
        ("kms:De*", True),
        ("kms:D?crypt", True),
        (["kms:Encrypt", "kms:Decrypt"], True),
        ("kms:Encrypt", False),
        ("kms:Decry", False),
        ("s3:*", False),
    ],
)
def test_actions(action: Any, matches: bool) -> None:
    assert bool(decision(document(statement(action=action)), ADMIN)) is matches
    not_action = {"Effect": "Allow", "Principal": "*", "NotAction": action, "Resource": "*"}
    assert bool(decision(document(not_action), ADMIN)) is not matches


def test_a_deny_outweighs_every_allow_wherever_it_stands() -> None:
    allow, deny = statement(), statement("Deny", {"AWS": ADMIN.principal}, "kms:Decrypt")
    for text in (document(allow, deny), document(deny, allow)):
        assert decision(text, ADMIN) == "deny"
        assert decision(text, ADMIN, "kms:Encrypt") == "allow"
        assert decision(text, SESSION) == "allow"


def test_everyone_but() -> None:
    lock = {
        "Effect": "Deny",
        "NotPrincipal": {"AWS": ADMIN.principal},
        "Action": "kms:*",
        "Resource": "*",
    }
    assert decision(document(statement(), lock), ADMIN) == "allow"
    assert decision(document(statement(), lock), SESSION) == "deny"


def test_resources() -> None:
    assert decision(document(statement(Resource=KEY)), ADMIN) == "allow"
    assert decision(document(statement(Resource=KEY[:-1] + "?")), ADMIN) == "allow"
    assert decision(document(statement(Resource=KEY[:-1])), ADMIN) == ""


def test_a_key_that_aws_manages_is_used_through_its_service_and_looked_at() -> None:
    managed = policy.aws_managed(USER_ACCOUNT, "mq")
    assert (
        decision(managed, VIA_MQ, "kms:CreateGrant")
        == decision(managed, VIA_MQ, "kms:GenerateDataKeyWithoutPlaintext")
        == "allow"
    )
    assert (
        decision(managed, replace(VIA_MQ, invoked_by="ec2.amazonaws.com"), "kms:CreateGrant") == ""
    )
    assert (
        decision(managed, replace(GRANTEE, invoked_by="mq.amazonaws.com"), "kms:CreateGrant") == ""
    ), "only from the account itself"
    for action in ("kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants", "kms:RevokeGrant"):
        assert decision(managed, USER, action)
        assert decision(managed, ADMIN, action)
    for action in (
        "kms:DisableKey",
        "kms:ScheduleKeyDeletion",
        "kms:PutKeyPolicy",
        "kms:DeleteAlias",
        "kms:Decrypt",
        "kms:CreateGrant",
    ):
        assert not decision(managed, USER, action)
        assert not decision(managed, ADMIN, action)
        assert not decision(managed, SERVICE, action)


# Conditions, and whether they hold for a call through Amazon MQ.
CONDITIONS: list[tuple[dict[str, dict[str, Any]], bool]] = [
    ({"StringEquals": {"kms:ViaService": "mq.us-east-1.amazonaws.com"}}, True),
    ({"StringEquals": {"kms:viaservice": ["x", "mq.us-east-1.amazonaws.com"]}}, True),
    ({"StringLike": {"kms:ViaService": "mq.*.amazonaws.com"}}, True),
    ({"StringLike": {"kms:ViaService": "ec2.*.amazonaws.com"}}, False),
    ({"StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}}, False),
    ({"StringNotEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}}, True),
    ({"StringNotEquals": {"kms:ViaService": "mq.us-east-1.amazonaws.com"}}, False),
    ({"Bool": {"kms:GrantIsForAWSResource": True}}, True),
    ({"Bool": {"kms:GrantIsForAWSResource": "false"}}, False),
    (
        {
            "StringEquals": {"kms:CallerAccount": USER_ACCOUNT},
            "Bool": {"kms:GrantIsForAWSResource": "true"},
        },
        True,
    ),
    (
        {
            "StringEquals": {"kms:CallerAccount": OTHER_ACCOUNT},
            "Bool": {"kms:GrantIsForAWSResource": "true"},
        },
        False,
    ),
]


@pytest.mark.parametrize("holds", [True, False])
def test_every_operator_and_key_has_a_case_that_holds_and_one_that_does_not(*, holds: bool) -> None:
    cases = [condition for condition, expected in CONDITIONS if expected is holds]
    assert {operator for condition in cases for operator in condition} == policy.OPERATORS.keys()
    keys = {key.lower() for condition in cases for keys in condition.values() for key in keys}
    assert keys == {key.lower() for key in policy.CONDITION_KEYS}


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS)
def test_conditions(condition: Any, holds: bool) -> None:
    assert bool(decision(document(statement(Condition=condition)), VIA_MQ)) is holds
    only_via = document(statement(Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}}))
    assert decision(only_via, SESSION) == "", "control: on nobody's behalf"
    assert decision(only_via, SERVICE) == "allow", "control: a service's own"


def test_a_condition_sees_the_requests_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key in the table is evaluated as itself."""
    key = "kms:PolicyName"
    monkeypatch.setitem(
        policy.CONDITION_KEYS, key, lambda request: request.parameters.get("PolicyName")
    )
    monkeypatch.setitem(policy._BY_LOWER_CASE, key.lower(), key)
    text = document(statement(Condition={"StringEquals": {key: "default"}}))
    verdicts = [
        policy.evaluate(text, policy.Request(ADMIN, "kms:GetKeyPolicy", KEY, parameters))
        for parameters in ({"PolicyName": "default"}, {"PolicyName": "x"}, {})
    ]
    assert verdicts == [decision(document(statement()), ADMIN), "", ""]


def test_an_unknown_condition_never_allows_and_always_denies() -> None:
    unknown = {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}
    assert decision(document(statement(Condition=unknown)), ADMIN) == ""
    assert decision(document(statement(), statement("Deny", Condition=unknown)), ADMIN) == "deny"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("no json", "cannot be read"),
        ("[]", "cannot be read"),
        (
            (
                '{"Statement": '
                '[{"Effect": "Maybe", "Principal": "*", "Action": "*", "Resource": "*"}]}'
            ),
            "cannot be read",
        ),
        (
            '{"Statement": [{"Effect": "Allow", "Principal": "*", "Resource": "*"}]}',
            "cannot be read",
        ),
        (
            document(statement(principal={"AWS": "somebody"})),
            "Policy contains a statement with one or more invalid principals.",
        ),
        (
            document(statement(principal={"AWS": f"arn:aws:iam::{USER_ACCOUNT}:user/*"})),
            "one or more invalid principals",
        ),
        (
            document(statement(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})),
            "does not evaluate IpAddress on aws:SourceIp",
        ),
        (
            document(),
            "The new key policy will not allow you to update the key policy in the future.",
        ),
        (document(statement(action="kms:Decrypt")), "will not allow you to update"),
        (document(statement(principal={"AWS": GRANTEE.principal})), "will not allow you to update"),
    ],
)
def test_what_cannot_be_put(text: str, sentence: str) -> None:
    with pytest.raises(KmsError, match=sentence) as refusal:
        policy.check(text, ADMIN, KEY)
    assert refusal.value.code == "MalformedPolicyDocumentException"
    assert decision(text, USER, "kms:PutKeyPolicy") == "", "and one that got through allows nothing"


def test_what_can_be_put() -> None:
    policy.check(policy.default(USER_ACCOUNT), ADMIN, KEY)
    policy.check(
        document(statement(principal={"AWS": GRANTEE.principal})),
        ADMIN,
        KEY,
        bypass_lockout_check=True,
    )
    with pytest.raises(KmsError) as refusal:
        policy.check(document(statement(Sid="x" * policy.LARGEST)), ADMIN, KEY)
    assert refusal.value.code == "LimitExceededException"


names = st.sampled_from(
    ["*", USER_ACCOUNT, OTHER_ACCOUNT, ADMIN.principal, ROLE, GRANTEE.principal]
)
statements = st.builds(
    statement,
    st.sampled_from(["Allow", "Deny"]),
    st.fixed_dictionaries({"AWS": st.lists(names, max_size=2)}),
    st.lists(
        st.sampled_from(["kms:*", "kms:Decrypt", "kms:Encrypt", "kms:D*"]), min_size=1, max_size=2
    ),
)


@given(
    st.lists(statements, max_size=5),
    st.sampled_from([USER, ADMIN, SESSION, GRANTEE, STRANGER, SERVICE]),
)
def test_a_statement_more_takes_away_if_it_denies_and_gives_if_it_allows(
    some: list[dict[str, Any]], caller: Caller
) -> None:
    weight = {"deny": 0, "": 1, "account": 2, "allow": 3}
    before = decision(document(*some), caller)
    assert (
        weight[decision(document(*some, statement("Deny", {"AWS": "*"}, "kms:Decrypt")), caller)]
        <= weight[before]
    )
    after = decision(document(*some, statement("Allow", {"AWS": "*"}, "kms:Decrypt")), caller)
    assert (after == "deny") == (before == "deny")
    assert weight[after] >= weight[before]
