"""A broker's whole life in each of two Regions, led by other people's tools."""

import json
import os
import shutil
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.aws_endpoint import Served
from tests.support.aws_tools import Boto3, Cli, Refused, Tool

pytestmark = pytest.mark.containers
LONG = 240.0  # seconds for each state; a broker takes about ten on an idle machine
GO_PROGRAM = Path(__file__).resolve().parents[1] / "support" / "go_sdk"
PASSWORD = "correct-horse-1"
VERSION = {"ActiveMQ": "5.19", "RabbitMQ": "4.2"}
DATA = {
    "ActiveMQ": b'<broker xmlns="http://activemq.apache.org/schema/core" persistent="true"/>\n',
    "RabbitMQ": b"consumer_timeout = 900000\n",
}


@dataclass
class Life:
    """A broker, its key and its configuration in the Region of ``tool``."""

    tool: Tool
    engine: str
    region: str
    key: str = ""
    configuration: str = ""
    broker: str = ""

    def begin(self) -> None:
        self.key = self.tool.call("kms", "CreateKey", Description="orders")["KeyMetadata"]["Arn"]
        self.tool.call("kms", "CreateAlias", AliasName="alias/orders", TargetKeyId=self.key)
        self.configuration = self.tool.call(
            "mq",
            "CreateConfiguration",
            Name="orders",
            EngineType=self.engine,
            EngineVersion=VERSION[self.engine],
        )["Id"]
        self.broker = self.tool.call(
            "mq",
            "CreateBroker",
            BrokerName="orders",
            EngineType=self.engine,
            EngineVersion=VERSION[self.engine],
            DeploymentMode="SINGLE_INSTANCE",
            HostInstanceType={"ActiveMQ": "mq.m5.large", "RabbitMQ": "mq.m7g.medium"}[self.engine],
            PubliclyAccessible=False,
            AutoMinorVersionUpgrade=True,
            StorageType="EBS",
            Configuration={"Id": self.configuration, "Revision": 1},
            EncryptionOptions={"UseAwsOwnedKey": False, "KmsKeyId": self.key},
            Users=[{"Username": "admin", "Password": PASSWORD}],
            Tags={"team": "orders"},
        )["BrokerId"]

    def runs(self) -> None:
        created = self.becomes("RUNNING", while_in="CREATION_IN_PROGRESS")
        assert created["EncryptionOptions"] == {"UseAwsOwnedKey": False, "KmsKeyId": self.key}
        assert created["BrokerArn"].startswith(f"arn:aws:mq:{self.region}:")
        assert self.tool.call("mq", "ListTags", ResourceArn=created["BrokerArn"])["Tags"] == {
            "team": "orders"
        }

    def is_changed(self) -> None:
        revision = self.tool.call(
            "mq",
            "UpdateConfiguration",
            ConfigurationId=self.configuration,
            Data=b64encode(DATA[self.engine]).decode(),
        )["LatestRevision"]["Revision"]
        newer = {"Id": self.configuration, "Revision": revision}
        self.tool.call("mq", "UpdateBroker", BrokerId=self.broker, Configuration=newer)
        if self.engine == "ActiveMQ":
            user = {"BrokerId": self.broker, "Username": "second"}
            self.tool.call("mq", "CreateUser", **user, Password=PASSWORD, Groups=["readers"])
            pending = self.tool.call("mq", "DescribeUser", **user)["Pending"]
            assert (pending["PendingChange"], pending["Groups"]) == ("CREATE", ["readers"])
        self.tool.call("mq", "RebootBroker", BrokerId=self.broker)

    def has_changed(self) -> None:
        rebooted = self.becomes("RUNNING", while_in="REBOOT_IN_PROGRESS")
        assert rebooted["Configurations"]["Current"]["Revision"] == 2
        if self.engine == "ActiveMQ":
            assert {user["Username"] for user in rebooted["Users"]} == {"admin", "second"}

    def loses_its_key_for_a_while(self) -> None:
        self.tool.call("kms", "DisableKey", KeyId=self.key)
        lost = self.becomes("CRITICAL_ACTION_REQUIRED", while_in="RUNNING")
        assert "INVALID_KMS_KEY" in lost["ActionsRequired"][0]["ActionRequiredCode"]
        assert self.refusal("mq", "RebootBroker", BrokerId=self.broker) == "BadRequestException"
        self.tool.call("kms", "EnableKey", KeyId=self.key)
        self.becomes("RUNNING", while_in="CRITICAL_ACTION_REQUIRED")

    def is_apart_from(self, other: "Life") -> None:
        brokers = self.tool.call("mq", "ListBrokers")["BrokerSummaries"]
        assert self.broker in [row["BrokerId"] for row in brokers]
        assert other.broker not in [row["BrokerId"] for row in brokers]
        for service, operation, parameters in (
            ("mq", "DescribeBroker", {"BrokerId": other.broker}),
            ("mq", "DescribeConfiguration", {"ConfigurationId": other.configuration}),
            ("kms", "DescribeKey", {"KeyId": other.key.rpartition("/")[2]}),
        ):
            assert self.refusal(service, operation, **parameters) == "NotFoundException"

    def ends(self) -> None:
        self.tool.call("mq", "DeleteBroker", BrokerId=self.broker)
        with pytest.raises(Refused, match="NotFoundException"):
            self.becomes("", while_in="DELETION_IN_PROGRESS")
        self.tool.call("mq", "DeleteConfiguration", ConfigurationId=self.configuration)
        self.tool.call("kms", "DeleteAlias", AliasName="alias/orders")
        self.tool.call("kms", "ScheduleKeyDeletion", KeyId=self.key, PendingWindowInDays=7)
        for name in ("CreateBroker", "RebootBroker", "DeleteBroker"):
            named = [{"AttributeKey": "EventName", "AttributeValue": name}]
            events = self.tool.call("cloudtrail", "LookupEvents", LookupAttributes=named)["Events"]
            records = [json.loads(event["CloudTrailEvent"]) for event in events]
            assert any(self.broker in json.dumps(record) for record in records), name
            assert {record["awsRegion"] for record in records} == {self.region}

    def becomes(self, state: str, *, while_in: str) -> Mapping[str, Any]:
        """Return the broker once it has left a state. Raises ``Refused`` when it is gone."""
        end = time.monotonic() + LONG
        while True:
            broker = self.tool.call("mq", "DescribeBroker", BrokerId=self.broker)
            if broker["BrokerState"] != while_in:
                assert broker["BrokerState"] == state
                return broker
            assert time.monotonic() < end
            time.sleep(0.5)

    def refusal(self, service: str, operation: str, **parameters: Any) -> str:
        with pytest.raises(Refused) as refused:
            self.tool.call(service, operation, **parameters)
        return refused.value.code


def lead(tool: Callable[[str], Tool]) -> None:
    """Lead two brokers' lives side by side."""
    lives = [
        Life(tool(region), engine, region)
        for region, engine in (("eu-central-1", "ActiveMQ"), ("us-west-2", "RabbitMQ"))
    ]
    for step in (Life.begin, Life.runs, Life.is_changed, Life.has_changed):
        for life in lives:
            step(life)
    lives[0].is_apart_from(lives[1])
    lives[1].is_apart_from(lives[0])
    for step in (Life.loses_its_key_for_a_while, Life.ends):
        for life in lives:
            step(life)


@pytest.mark.nightly("two brokers' lives by boto3")
def test_boto3_leads_two_brokers(aws: Served) -> None:
    tools: list[Boto3] = []

    def in_region(region: str) -> Tool:
        tools.append(Boto3(aws.endpoint, region))
        return tools[-1]

    lead(in_region)
    assert [difference for tool in tools for difference in tool.beside_the_model] == []
    assert aws.log == []


@pytest.mark.timeout(900)
@pytest.mark.nightly("two brokers' lives by the AWS CLI")
def test_the_aws_cli_leads_two_brokers(aws: Served) -> None:
    lead(lambda region: Cli(aws.endpoint, region))
    assert aws.log == []


@pytest.mark.timeout(1500)
@pytest.mark.nightly("two brokers' lives by the AWS SDK for Go")
def test_the_go_sdk_leads_two_brokers(aws: Served, tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("there is no Go on this machine")
    program = tmp_path / "life"
    subprocess.run(["go", "build", "-o", program, "."], cwd=GO_PROGRAM, check=True, timeout=600)
    led = subprocess.run(
        [program],
        env={**os.environ, **aws.endpoint.environment()},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert led.returncode == 0, (led.stdout, led.stderr)
    assert aws.log == []
