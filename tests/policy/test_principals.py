"""Who is named by a Principal element, and what a principal brings to the context."""

from typing import Any

import pytest

from testbed.policy.principals import Match, Principal, Principals, is_valid, named

ACCOUNT, OTHER = "111122223333", "444455556666"
ROOT = Principal.of(f"arn:aws:iam::{ACCOUNT}:root")
USER = Principal.of(f"arn:aws:iam::{ACCOUNT}:user/team/alice")
SESSION = Principal.of(f"arn:aws:sts::{ACCOUNT}:assumed-role/Ops/alice")
FEDERATED = Principal.of(f"arn:aws:sts::{ACCOUNT}:federated-user/bob")
SERVICE = Principal.of("mq.amazonaws.com")
SERVICE_AT_HOME = Principal.of("mq.amazonaws.com", ACCOUNT)
EVERYBODY = {
    "root": ROOT,
    "user": USER,
    "session": SESSION,
    "federated": FEDERATED,
    "service": SERVICE,
    "service at home": SERVICE_AT_HOME,
}


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        # "Principal", "All principals"; a service is no AWS principal
        ("*", "*", dict.fromkeys(EVERYBODY, Match.SELF)),
        ("AWS", "*", dict.fromkeys(("root", "user", "session", "federated"), Match.SELF)),
        # "AWS account principals": both forms behave the same way
        *(
            ("AWS", name, {"root": Match.SELF, "user": Match.ACCOUNT, "session": Match.ACCOUNT,
                           "federated": Match.ACCOUNT, "service at home": Match.ACCOUNT})
            for name in (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
        ),
        ("AWS", OTHER, {}),
        # "IAM user principals", with the path and case of the ARN
        ("AWS", USER.arn, {"user": Match.SELF}),
        ("AWS", USER.arn.replace("alice", "Alice"), {}),
        ("AWS", f"arn:aws:iam::{ACCOUNT}:user/alice", {}),
        # "IAM role principals" and "Role session principals"
        ("AWS", f"arn:aws:iam::{ACCOUNT}:role/Ops", {"session": Match.ISSUER}),
        ("AWS", f"arn:aws:iam::{ACCOUNT}:role/teams/queues/Ops", {"session": Match.ISSUER}),
        ("AWS", f"arn:aws:iam::{OTHER}:role/Ops", {}),
        ("AWS", SESSION.arn, {"session": Match.SELF}),
        ("AWS", SESSION.arn.replace("alice", "bob"), {}),
        # "AWS STS federated user session principals"
        ("AWS", FEDERATED.arn, {"federated": Match.SELF}),
        ("AWS", f"arn:aws:iam::{ACCOUNT}:user/bob", {"federated": Match.ISSUER}),
        # "AWS service principals"
        ("Service", "mq.amazonaws.com", {"service": Match.SELF, "service at home": Match.SELF}),
        ("Service", "ec2.amazonaws.com", {}),
        ("Federated", "cognito-identity.amazonaws.com", {}),
        ("CanonicalUser", ACCOUNT, {}),
    ],
)  # fmt: skip
def test_how_an_element_names_principals(kind: str, name: str, expected: dict[str, Match]) -> None:
    found = {label: named(kind, name, principal) for label, principal in EVERYBODY.items()}
    assert {label: match for label, match in found.items() if match} == expected


def test_the_closest_match_of_an_element_counts() -> None:
    element = Principals((("AWS", OTHER), ("AWS", ACCOUNT), ("AWS", USER.arn)))
    assert element.match(USER) is Match.SELF
    assert element.match(SESSION) is Match.ACCOUNT
    assert element.match(SERVICE) is Match.NONE


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        # "AWS global condition context keys", "Properties of the principal"
        (ROOT, {"arn": ROOT.arn, "type": "Account"}),
        (USER, {"arn": USER.arn, "type": "User", "username": "alice"}),
        (SESSION, {"arn": f"arn:aws:iam::{ACCOUNT}:role/Ops", "type": "AssumedRole"}),
        (FEDERATED, {"arn": FEDERATED.arn, "type": "FederatedUser"}),
    ],
)
def test_what_a_principal_brings_to_the_context(
    principal: Principal, expected: dict[str, Any]
) -> None:
    assert principal.context == {
        "aws:principalisawsservice": ("false",),
        "aws:principalaccount": (ACCOUNT,),
        "aws:principalarn": (expected["arn"],),
        "aws:principaltype": (expected["type"],),
        **({"aws:username": (expected["username"],)} if "username" in expected else {}),
    }


def test_what_a_service_brings_to_the_context() -> None:
    assert SERVICE.context == {
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": ("mq.amazonaws.com",),
        "aws:principalservicenameslist": ("mq.amazonaws.com",),
    }


def test_the_path_of_a_role_can_be_told() -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/teams/Ops"
    session = Principal.of(SESSION.arn, issuer=role)
    assert session.context["aws:principalarn"] == (role,)
    for name in (role, f"arn:aws:iam::{ACCOUNT}:role/Ops"):
        assert named("AWS", name, session) is Match.ISSUER


def test_partitions() -> None:
    chinese = Principal.of(f"arn:aws-cn:iam::{ACCOUNT}:user/alice")
    assert named("AWS", f"arn:aws-cn:iam::{ACCOUNT}:root", chinese) is Match.ACCOUNT
    assert named("AWS", f"arn:aws:iam::{ACCOUNT}:root", chinese) is Match.NONE


@pytest.mark.parametrize(
    "arn",
    ["", "alice", f"arn:aws:iam::{ACCOUNT}:role/Ops", f"arn:aws:iam::{ACCOUNT}:group/Devs",
     f"arn:aws:sts::{ACCOUNT}:assumed-role/Ops", "arn:aws:iam::1:root", "mq.example.com"],
)  # fmt: skip
def test_what_is_not_a_principal(arn: str) -> None:
    with pytest.raises(ValueError, match="not the ARN of a principal"):
        Principal.of(arn)


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("AWS", "*", True),
        ("AWS", ACCOUNT, True),
        ("AWS", "AROAEXAMPLEEXAMPLE123", True),
        ("AWS", f"arn:aws:iam::{ACCOUNT}:role/Ops", True),
        ("AWS", f"arn:aws:iam::{ACCOUNT}:user/*", False),
        ("AWS", f"arn:aws:sts::{ACCOUNT}:assumed-role/Ops/*", False),
        ("AWS", f"arn:aws:iam::{ACCOUNT}:group/Devs", False),
        ("AWS", "11112222333", False),
        ("AWS", "x", False),
        ("Service", "mq.amazonaws.com", True),
        ("Service", "ec2.us-east-1.amazonaws.com", True),
        ("Service", "*", False),
        ("Federated", f"arn:aws:iam::{ACCOUNT}:saml-provider/name", True),
        ("Federated", "*", False),
        ("CanonicalUser", "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be", True),
        ("Aws", ACCOUNT, False),
    ],
)
def test_which_entries_are_valid(kind: str, name: str, expected: bool) -> None:
    assert is_valid(kind, name) is expected
