"""Who may: owners, other accounts, services; policy, identity and grants together."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.kms.base import MQ, SERVICE_ACCOUNT, USER, USER_ACCOUNT, Caller
from testbed.policy.evaluate import ADMINISTRATOR, Policies
from testbed.policy.language import parse
from tests.support.kms_authority import (
    ADMIN,
    EC2,
    GRANTEE,
    OTHER_ACCOUNT,
    SERVICE,
    SESSION,
    STRANGER,
    VOLUME,
    Authority,
    container,
    over,
)

pytestmark = pytest.mark.containers

UNSEEN = (
    "on this resource because the resource does not exist in this Region, no "
    "resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)


def policy(*statements: tuple[str, object, object]) -> str:
    root = ("Allow", {"AWS": f"arn:aws:iam::{USER_ACCOUNT}:root"}, "kms:*")
    document = [
        {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*"}
        for effect, principal, action in (root, *statements)
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": document})


def put_policy(aws: Authority, key: str, *statements: tuple[str, object, object]) -> None:
    aws.call(USER, "PutKeyPolicy", KeyId=key, PolicyName="default", Policy=policy(*statements))


def may(
    aws: Authority, caller: Caller, key: str, operation: str = "Encrypt", **parameters: object
) -> bool:
    code = aws.code(
        caller,
        operation,
        **(
            {"KeyId": key, "Plaintext": b"p", "EncryptionContext": VOLUME}
            if operation == "Encrypt"
            else {"KeyId": key, **parameters}
        ),
    )
    assert code in ("", "AccessDeniedException")
    return not code


def test_by_default_the_account_may_and_nobody_else(aws: Authority) -> None:
    key = aws.key()
    assert [
        who.principal
        for who in (USER, ADMIN, SESSION, GRANTEE, STRANGER, SERVICE, MQ, EC2)
        if may(aws, who, key)
    ] == [
        USER.principal,
        ADMIN.principal,
        SESSION.principal,
    ]


def test_the_sentences(aws: Authority) -> None:
    key = aws.key()
    put_policy(aws, key, ("Deny", {"AWS": ADMIN.principal}, "kms:Encrypt"))
    assert str(aws.refusal(ADMIN, "Encrypt", KeyId=key, Plaintext=b"p")) == (
        f"AccessDeniedException: User: {ADMIN.principal} is not authorized to perform: "
        f"kms:Encrypt on resource: {key} "
        "with an explicit deny in a resource-based policy"
    )
    assert str(aws.refusal(SERVICE, "DescribeKey", KeyId=key)) == (
        "AccessDeniedException: User: mq.amazonaws.com is not authorized to perform: "
        f"kms:DescribeKey on resource: {key} "
        "because no resource-based policy allows the kms:DescribeKey action"
    )
    assert str(aws.refusal(STRANGER, "DescribeKey", KeyId=key)) == (
        f"AccessDeniedException: User: {STRANGER.principal} is not authorized to perform: "
        f"kms:DescribeKey {UNSEEN}"
    )


def test_a_deny_in_the_policy_is_final(aws: Authority) -> None:
    key = aws.key()
    aws.grant(key, GRANTEE.principal, "Encrypt")
    assert may(aws, GRANTEE, key)
    assert may(aws, ADMIN, key)
    put_policy(aws, key, ("Deny", "*", "kms:Encrypt"))
    assert not may(aws, GRANTEE, key)
    assert not may(aws, ADMIN, key)
    assert not may(aws, USER, key)
    put_policy(aws, key)
    assert may(aws, GRANTEE, key)
    assert may(aws, ADMIN, key)


def test_another_account_needs_the_key_policy(aws: Authority) -> None:
    key = aws.key()
    put_policy(
        aws,
        key,
        ("Allow", {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}, ["kms:Encrypt", "kms:DisableKey"]),
    )
    assert may(aws, GRANTEE, key)
    assert not may(aws, STRANGER, key)
    assert not may(aws, GRANTEE, key, "DescribeKey"), "and no more than it says"
    assert not may(aws, GRANTEE, key, "DisableKey"), (
        "and an account does not administer the keys of others, whatever the policy says"
    )
    assert may(aws, USER, key, "DisableKey")


def test_another_account_needs_its_own_identity_policy_too(tmp_path: Path) -> None:
    allowed: set[tuple[str, str]] = set()

    def identities(caller: Caller) -> Policies:
        if caller == USER:
            return Policies((ADMINISTRATOR,))
        actions = [action for principal, action in allowed if principal == caller.principal]
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": statement}
        return Policies((parse(document, "identity"),) if actions else ())

    aws = over(container(), tmp_path / "s", identities=identities)
    key = aws.key()
    put_policy(
        aws,
        key,
        ("Allow", {"AWS": [f"arn:aws:iam::{OTHER_ACCOUNT}:root", ADMIN.principal]}, "kms:Encrypt"),
    )
    assert not may(aws, GRANTEE, key)
    allowed.add((GRANTEE.principal, "kms:Encrypt"))
    assert may(aws, GRANTEE, key)
    assert not may(aws, STRANGER, key)

    # In the key's own account one of them is enough.
    assert may(aws, ADMIN, key), "named by the key policy"
    assert str(aws.refusal(SESSION, "Encrypt", KeyId=key, Plaintext=b"p")) == (
        f"AccessDeniedException: User: {SESSION.principal} is not authorized to perform: "
        f"kms:Encrypt on resource: {key} "
        "because no identity-based policy allows the kms:Encrypt action"
    )
    allowed.add((SESSION.principal, "kms:Encrypt"))
    assert may(aws, SESSION, key), "through its account"
    aws.grant(key, STRANGER.principal, "Encrypt")
    assert may(aws, STRANGER, key), "a grant needs no identity policy"

    refusal = aws.refusal(ADMIN, "CreateKey")
    assert refusal
    assert refusal.message.endswith(
        "because no identity-based policy allows the kms:CreateKey action"
    )
    assert aws.code(ADMIN, "ListAliases", KeyId=key) == "AccessDeniedException"
    assert aws.code(USER, "ListAliases", KeyId=key) == ""


def test_aliases_tags_and_replicas_need_more_of_the_callers_own_policies(tmp_path: Path) -> None:
    """API reference, "Required permissions" of each operation."""
    own: list[dict[str, Any]] = []

    def identities(caller: Caller) -> Policies:
        if caller == USER:
            return Policies((ADMINISTRATOR,))
        return Policies((parse({"Statement": own}, "identity"),))

    aws = over(container(), tmp_path / "s", identities=identities)
    key, primary = aws.key(), aws.key(MultiRegion=True)
    alias = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:alias/mine"

    def may(operation: str, *actions: str, resource: str = "*", **parameters: Any) -> bool:
        own[:] = [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]
        return aws.code(ADMIN, operation, **parameters) != "AccessDeniedException"

    of_alias = {"AliasName": "alias/mine", "TargetKeyId": key}
    assert not may("CreateAlias", "kms:CreateAlias", resource=key, **of_alias)
    assert not may("CreateAlias", "kms:CreateAlias", resource=alias, **of_alias)
    assert may("CreateAlias", "kms:CreateAlias", **of_alias)
    assert not may("UpdateAlias", "kms:UpdateAlias", resource=key, **of_alias)
    assert not may("DeleteAlias", "kms:DeleteAlias", resource=key, AliasName="alias/mine")
    tags = [{"TagKey": "team", "TagValue": "blue"}]
    assert may("CreateKey", "kms:CreateKey")
    assert not may("CreateKey", "kms:CreateKey", Tags=tags)
    assert may("CreateKey", "kms:CreateKey", "kms:TagResource", Tags=tags)
    replica: dict[str, Any] = {"KeyId": primary, "ReplicaRegion": "eu-west-1"}
    assert not may("ReplicateKey", "kms:ReplicateKey", **replica)
    assert not may("ReplicateKey", "kms:ReplicateKey", "kms:CreateKey", Tags=tags, **replica)
    assert may("ReplicateKey", "kms:ReplicateKey", "kms:CreateKey", **replica)


def test_services_have_their_rights_from_grants_and_policies_that_name_them(aws: Authority) -> None:
    key = aws.key()
    assert not may(aws, SERVICE, key)
    assert not may(aws, replace(MQ, account=OTHER_ACCOUNT), key)
    put_policy(aws, key, ("Allow", {"AWS": "*"}, "kms:Encrypt"))
    assert not may(aws, SERVICE, key), "a service is no AWS principal"
    assert may(aws, STRANGER, key)
    put_policy(aws, key, ("Allow", {"Service": "mq.amazonaws.com"}, "kms:Encrypt"))
    assert may(aws, SERVICE, key)
    assert not may(aws, EC2, key)


def test_a_services_own_key_is_its_own_and_nobody_elses(aws: Authority) -> None:
    owned = aws.key(MQ)
    assert owned.split(":")[4] == SERVICE_ACCOUNT
    assert may(aws, MQ, owned)
    assert may(aws, replace(EC2, account=SERVICE_ACCOUNT), owned)
    for caller in (USER, ADMIN, STRANGER, SERVICE):
        assert not may(aws, caller, owned)
        assert not may(aws, caller, owned, "DescribeKey")
    assert owned.rpartition("/")[2] not in {
        key["KeyId"] for key in aws.call(USER, "ListKeys", Limit=1000)["Keys"]
    }
    assert aws.code(USER, "DescribeKey", KeyId=owned.rpartition("/")[2]) == "NotFoundException", (
        "nor is it in the user's account"
    )


def test_an_alias_is_moved_only_with_the_leave_of_both_keys(aws: Authority) -> None:
    one, other = aws.key(), aws.key()
    alias = f"alias/moved-{one[-8:]}"
    aws.call(USER, "CreateAlias", AliasName=alias, TargetKeyId=one)
    for key in (one, other):
        put_policy(
            aws,
            key,
            (
                "Deny",
                {"AWS": ADMIN.principal},
                ["kms:UpdateAlias", "kms:DeleteAlias", "kms:CreateAlias"],
            ),
        )
        assert (
            aws.code(ADMIN, "UpdateAlias", AliasName=alias, TargetKeyId=other)
            == "AccessDeniedException"
        )
        put_policy(aws, key)
    put_policy(aws, one, ("Deny", {"AWS": ADMIN.principal}, ["kms:DeleteAlias", "kms:CreateAlias"]))
    assert aws.code(ADMIN, "DeleteAlias", AliasName=alias) == "AccessDeniedException"
    assert (
        aws.code(ADMIN, "CreateAlias", AliasName=f"{alias}-2", TargetKeyId=one)
        == "AccessDeniedException"
    )
    aws.call(ADMIN, "UpdateAlias", AliasName=alias, TargetKeyId=other)
    aws.call(ADMIN, "DeleteAlias", AliasName=alias)


def test_a_grant_token_that_nobody_was_given_is_refused_and_a_right_one_is_not_needed(
    aws: Authority,
) -> None:
    key = aws.key()
    answer = aws.call(
        USER, "CreateGrant", KeyId=key, GranteePrincipal=GRANTEE.principal, Operations=["Encrypt"]
    )
    request = {"KeyId": key, "Plaintext": b"p"}
    assert (
        aws.code(GRANTEE, "Encrypt", **request)
        == aws.code(GRANTEE, "Encrypt", GrantTokens=[answer["GrantToken"]], **request)
        == ""
    )
    assert (
        aws.code(USER, "Encrypt", GrantTokens=["bogus"], **request) == "InvalidGrantTokenException"
    )
    assert (
        aws.code(STRANGER, "Encrypt", GrantTokens=[answer["GrantToken"]], **request)
        == "AccessDeniedException"
    ), "a token gives nothing"


def test_a_new_grant_that_has_not_spread_yet_is_used_by_its_token(tmp_path: Path) -> None:
    aws = over(container(), tmp_path / "s", grant_start_delay=300.0)
    key = aws.key()
    answer = aws.call(
        USER, "CreateGrant", KeyId=key, GranteePrincipal=GRANTEE.principal, Operations=["Encrypt"]
    )
    request = {"KeyId": key, "Plaintext": b"p"}
    assert aws.code(GRANTEE, "Encrypt", **request) == "AccessDeniedException"
    assert aws.code(GRANTEE, "Encrypt", GrantTokens=[answer["GrantToken"]], **request) == ""
    aws.clock.turn(300)
    assert aws.code(GRANTEE, "Encrypt", **request) == ""


def test_a_decision_is_had_without_a_call(tmp_path: Path) -> None:
    aws = over(container(), tmp_path / "s")
    key = aws.key()
    assert aws.kms.decide(ADMIN, "Decrypt", key).allowed
    put_policy(aws, key, ("Deny", {"AWS": ADMIN.principal}, "kms:Decrypt"))
    decision = aws.kms.decide(ADMIN, "Decrypt", key)
    assert not decision.allowed
    assert decision.statement is not None
    assert decision.statement.index == 1
