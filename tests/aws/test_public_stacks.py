"""Public Terraform files for Amazon MQ, as the calls that Terraform's provider makes of them.

Each is applied, read back, changed, and destroyed; then nothing is left.
"""

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from testbed import clients
from testbed.clients import Destination
from testbed.clients.base import Address
from testbed.clients.failover import failover
from tests.support.aws_endpoint import Served, refusal
from tests.support.nightly import first_then_nightly

pytestmark = pytest.mark.containers
LONG = 240.0  # seconds for each state; a broker takes about ten on an idle machine
PASSWORD = "correct-horse-1"
REGION = "eu-west-1"
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
DELIVERY = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "mq.amazonaws.com"},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": "arn:aws:logs:*:*:log-group:/aws/amazonmq/*",
    },
}
DATA = {
    "ActiveMQ": b'<broker xmlns="http://activemq.apache.org/schema/core" persistent="true"/>\n',
    "RabbitMQ": b"consumer_timeout = 900000\n",
}


@dataclass(frozen=True)
class Template:
    """What a file has: ``source`` is its repository and path.

    ``zones`` are those of its subnets, and ``secret`` is the service that has the password.
    """

    source: str
    name: str
    engine: str
    version: str
    instance: str
    mode: str
    zones: str
    secret: str
    audit: bool = False
    role: bool = False

    def __str__(self) -> str:
        return self.name


TEMPLATES = [
    Template(
        "skkuding/codedang: apps/infra/modules/codedang-infra/rabbitmq.tf, made private",
        "judge-queue",
        "RabbitMQ",
        "4.2",
        "mq.m7g.medium",
        "SINGLE_INSTANCE",
        "a",
        "secretsmanager",
        role=True,
    ),
    Template(
        "cloudposse/terraform-aws-mq-broker: examples/complete/main.tf",
        "complete",
        "ActiveMQ",
        "5.19",
        "mq.m5.large",
        "ACTIVE_STANDBY_MULTI_AZ",
        "ab",
        "ssm",
        audit=True,
    ),
    Template(
        "aws-ia/terraform-adobe-magento: modules/services/aws_mq.tf, in three zones",
        "magento",
        "RabbitMQ",
        "4.2",
        "mq.m7g.large",
        "CLUSTER_MULTI_AZ",
        "abc",
        "ssm",
    ),
]


@dataclass
class Stack:
    """An applied template: ``ids`` of its resources by their names in the file."""

    aws: Served
    template: Template
    ids: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return self.aws.client(service, region=REGION)

    def apply(self) -> None:
        self._network()
        self._key()
        self._password(PASSWORD)
        if self.template.role:
            self._role()
        policy = json.dumps(DELIVERY)
        self.client("logs").put_resource_policy(policyName="mq", policyDocument=policy)
        self._configuration()
        self._broker()

    def _network(self) -> None:
        ec2, ids = self.client("ec2"), self.ids
        tags = [{"Key": "Name", "Value": self.template.name}]
        ids["vpc"] = ec2.create_vpc(
            CidrBlock="172.16.0.0/16",
            TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}],
        )["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=ids["vpc"], EnableDnsHostnames={"Value": True})
        ids["gateway"] = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=ids["gateway"], VpcId=ids["vpc"])
        ids["routes"] = ec2.create_route_table(VpcId=ids["vpc"])["RouteTable"]["RouteTableId"]
        ec2.create_route(
            RouteTableId=ids["routes"], DestinationCidrBlock="0.0.0.0/0", GatewayId=ids["gateway"]
        )
        ids["subnets"] = [
            ec2.create_subnet(
                VpcId=ids["vpc"],
                CidrBlock=f"172.16.{number}.0/24",
                AvailabilityZone=f"{REGION}{zone}",
            )["Subnet"]["SubnetId"]
            for number, zone in enumerate(self.template.zones)
        ]
        ids["associations"] = [
            ec2.associate_route_table(RouteTableId=ids["routes"], SubnetId=subnet)["AssociationId"]
            for subnet in ids["subnets"]
        ]
        ids["group"] = ec2.create_security_group(
            GroupName=self.template.name, Description="of the broker", VpcId=ids["vpc"]
        )["GroupId"]
        ec2.revoke_security_group_egress(
            GroupId=ids["group"],
            IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
        )
        ec2.authorize_security_group_ingress(
            GroupId=ids["group"],
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 5671,
                    "ToPort": 5671,
                    "IpRanges": [{"CidrIp": "172.16.0.0/16", "Description": "AMQPS"}],
                }
            ],
        )

    def _key(self) -> None:
        kms = self.client("kms")
        account = self.client("sts").get_caller_identity()["Account"]
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Action": "kms:*",
                "Resource": "*",
            },
        }
        key = kms.create_key(Description=self.template.name, Policy=json.dumps(policy))
        self.ids["key"] = key["KeyMetadata"]["Arn"]
        kms.enable_key_rotation(KeyId=self.ids["key"])
        kms.create_alias(AliasName=f"alias/{self.template.name}", TargetKeyId=self.ids["key"])

    def _password(self, password: str) -> None:
        if self.template.secret == "secretsmanager":
            secrets = self.client("secretsmanager")
            if "secret" not in self.ids:
                self.ids["secret"] = secrets.create_secret(Name=self.template.name)["ARN"]
            secrets.put_secret_value(SecretId=self.ids["secret"], SecretString=password)
        else:
            self.client("ssm").put_parameter(
                Name=f"/{self.template.name}/password",
                Value=password,
                Type="SecureString",
                KeyId=self.ids["key"],
                Overwrite=True,
            )

    def password(self) -> str:
        if self.template.secret == "secretsmanager":
            answer = self.client("secretsmanager").get_secret_value(SecretId=self.ids["secret"])
            return str(answer["SecretString"])
        name = f"/{self.template.name}/password"
        answer = self.client("ssm").get_parameter(Name=name, WithDecryption=True)
        return str(answer["Parameter"]["Value"])

    def _role(self) -> None:
        iam = self.client("iam")
        iam.create_role(RoleName=self.template.name, AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.attach_role_policy(
            RoleName=self.template.name,
            PolicyArn="arn:aws:iam::aws:policy/AmazonMQReadOnlyAccess",
        )

    def _configuration(self) -> None:
        mq = self.client("mq")
        made = mq.create_configuration(
            Name=self.template.name,
            EngineType=self.template.engine,
            EngineVersion=self.template.version,
        )
        self.ids["configuration"] = made["Id"]
        self.ids["revision"] = mq.update_configuration(
            ConfigurationId=made["Id"], Data=b64encode(DATA[self.template.engine]).decode()
        )["LatestRevision"]["Revision"]

    def _broker(self) -> None:
        template, ids = self.template, self.ids
        logs = {"General": True, **({"Audit": True} if template.audit else {})}
        ids["broker"] = self.client("mq").create_broker(
            BrokerName=template.name,
            EngineType=template.engine,
            EngineVersion=template.version,
            HostInstanceType=template.instance,
            DeploymentMode=template.mode,
            PubliclyAccessible=False,
            AutoMinorVersionUpgrade=True,
            SubnetIds=ids["subnets"],
            SecurityGroups=[ids["group"]],
            Configuration={"Id": ids["configuration"], "Revision": ids["revision"]},
            EncryptionOptions={"UseAwsOwnedKey": False, "KmsKeyId": ids["key"]},
            Logs=logs,
            Users=[{"Username": "admin", "Password": self.password()}],
            Tags={"Name": template.name},
        )["BrokerId"]
        self.wait(while_in="CREATION_IN_PROGRESS")

    def describe(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.client("mq").describe_broker(BrokerId=self.ids["broker"])
        return answer

    def wait(self, while_in: str) -> None:
        end = time.monotonic() + LONG
        while (state := self.describe()["BrokerState"]) == while_in:
            assert time.monotonic() < end
            time.sleep(0.3)
        assert state == "RUNNING", self.aws.log

    def logged(self, group: str) -> list[str]:
        logs, name = self.client("logs"), f"/aws/amazonmq/broker/{self.ids['broker']}/{group}"
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=name)
        return [event["message"] for page in pages for event in page["events"]]

    def publish(self) -> None:
        """Send a message with the stored password, to whichever node serves."""
        broker = self.aws.testbed.brokers.peek(self.ids["broker"])
        protocol, ca_file = clients.QUEUE_PROTOCOL[broker.engine_type], self.aws.endpoint.ca_file
        addresses = [
            Address(protocol, each.host, each.port, "admin", self.password(), ca_file)
            for each in broker.endpoints
            if protocol in each.protocols
        ]
        with failover(addresses)(addresses[0]) as client:
            client.publish(Destination.queue("orders"), b"hello")

    def change(self) -> None:
        """Another maintenance window at once, and another revision with a reboot."""
        mq, ids = self.client("mq"), self.ids
        window = {"DayOfWeek": "SUNDAY", "TimeOfDay": "03:00", "TimeZone": "UTC"}
        mq.update_broker(BrokerId=ids["broker"], MaintenanceWindowStartTime=window)
        assert self.describe()["MaintenanceWindowStartTime"] == window
        data = DATA[self.template.engine] + b"\n"
        latest = mq.update_configuration(
            ConfigurationId=ids["configuration"], Data=b64encode(data).decode()
        )["LatestRevision"]["Revision"]
        chosen = {"Id": ids["configuration"], "Revision": latest}
        mq.update_broker(BrokerId=ids["broker"], Configuration=chosen)
        assert self.describe()["Configurations"]["Pending"] == chosen
        mq.reboot_broker(BrokerId=ids["broker"])
        self.wait(while_in="REBOOT_IN_PROGRESS")
        assert self.describe()["Configurations"]["Current"] == chosen

    def destroy(self) -> None:
        mq, logs, ids = self.client("mq"), self.client("logs"), self.ids
        broker = ids["broker"]
        mq.delete_broker(BrokerId=broker)
        end = time.monotonic() + LONG
        while any(each["BrokerId"] == broker for each in mq.list_brokers()["BrokerSummaries"]):
            assert time.monotonic() < end
            time.sleep(0.3)
        prefix = f"/aws/amazonmq/broker/{broker}/"
        for group in logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]:
            logs.delete_log_group(logGroupName=group["logGroupName"])
        logs.delete_resource_policy(policyName="mq")
        mq.delete_configuration(ConfigurationId=ids["configuration"])
        if self.template.secret == "secretsmanager":
            self.client("secretsmanager").delete_secret(
                SecretId=ids["secret"], ForceDeleteWithoutRecovery=True
            )
        else:
            self.client("ssm").delete_parameter(Name=f"/{self.template.name}/password")
        kms = self.client("kms")
        kms.delete_alias(AliasName=f"alias/{self.template.name}")
        kms.schedule_key_deletion(KeyId=ids["key"], PendingWindowInDays=7)
        self._destroy_role()
        self._destroy_network()

    def _destroy_role(self) -> None:
        if self.template.role:
            iam, name = self.client("iam"), self.template.name
            arn = "arn:aws:iam::aws:policy/AmazonMQReadOnlyAccess"
            iam.detach_role_policy(RoleName=name, PolicyArn=arn)
            iam.delete_role(RoleName=name)

    def _destroy_network(self) -> None:
        ec2, ids = self.client("ec2"), self.ids
        ec2.delete_security_group(GroupId=ids["group"])
        for association in ids["associations"]:
            ec2.disassociate_route_table(AssociationId=association)
        for subnet in ids["subnets"]:
            ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_route_table(RouteTableId=ids["routes"])
        ec2.detach_internet_gateway(InternetGatewayId=ids["gateway"], VpcId=ids["vpc"])
        ec2.delete_internet_gateway(InternetGatewayId=ids["gateway"])
        ec2.delete_vpc(VpcId=ids["vpc"])


def inventory(aws: Served) -> dict[str, set[str]]:
    """Return what is there; keys that wait for their deletion are gone."""

    def client(service: str) -> Any:
        return aws.client(service, region=REGION)

    ec2, kms, mq = client("ec2"), client("kms"), client("mq")
    keys = (kms.describe_key(KeyId=key["KeyId"]) for key in kms.list_keys()["Keys"])
    return {
        "vpcs": {each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"]},
        "subnets": {each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]},
        "groups": {each["GroupId"] for each in ec2.describe_security_groups()["SecurityGroups"]},
        "rules": {
            each["SecurityGroupRuleId"]
            for each in ec2.describe_security_group_rules()["SecurityGroupRules"]
        },
        "routes": {each["RouteTableId"] for each in ec2.describe_route_tables()["RouteTables"]},
        "acls": {each["NetworkAclId"] for each in ec2.describe_network_acls()["NetworkAcls"]},
        "gateways": {
            each["InternetGatewayId"]
            for each in ec2.describe_internet_gateways()["InternetGateways"]
        },
        "keys": {
            key["KeyMetadata"]["Arn"]
            for key in keys
            if key["KeyMetadata"]["KeyState"] != "PendingDeletion"
            and key["KeyMetadata"]["KeyManager"] == "CUSTOMER"
        },
        "roles": {each["RoleName"] for each in client("iam").list_roles()["Roles"]},
        "secrets": {each["ARN"] for each in client("secretsmanager").list_secrets()["SecretList"]},
        "parameters": {each["Name"] for each in client("ssm").describe_parameters()["Parameters"]},
        "logs": {
            each["logGroupName"] for each in client("logs").describe_log_groups()["logGroups"]
        },
        "policies": {
            each["policyName"]
            for each in client("logs").describe_resource_policies()["resourcePolicies"]
        },
        "brokers": {each["BrokerId"] for each in mq.list_brokers()["BrokerSummaries"]},
        "configurations": {each["Id"] for each in mq.list_configurations()["Configurations"]},
    }


@pytest.fixture
def applied(aws: Served, request: pytest.FixtureRequest) -> Iterator[Stack]:
    stack = Stack(aws, request.param)
    yield stack
    broker = stack.ids.get("broker")
    if broker in aws.testbed.brokers.ids():
        aws.testbed.brokers.delete(broker)


@pytest.mark.parametrize(
    "applied", first_then_nightly(TEMPLATES, "two nodes, and three"), indirect=True, ids=str
)
def test_a_public_file_is_applied_changed_and_destroyed(applied: Stack) -> None:
    stack, before = applied, inventory(applied.aws)
    stack.apply()
    described, ids = stack.describe(), stack.ids
    assert described["SubnetIds"] == ids["subnets"]
    assert described["SecurityGroups"] == [ids["group"]]
    assert described["EncryptionOptions"] == {"UseAwsOwnedKey": False, "KmsKeyId": ids["key"]}
    assert described["Configurations"]["Current"]["Id"] == ids["configuration"]
    stack.publish()
    assert stack.logged("general")
    assert PASSWORD not in "".join(stack.logged("general"))
    if stack.template.engine == "RabbitMQ":
        assert any("accepting AMQP connection" in line for line in stack.logged("connection"))
    group = refusal(stack.client("ec2").delete_security_group, GroupId=ids["group"])
    assert group["Code"] == "DependencyViolation"
    stack.change()
    stack.publish()
    stack.destroy()
    assert inventory(stack.aws) == before
