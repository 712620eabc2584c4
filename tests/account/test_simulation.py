"""IAM's simulator decides as the services do."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.aws_endpoint import Served, refusal
from tests.support.identities import (
    ACCOUNT,
    allow,
    client,
    deny,
    new_role,
    new_user,
    policy,
    served,
)

ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
BROKER = f"arn:aws:mq:us-east-1:{ACCOUNT}:broker:orders:b-1"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("simulation") / "state") as served_testbed:
        new_user(
            served_testbed,
            "alice",
            allow("mq:*", resource=BROKER),
            deny("mq:DeleteBroker"),
            allow("kms:Decrypt", Condition={"StringEquals": {"kms:ViaService": "mq"}}),
        )
        yield served_testbed


def simulated(aws: Served, *actions: str, **parameters: Any) -> dict[str, dict[str, Any]]:
    """Return the results for alice by action."""
    answer = aws.client("iam").simulate_principal_policy(
        **{"PolicySourceArn": ALICE, "ActionNames": list(actions), **parameters}
    )
    return {result["EvalActionName"]: result for result in answer["EvaluationResults"]}


def test_each_action_has_its_decision_and_statement(aws: Served) -> None:
    results = simulated(
        aws, "mq:RebootBroker", "mq:DeleteBroker", "s3:GetObject", ResourceArns=[BROKER]
    )
    decisions = {action: result["EvalDecision"] for action, result in results.items()}
    assert decisions == {
        "mq:RebootBroker": "allowed",
        "mq:DeleteBroker": "explicitDeny",
        "s3:GetObject": "implicitDeny",
    }
    [statement] = results["mq:DeleteBroker"]["MatchedStatements"]
    assert statement["SourcePolicyId"] == "inline policy own of user alice"
    assert results["s3:GetObject"]["MatchedStatements"] == []
    assert simulated(aws, "mq:RebootBroker")["mq:RebootBroker"]["EvalDecision"] == "implicitDeny"


def test_context_is_the_requests_and_what_is_missing_is_said(aws: Served) -> None:
    result = simulated(aws, "kms:Decrypt")["kms:Decrypt"]
    assert (result["EvalDecision"], result["MissingContextValues"]) == (
        "implicitDeny",
        ["kms:viaservice"],
    )
    entry = {
        "ContextKeyName": "kms:ViaService",
        "ContextKeyValues": ["mq"],
        "ContextKeyType": "string",
    }
    result = simulated(aws, "kms:Decrypt", ContextEntries=[entry])["kms:Decrypt"]
    assert (result["EvalDecision"], result["MissingContextValues"]) == ("allowed", [])


def test_policies_in_the_request_count_too(aws: Served) -> None:
    more = {"PolicyInputList": [policy(allow("s3:*"))]}
    assert simulated(aws, "s3:GetObject", **more)["s3:GetObject"]["EvalDecision"] == "allowed"
    bounded = {"PermissionsBoundaryPolicyInputList": [policy(allow("kms:*"))], **more}
    result = simulated(aws, "s3:GetObject", **bounded)["s3:GetObject"]
    assert result["EvalDecision"] == "implicitDeny"
    assert not result["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]


def test_a_custom_policy_is_alone(aws: Served) -> None:
    of_user = client(aws, "iam", new_user(aws, "bob", allow("iam:*")))
    for iam in (of_user, aws.client("iam")):  # the root's
        answer = iam.simulate_custom_policy(
            PolicyInputList=[policy(allow("s3:*"))], ActionNames=["s3:GetObject", "iam:GetUser"]
        )
        decisions = [result["EvalDecision"] for result in answer["EvaluationResults"]]
        assert decisions == ["allowed", "implicitDeny"]


def test_roles_are_simulated_and_strangers_are_not(aws: Served) -> None:
    role = new_role(aws, "ops", f"arn:aws:iam::{ACCOUNT}:root", allow("mq:*"))
    result = simulated(aws, "mq:ListBrokers", PolicySourceArn=role)["mq:ListBrokers"]
    assert result["EvalDecision"] == "allowed"
    iam = aws.client("iam")
    parameters = {"PolicySourceArn": f"{ALICE}-none", "ActionNames": ["mq:ListBrokers"]}
    assert refusal(iam.simulate_principal_policy, **parameters)["Code"] == "NoSuchEntity"
    parameters = {"PolicyInputList": ["{}"], "ActionNames": ["mq:ListBrokers"]}
    assert refusal(iam.simulate_custom_policy, **parameters)["Code"] == "InvalidInput"


def test_who_simulates_needs_the_permission(aws: Served) -> None:
    iam = client(aws, "iam", new_user(aws, "curious", allow("mq:*")))
    refused = refusal(
        iam.simulate_principal_policy, PolicySourceArn=ALICE, ActionNames=["mq:ListBrokers"]
    )
    assert refused["Code"] == "AccessDenied"
    assert f"iam:SimulatePrincipalPolicy on resource: {ALICE}" in refused["Message"]
