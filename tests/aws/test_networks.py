"""CreateBroker looks at EC2: subnets and security groups have to be there, and fit each other."""

from collections.abc import Iterator
from typing import Any

import pytest

from testbed.account import chosen_services, default_vpc
from testbed.broker.network import Networks
from testbed.broker.requests import CreateBroker
from testbed.kms.base import USER, root
from tests.support.aws_endpoint import Served, refusal
from tests.support.identities import ACCOUNT, served

REQUEST: dict[str, Any] = {
    "BrokerName": "networked",
    "EngineType": "ActiveMQ",
    "EngineVersion": "5.19",
    "HostInstanceType": "mq.m5.large",
    "StorageType": "EBS",
    "DeploymentMode": "SINGLE_INSTANCE",
    "PubliclyAccessible": False,
    "AutoMinorVersionUpgrade": True,
    "EncryptionOptions": {"UseAwsOwnedKey": False, "KmsKeyId": "alias/any"},
    "Users": [{"Username": "admin", "Password": "correct-horse-1"}],
}
PAIR = {"DeploymentMode": "ACTIVE_STANDBY_MULTI_AZ", "StorageType": "EFS"}
DEFAULT = "Subnets and security groups must belong to the default VPC when only one is provided."
ACCEPTED = "encryptionOptions"  # every key here is disabled, and the key is looked at last


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("networks") / "state") as served_testbed:
        yield served_testbed


@pytest.fixture(scope="module")
def own(aws: Served) -> dict[str, str]:
    """A VPC of its own with two subnets in one zone, one in another, and a group."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    made = {"vpc": vpc}
    for name, zone, number in (("a", "a", 1), ("again", "a", 2), ("b", "b", 3)):
        made[name] = ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.1.{number}.0/24", AvailabilityZone=f"us-east-1{zone}"
        )["Subnet"]["SubnetId"]
    made["group"] = ec2.create_security_group(GroupName="own", Description="own", VpcId=vpc)[
        "GroupId"
    ]
    return made


def refused(aws: Served, **members: Any) -> dict[str, Any]:
    answer: dict[str, Any] = refusal(aws.client("mq").create_broker, **{**REQUEST, **members})
    assert answer["Code"] == "BadRequestException"
    return answer


def test_what_fits_is_accepted(aws: Served, own: dict[str, str]) -> None:
    group = [own["group"]]
    for members in (
        {},
        {"SubnetIds": [own["a"]], "SecurityGroups": group},
        {"SubnetIds": [own["a"], own["b"]], "SecurityGroups": group, **PAIR},
        {"SubnetIds": [default_vpc.subnet_id(ACCOUNT, "us-east-1", 0)]},
        {"SecurityGroups": [default_vpc.security_group_id(ACCOUNT, "us-east-1")]},
    ):
        assert refused(aws, **members)["ErrorAttribute"] == ACCEPTED, members


def test_what_ec2_does_not_have_is_refused(aws: Served, own: dict[str, str]) -> None:
    unknown = refused(aws, SubnetIds=["subnet-1"], SecurityGroups=[own["group"]])
    assert unknown["Message"] == "The subnet ID 'subnet-1' does not exist"
    assert unknown["ErrorAttribute"] == "subnetIds"
    unknown = refused(aws, SubnetIds=[own["a"]], SecurityGroups=["sg-1"])
    assert unknown["Message"] == "The security group 'sg-1' does not exist"


def test_one_alone_belongs_to_the_default_vpc(aws: Served, own: dict[str, str]) -> None:
    assert refused(aws, SubnetIds=[own["a"]])["Message"] == DEFAULT
    assert refused(aws, SecurityGroups=[own["group"]])["Message"] == DEFAULT


def test_subnets_are_in_one_vpc_and_in_different_zones(aws: Served, own: dict[str, str]) -> None:
    other = default_vpc.subnet_id(ACCOUNT, "us-east-1", 1)
    groups = {"SecurityGroups": [own["group"]], **PAIR}
    assert (
        refused(aws, SubnetIds=[own["a"], other], **groups)["Message"]
        == "Subnets must belong to the same VPC."
    )
    assert (
        "different Availability Zones"
        in (refused(aws, SubnetIds=[own["a"], own["again"]], **groups)["Message"])
    )
    theirs = [default_vpc.security_group_id(ACCOUNT, "us-east-1")]
    elsewhere = refused(aws, SubnetIds=[own["a"]], SecurityGroups=theirs)
    assert elsewhere["ErrorAttribute"] == "securityGroups"


def test_a_public_broker_needs_a_gateway(aws: Served, own: dict[str, str]) -> None:
    members = {"SubnetIds": [own["a"]], "SecurityGroups": [own["group"]]}
    public = {**members, "PubliclyAccessible": True}
    assert "internet gateway" in refused(aws, **public)["Message"]
    ec2 = aws.client("ec2")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=own["vpc"])
    assert refused(aws, **public)["ErrorAttribute"] == ACCEPTED
    rabbitmq = {
        **public,
        "EngineType": "RabbitMQ",
        "EngineVersion": "4.2",
        "HostInstanceType": "mq.m7g.large",
    }
    assert refused(aws, **rabbitmq)["Message"] == (
        "Broker with [publiclyAccessible] set to true does not support specifying [securityGroups]"
    )


def test_without_a_default_vpc_both_have_to_be_named(aws: Served, own: dict[str, str]) -> None:
    region = "eu-west-1"
    ec2 = aws.client("ec2", region=region)
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=default_vpc.vpc_id(ACCOUNT, region))
    answer = refusal(aws.client("mq", region=region).create_broker, **REQUEST)
    assert answer["Message"] == "Default VPC not found"


def test_the_defaults_are_those_of_ec2(aws: Served, own: dict[str, str]) -> None:
    networks = Networks(aws.testbed.state, aws.testbed.services.backends)
    request = CreateBroker(
        "defaults", "ACTIVEMQ", users=(), deployment_mode="ACTIVE_STANDBY_MULTI_AZ"
    )
    placed = networks.placed(request, USER).settings
    assert placed["SubnetIds"] == [
        default_vpc.subnet_id(ACCOUNT, "us-east-1", zone) for zone in range(2)
    ]
    assert placed["SecurityGroups"] == [default_vpc.security_group_id(ACCOUNT, "us-east-1")]
    elsewhere = root(ACCOUNT, "ap-south-1")
    assert networks.placed(request, elsewhere) is request, "nothing was made there: nothing loaded"


def test_nothing_is_checked_where_ec2_is_turned_off(aws: Served) -> None:
    chosen_services.choose(aws.testbed.state, ["mq", "kms"])
    try:
        answer = refused(aws, SubnetIds=["subnet-1"], SecurityGroups=["sg-1"])
        assert answer["ErrorAttribute"] == ACCEPTED
    finally:
        chosen_services.choose(aws.testbed.state, ["all"])
