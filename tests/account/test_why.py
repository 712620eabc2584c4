"""What decides is named: the statement, or the kind of policy that is missing."""

from collections.abc import Iterator
from typing import Any

import pytest

from testbed.account.authorization import Authorization
from testbed.account.why import Explanation, explain, someone
from testbed.errors import TestbedError
from testbed.kms.base import Caller
from testbed.policy.evaluate import Decision
from tests.support.aws_endpoint import Served
from tests.support.identities import ACCOUNT, allow, deny, new_role, new_user, policy, served

BROKER = f"arn:aws:mq:us-east-1:{ACCOUNT}:broker:orders:b-1"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("why") / "state") as served_testbed:
        new_user(
            served_testbed,
            "operator",
            allow("mq:Describe*"),
            allow("mq:RebootBroker", Sid="Reboot", resource=BROKER),
            deny("mq:RebootBroker", Condition={"StringEquals": {"aws:ResourceTag/env": "prod"}}),
            allow("mq:DeleteBroker", Condition=MFA),
        )
        new_role(served_testbed, "deployer", f"arn:aws:iam::{ACCOUNT}:user/operator", allow("mq:*"))
        iam = served_testbed.client("iam")
        iam.create_group(GroupName="auditors")
        iam.put_group_policy(
            GroupName="auditors", PolicyName="look", PolicyDocument=policy(allow("mq:List*"))
        )
        iam.add_user_to_group(GroupName="auditors", UserName="operator")
        yield served_testbed


def why(aws: Served, who: str, action: str, resource: str = "*", **options: Any) -> Explanation:
    identities, clock = aws.testbed.services.identities, aws.testbed.clock
    given = options.pop("given", {})
    caller = someone(identities, who, ACCOUNT, "us-east-1", now=clock.now(), **options)

    def on_key(caller: Caller, action: str, arn: str) -> Decision:
        return Decision(allowed=False, source="grant", reason=f"{action} of {arn}")

    return explain(
        Authorization(identities, clock), on_key, caller, action, resource=resource, given=given
    )


def test_the_statement_that_allows_is_named(aws: Served) -> None:
    found = why(aws, "operator", "mq:RebootBroker", BROKER)
    assert found.allowed
    assert (found.policy, found.statement, found.sid) == (
        "inline policy own of user operator",
        2,
        "Reboot",
    )
    found = why(aws, "operator", "mq:ListBrokers")
    assert found.policy == "inline policy look of group auditors"


def test_the_statement_that_denies_is_named(aws: Served) -> None:
    found = why(aws, "operator", "mq:RebootBroker", BROKER, given={"aws:ResourceTag/env": "prod"})
    assert (found.allowed, found.statement) == (False, 3)
    assert found.reason == "with an explicit deny in an identity-based policy"


def test_what_is_missing_is_said(aws: Served) -> None:
    found = why(aws, "operator", "mq:RebootBroker", BROKER.replace("b-1", "b-2"))
    assert (found.allowed, found.policy) == (False, "")
    assert found.reason == "because no identity-based policy allows the mq:RebootBroker action"


def test_a_session_with_mfa_differs(aws: Served) -> None:
    assert not why(aws, "operator", "mq:DeleteBroker", BROKER).allowed
    assert why(aws, "operator", "mq:DeleteBroker", BROKER, mfa=True).allowed


def test_roles_are_named_and_assumed(aws: Served) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/deployer"
    for name in ("deployer", "role/deployer", role):
        found = why(aws, name, "mq:DeleteBroker", BROKER)
        assert found.allowed
        assert found.principal == f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/why"
    found = why(aws, "operator", "sts:AssumeRole", role)
    assert (found.allowed, found.policy) == (True, "trust policy of role deployer")
    assert not why(aws, "deployer", "sts:AssumeRole", role).allowed
    assert not why(aws, "operator", "sts:AssumeRole", f"{role}-none").allowed


def test_keys_are_decided_on_with_their_policies(aws: Served) -> None:
    assert why(aws, "operator", "kms:Decrypt", KEY).reason == f"Decrypt of {KEY}"


def test_root_may_and_strangers_are_unknown(aws: Served) -> None:
    assert why(aws, "root", "mq:DeleteBroker", BROKER).allowed
    with pytest.raises(TestbedError, match="IAM has no user and no role nobody"):
        why(aws, "nobody", "mq:DeleteBroker")
