"""Amazon MQ's service-linked role: created in the caller's name, once, and recorded."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.broker import service_role
from testbed.kms.base import USER
from tests.support.aws_endpoint import Served, refusal
from tests.support.identities import ACCOUNT, allow, client, deny, new_user, served

NAME = "AWSServiceRoleForAmazonMQ"
ARN = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/mq.amazonaws.com/{NAME}"
RABBITMQ = {
    "BrokerName": "new",
    "EngineType": "RABBITMQ",
    "EngineVersion": "0.0",
    "DeploymentMode": "SINGLE_INSTANCE",
    "HostInstanceType": "mq.m7g.large",
    "PubliclyAccessible": False,
}


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "state") as served_testbed:
        yield served_testbed


def provide(aws: Served) -> None:
    services = aws.testbed.services
    service_role.provide(services.backends, services.recorder, replace(USER, region="eu-west-1"))


def test_the_role_is_there_afterwards_with_its_policy(aws: Served) -> None:
    iam = aws.client("iam")
    assert refusal(iam.get_role, RoleName=NAME)["Code"] == "NoSuchEntity"
    provide(aws)
    provide(aws)
    [role] = iam.list_roles(PathPrefix="/aws-service-role/")["Roles"]
    assert (role["RoleName"], role["Arn"]) == (NAME, ARN)
    attached = iam.list_attached_role_policies(RoleName=NAME)["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["AmazonMQServiceRolePolicy"]


def test_its_creation_is_one_record_of_the_callers(aws: Served) -> None:
    provide(aws)
    provide(aws)
    looked_up = {"AttributeKey": "EventName", "AttributeValue": "CreateServiceLinkedRole"}
    [event] = aws.client("cloudtrail").lookup_events(LookupAttributes=[looked_up])["Events"]
    record = json.loads(event["CloudTrailEvent"])
    assert record["userIdentity"]["arn"] == USER.principal
    assert record["userIdentity"]["invokedBy"] == "mq.amazonaws.com"
    assert record["requestParameters"] == {"aWSServiceName": "mq.amazonaws.com"}
    assert record["responseElements"]["role"]["arn"] == ARN
    assert record["awsRegion"] == "us-east-1"


def test_a_creator_needs_its_permission_until_the_role_is_there(aws: Served) -> None:
    missing = "iam:CreateServiceLinkedRole"
    alice = new_user(aws, "alice", allow("mq:*", "ec2:*", "iam:*"), deny(missing))
    mq = client(aws, "mq", alice)
    refused = refusal(mq.create_broker, **RABBITMQ)
    assert refused["Code"] == "AccessDeniedException"
    assert f"is not authorized to perform: {missing} on resource: {ARN}" in refused["Message"]
    assert refusal(aws.client("iam").get_role, RoleName=NAME)["Code"] == "NoSuchEntity"
    provide(aws)
    assert refusal(mq.create_broker, **RABBITMQ)["Code"] == "BadRequestException"  # its version
