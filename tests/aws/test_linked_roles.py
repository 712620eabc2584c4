"""Amazon MQ's service-linked role is AWS's to change, and stays while RabbitMQ brokers need it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.aws_endpoint import Served, refusal
from tests.support.brokers_offline import add, request
from tests.support.identities import ACCOUNT, OTHER, allow, new_role, policy, served, trust

NAME = "AWSServiceRoleForAmazonMQ"


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "state") as served_testbed:
        for account in (ACCOUNT, OTHER):
            iam = served_testbed.client("iam", account)
            iam.create_service_linked_role(AWSServiceName="mq.amazonaws.com")
        yield served_testbed


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("delete_role", {}),
        ("attach_role_policy", {"PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
        ("put_role_policy", {"PolicyName": "own", "PolicyDocument": policy(allow("mq:*"))}),
        ("update_assume_role_policy", {"PolicyDocument": trust(f"arn:aws:iam::{ACCOUNT}:root")}),
    ],
)
def test_it_is_only_modifiable_by_aws(
    aws: Served, operation: str, parameters: dict[str, Any]
) -> None:
    iam = aws.client("iam")
    refused = refusal(getattr(iam, operation), RoleName=NAME, **parameters)
    assert refused["Code"] == "UnmodifiableEntity"
    assert refused["Message"] == (
        f"Cannot perform the operation on the protected role '{NAME}' - this role is only "
        "modifiable by AWS"
    )
    new_role(aws, "own", f"arn:aws:iam::{ACCOUNT}:root", allow("mq:*"))
    refused = refusal(iam.delete_role, RoleName="own")
    assert refused["Code"] == "DeleteConflict", "another role is left to its account"


def test_it_is_not_deleted_while_a_broker_needs_it(aws: Served) -> None:
    broker = add(aws.testbed, request("RABBITMQ", "orders"))
    iam = aws.client("iam")
    task = iam.delete_service_linked_role(RoleName=NAME)["DeletionTaskId"]
    assert task.startswith(f"task/aws-service-role/mq.amazonaws.com/{NAME}/")
    status = iam.get_service_linked_role_deletion_status(DeletionTaskId=task)
    assert status["Status"] == "FAILED"
    [usage] = status["Reason"]["RoleUsageList"]
    assert usage == {"Region": "us-east-1", "Resources": [broker.arn]}
    assert iam.get_role(RoleName=NAME)["Role"]["RoleName"] == NAME


def test_it_is_deleted_without_one(aws: Served) -> None:
    add(aws.testbed, request("RABBITMQ", "orders"))
    add(aws.testbed, request("ACTIVEMQ", "other"))
    iam = aws.client("iam", OTHER)
    task = iam.delete_service_linked_role(RoleName=NAME)["DeletionTaskId"]
    status = iam.get_service_linked_role_deletion_status(DeletionTaskId=task)
    assert status["Status"] == "SUCCEEDED"
    assert refusal(iam.get_role, RoleName=NAME)["Code"] == "NoSuchEntity"
