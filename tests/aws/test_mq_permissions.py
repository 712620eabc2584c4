"""Each operation of Amazon MQ asks for its own permission, on its own resource (MQAUTH)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore import xform_name

from testbed import api_models
from testbed.documented import permissions as documented
from tests.support.aws_endpoint import Served, refusal
from tests.support.brokers_offline import add, request
from tests.support.identities import (
    ACCOUNT,
    Person,
    allow,
    client,
    deny,
    new_role,
    new_user,
    policy,
    served,
)

OPERATIONS = sorted(api_models.operations("mq"))
EC2 = (
    *documented.CREATE_BROKER_EC2,
    *documented.CREATE_BROKER_INTERFACES,
    *documented.DELETE_BROKER_EC2,
    *documented.DELETE_BROKER_INTERFACES,
    "iam:CreateServiceLinkedRole",
)
OTHERS = f"arn:aws:mq:us-east-1:{ACCOUNT}:broker:other:b-other"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("permissions") / "state") as served_testbed:
        broker = add(served_testbed.testbed, request("ACTIVEMQ", "orders"))
        served_testbed.testbed.brokers.amend(
            broker.broker_id, lambda stored: replace(stored, tags={"team": "blue"})
        )
        yield served_testbed


@pytest.fixture(scope="module")
def alice(aws: Served) -> Person:
    return new_user(aws, "alice")


def parameters(aws: Served, name: str) -> dict[str, Any]:
    """Return parameters that are well formed, and change nothing that other calls need."""
    [broker] = aws.testbed.brokers.peek_all()
    values: dict[str, Any] = {
        "BrokerId": broker.broker_id,
        "ConfigurationId": "c-unknown",
        "ConfigurationRevision": "1",
        "ResourceArn": broker.arn,
        "Tags": {"team": "blue"},
        "TagKeys": ["other"],
        "Username": "someone",
        "Password": "correct-horse-1",
        "Mode": "SWITCHOVER",
        "Data": "PGJyb2tlci8+",
        "EngineType": "ACTIVEMQ",
        "EngineVersion": "0.0",
        "Name": "name",
        "BrokerName": "new",
        "DeploymentMode": "SINGLE_INSTANCE",
        "HostInstanceType": "mq.m5.large",
        "PubliclyAccessible": False,
    }
    shape = api_models.operations("mq")[name].input_shape
    if shape is None:
        return {}
    needed = set(shape.required_members)
    if name in ("CreateTags", "CreateBroker", "CreateConfiguration"):
        needed.add("Tags")
    if name in ("CreateUser", "UpdateUser"):
        needed.add("Password")
    needed |= {"EngineVersion"} & shape.members.keys() if name.startswith("Create") else set()
    return {member: values[member] for member in needed}


def outcome(aws: Served, person: Person, name: str, **more: Any) -> str:
    """Return the code with which a call is refused; empty if it is answered."""
    mq = client(aws, "mq", person)
    call = getattr(mq, xform_name(name))
    try:
        call(**{**parameters(aws, name), **more})
    except mq.exceptions.ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def give(aws: Served, *statements: dict[str, Any]) -> None:
    aws.client("iam").put_user_policy(
        UserName="alice", PolicyName="own", PolicyDocument=policy(*statements)
    )


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_asks_for_exactly_its_permission(
    aws: Served, alice: Person, name: str
) -> None:
    own = allow(f"mq:{name}", "mq:CreateTags", *EC2)
    give(aws, own)
    if name not in ("DeleteBroker", "RebootBroker"):  # they would go on without containers
        assert outcome(aws, alice, name) != "AccessDeniedException"
    rest = [f"mq:{other}" for other in OPERATIONS if other != name]
    give(aws, allow(*rest, *EC2, "kms:*"))
    assert outcome(aws, alice, name) == "AccessDeniedException"
    give(aws, own, deny(f"mq:{name}"))
    assert outcome(aws, alice, name) == "AccessDeniedException"


def test_an_operation_is_about_what_its_request_has_to_name() -> None:
    for member, about in (
        ("BrokerId", documented.ON_BROKERS),
        ("ConfigurationId", documented.ON_CONFIGURATIONS),
        ("ResourceArn", documented.ON_EITHER),
    ):
        shapes = {name: api_models.operations("mq")[name].input_shape for name in OPERATIONS}
        naming = {name for name, shape in shapes.items() if shape and member in shape.members}
        assert naming == about, member


@pytest.mark.parametrize(
    "name", sorted(documented.ON_BROKERS | documented.ON_CONFIGURATIONS | documented.ON_EITHER)
)
def test_a_permission_for_another_resource_is_none(aws: Served, alice: Person, name: str) -> None:
    give(aws, allow(f"mq:{name}", resource=OTHERS), allow(*EC2))
    assert outcome(aws, alice, name) == "AccessDeniedException"
    [broker] = aws.testbed.brokers.peek_all()
    if name in documented.ON_CONFIGURATIONS:
        own = f"arn:aws:mq:us-east-1:{ACCOUNT}:configuration:c-unknown"
    else:
        own = broker.arn
    give(aws, allow(f"mq:{name}", resource=own), allow(*EC2))
    if name not in ("DeleteBroker", "RebootBroker"):
        assert outcome(aws, alice, name) != "AccessDeniedException"


def test_the_refusal_is_in_awss_words(aws: Served, alice: Person) -> None:
    give(aws, allow("mq:ListBrokers"))
    [broker] = aws.testbed.brokers.peek_all()
    refused = refusal(client(aws, "mq", alice).reboot_broker, BrokerId=broker.broker_id)
    assert (refused["Code"], refused["Status"]) == ("AccessDeniedException", 403)
    assert refused["Message"] == (
        f"User: arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: mq:RebootBroker "
        f"on resource: {broker.arn} because no identity-based policy allows the mq:RebootBroker "
        "action"
    )
    give(aws, allow("mq:*"), deny("mq:RebootBroker"))
    refused = refusal(client(aws, "mq", alice).reboot_broker, BrokerId=broker.broker_id)
    assert refused["Message"].endswith("with an explicit deny in an identity-based policy")


def test_a_refused_call_is_recorded_and_changes_nothing(aws: Served, alice: Person) -> None:
    give(aws, allow("mq:Describe*"))
    mq = client(aws, "mq", alice)
    before = aws.testbed.brokers.peek_all()
    refusal(mq.create_configuration, Name="never", EngineType="ACTIVEMQ")
    assert aws.testbed.brokers.peek_all() == before
    names = [each["Name"] for each in aws.client("mq").list_configurations()["Configurations"]]
    assert "never" not in names
    [event] = aws.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateConfiguration"}],
        MaxResults=1,
    )["Events"]
    assert json.loads(event["CloudTrailEvent"])["errorCode"] == "AccessDenied"
    assert event["Username"] == "alice"


def test_the_account_of_the_resource_is_a_condition(aws: Served, alice: Person) -> None:
    """GLOBAL: ``aws:ResourceAccount`` is in the context of most requests, as of these."""
    own = {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}
    give(aws, allow("*", Condition=own))
    client(aws, "mq", alice).list_brokers()
    client(aws, "iam", alice).get_user()
    client(aws, "ssm", alice).describe_parameters()
    theirs = OTHERS.replace(ACCOUNT, "222222222222")
    refused = refusal(client(aws, "mq", alice).list_tags, ResourceArn=theirs)
    assert refused["Code"] == "AccessDeniedException"


def test_tags_of_request_and_resource_are_conditions(aws: Served, alice: Person) -> None:
    condition = {"StringEquals": {"aws:RequestTag/team": "blue"}}
    give(aws, allow("mq:*", *EC2, Condition=condition))
    assert outcome(aws, alice, "CreateConfiguration") != "AccessDeniedException"
    red = outcome(aws, alice, "CreateConfiguration", Tags={"team": "red"})
    assert red == "AccessDeniedException"
    keys = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    give(aws, allow("mq:*", Condition=keys))
    more = {"team": "blue", "cost": "7"}
    assert outcome(aws, alice, "CreateTags", Tags=more) == "AccessDeniedException"
    assert outcome(aws, alice, "CreateTags") == ""
    for team, code in (("blue", ""), ("red", "AccessDeniedException")):
        give(aws, allow("mq:*", Condition={"StringEquals": {"aws:ResourceTag/team": team}}))
        assert outcome(aws, alice, "DescribeUser") in (code, "NotFoundException")
        assert outcome(aws, alice, "ListUsers") == code


@pytest.mark.parametrize(
    "missing", [*documented.CREATE_BROKER_EC2, *documented.CREATE_BROKER_INTERFACES]
)
def test_create_broker_needs_what_amazon_mq_asks_of_ec2(
    aws: Served, alice: Person, missing: str
) -> None:
    give(aws, allow("mq:*", *(action for action in EC2 if action != missing)))
    refused = refusal(client(aws, "mq", alice).create_broker, **parameters(aws, "CreateBroker"))
    assert refused["Code"] == "AccessDeniedException"
    assert f"is not authorized to perform: {missing}" in refused["Message"]


def test_amazon_mqs_own_managed_policies_are_enough(aws: Served, alice: Person) -> None:
    iam = aws.client("iam")
    full, look = (f"arn:aws:iam::aws:policy/AmazonMQ{name}Access" for name in ("Full", "ReadOnly"))
    give(aws, deny("s3:*"))
    iam.attach_user_policy(UserName="alice", PolicyArn=full)
    assert (
        outcome(aws, alice, "CreateBroker") == "BadRequestException"
    )  # its version, past all this
    rabbitmq = {"EngineType": "RABBITMQ", "HostInstanceType": "mq.m7g.large"}
    assert outcome(aws, alice, "CreateBroker", **rabbitmq) == "BadRequestException"
    iam.detach_user_policy(UserName="alice", PolicyArn=full)
    iam.attach_user_policy(UserName="alice", PolicyArn=look)
    assert outcome(aws, alice, "ListBrokers") == ""
    assert outcome(aws, alice, "DescribeBroker") == ""
    assert outcome(aws, alice, "RebootBroker") == "AccessDeniedException"
    iam.detach_user_policy(UserName="alice", PolicyArn=look)


def test_boundary_and_session_policies_take_away(aws: Served, alice: Person) -> None:
    iam = aws.client("iam")
    give(aws, allow("mq:*", "sts:*"))
    boundary = iam.create_policy(
        PolicyName="only-look", PolicyDocument=policy(allow("mq:Describe*", "mq:List*", "sts:*"))
    )["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=boundary)
    assert outcome(aws, alice, "ListBrokers") == ""
    refused = refusal(client(aws, "mq", alice).create_tags, **parameters(aws, "CreateTags"))
    assert refused["Message"].endswith(
        "because no permissions boundary allows the mq:CreateTags action"
    )
    iam.delete_user_permissions_boundary(UserName="alice")
    assert outcome(aws, alice, "CreateTags") == ""
    role = new_role(aws, "wide", f"arn:aws:iam::{ACCOUNT}:root", allow("mq:*"))
    answer = client(aws, "sts", alice).assume_role(
        RoleArn=role, RoleSessionName="narrow", Policy=policy(allow("mq:List*"))
    )
    session = Person.of(answer["Credentials"])
    assert outcome(aws, session, "ListBrokers") == ""
    refused = refusal(client(aws, "mq", session).create_tags, **parameters(aws, "CreateTags"))
    assert refused["Message"].startswith(
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/wide/narrow is not authorized"
    )
    assert refused["Message"].endswith("because no session policy allows the mq:CreateTags action")


def test_cloudtrail_asks_too(aws: Served, alice: Person) -> None:
    give(aws, allow("mq:*"))
    refused = refusal(client(aws, "cloudtrail", alice).lookup_events)
    assert (refused["Code"], refused["Status"]) == ("AccessDeniedException", 400)
    give(aws, allow("cloudtrail:LookupEvents"))
    client(aws, "cloudtrail", alice).lookup_events()
