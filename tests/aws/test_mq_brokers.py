"""A broker's life through boto3: created, described, changed, rebooted, quarantined, deleted."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from testbed import clients
from testbed.account import default_vpc
from testbed.clients import Destination
from testbed.clients.base import Address
from testbed.clients.console import Console
from testbed.errors import ContainerFailed, NotAuthorized
from testbed.kms.base import USER_ACCOUNT
from testbed.library import MqBroker
from tests.support.aws_endpoint import OTHER_ACCOUNT, Served, refusal
from tests.support.broker_node import retry_login

pytestmark = pytest.mark.containers
# Of this file alone: another one puts a password where the trail keeps it, into the name of a host.
PASSWORD, SECOND = "correct-horse-of-brokers", "battery-staple-of-brokers"
LONG = 240.0  # seconds; a broker takes about ten on an idle machine


@dataclass
class Created:
    """A single-instance ActiveMQ broker under its own key; ``answer`` is CreateBroker's."""

    aws: Served
    key: str
    answer: dict[str, Any]
    request: dict[str, Any]
    first: dict[str, Any]  # DescribeBroker right after CreateBroker
    refused: dict[str, Any]  # DeleteBroker right after it

    @property
    def identity(self) -> str:
        return str(self.answer["BrokerId"])

    def describe(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.aws.client("mq").describe_broker(BrokerId=self.identity)
        return answer

    def connect(self, username: str, password: str, protocol: str = "stomp") -> None:
        broker = self.aws.testbed.brokers.describe(self.identity)
        endpoint = broker.endpoint(protocol)
        address = Address(
            protocol, endpoint.host, endpoint.port, username, password, self.aws.endpoint.ca_file
        )
        with clients.connect(address) as client:
            client.publish(Destination.queue("through-the-api"), b"hello")

    def add_queue(self, username: str, password: str, name: str) -> None:
        """Add a queue on the console."""
        endpoint = self.aws.testbed.brokers.describe(self.identity).endpoint("console")
        address = Address(
            "console", endpoint.host, endpoint.port, username, password, self.aws.endpoint.ca_file
        )
        mbean = "org.apache.activemq:type=Broker,brokerName=made-by-boto3"
        Console(address).jolokia(
            type="exec", mbean=mbean, operation="addQueue(java.lang.String)", arguments=[name]
        )


def wait(describe: Callable[[], dict[str, Any]], while_in: str) -> dict[str, Any]:
    end = time.monotonic() + LONG
    while (answer := describe())["BrokerState"] == while_in:
        assert time.monotonic() < end
        time.sleep(0.3)
    return answer


@pytest.fixture(scope="module")
def created(aws: Served) -> Iterator[Created]:
    mq, key = aws.client("mq"), aws.testbed.new_key("of a broker made by boto3")
    request = {
        "BrokerName": "made-by-boto3",
        "DeploymentMode": "SINGLE_INSTANCE",
        "EngineType": "ActiveMQ",
        "EngineVersion": "5.19",
        "HostInstanceType": "mq.m5.large",
        "StorageType": "EBS",
        "PubliclyAccessible": True,
        "AutoMinorVersionUpgrade": True,
        "SubnetIds": [default_vpc.subnet_id(USER_ACCOUNT, "us-east-1", 1)],
        "SecurityGroups": [default_vpc.security_group_id(USER_ACCOUNT, "us-east-1")],
        "Logs": {"General": True, "Audit": False},
        "MaintenanceWindowStartTime": {
            "DayOfWeek": "MONDAY",
            "TimeOfDay": "22:00",
            "TimeZone": "Europe/Berlin",
        },
        "EncryptionOptions": {"UseAwsOwnedKey": False, "KmsKeyId": key},
        "Tags": {"team": "orders"},
        "CreatorRequestId": "once",
        "Users": [
            {"Username": "admin", "Password": PASSWORD, "ConsoleAccess": True, "Groups": ["admins"]}
        ],
    }
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "mq.amazonaws.com"},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": "arn:aws:logs:*:*:log-group:/aws/amazonmq/*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("logs").put_resource_policy(policyName="AmazonMQ", policyDocument=document)
    answer = mq.create_broker(**request)
    first = mq.describe_broker(BrokerId=answer["BrokerId"])
    again = mq.create_broker(**request)
    assert again["BrokerId"] == answer["BrokerId"], "the same CreatorRequestId, the same broker"
    refused = refusal(mq.delete_broker, BrokerId=answer["BrokerId"])
    created = Created(aws, key, answer, request, first, refused)
    assert wait(created.describe, "CREATION_IN_PROGRESS")["BrokerState"] == "RUNNING", aws.log
    yield created
    if created.identity in aws.testbed.brokers.ids():
        aws.testbed.brokers.delete(created.identity)


def test_create_broker_answers_before_the_broker_is_there(created: Created) -> None:
    assert created.answer["BrokerArn"].endswith(f":broker:made-by-boto3:{created.identity}")
    assert (created.first["BrokerState"], created.first["BrokerInstances"]) == (
        "CREATION_IN_PROGRESS",
        [],
    )
    assert created.refused["Message"] == (
        "Broker [made-by-boto3] can't be deleted while in state [CREATION_IN_PROGRESS]"
    )
    default = created.first["Configurations"]["Pending"]
    assert created.first["Configurations"] == {"History": [], "Pending": default}
    assert created.describe()["Configurations"] == {"History": [], "Current": default}
    listed = created.aws.client("mq").list_configurations()["Configurations"]
    [configuration] = [each for each in listed if each["Id"] == default["Id"]]
    assert (configuration["Name"], configuration["LatestRevision"]["Revision"]) == (
        "made-by-boto3-configuration",
        default["Revision"],
    )


def test_describe_broker_gives_back_what_was_asked_for(created: Created) -> None:
    answer, request = created.describe(), created.request
    for name in set(request) - {"Users", "CreatorRequestId", "EngineVersion", "Logs"}:
        assert answer[name] == request[name], name
    assert answer["EngineVersion"] == "5.19.1", "the patch version"
    assert answer["Users"] == [{"Username": "admin"}]
    assert PASSWORD not in json.dumps(answer, default=str)
    assert answer["Logs"]["General"] is True
    assert answer["Logs"]["GeneralLogGroup"] == f"/aws/amazonmq/broker/{created.identity}/general"
    [instance] = answer["BrokerInstances"]
    assert instance["IpAddress"] == "127.0.0.1"
    assert instance["ConsoleURL"].startswith("https://localhost:")
    assert [url.partition("://")[0] for url in instance["Endpoints"]] == [
        "ssl",
        "amqp+ssl",
        "stomp+ssl",
        "mqtt+ssl",
        "wss",
    ]
    assert "CreatorRequestId" not in answer
    assert answer["Created"] <= created.aws.testbed.clock.datetime()


def logged(created: Created, group: str) -> list[str]:
    """Return the messages in one of the broker's log groups; none if it does not exist."""
    logs, name = created.aws.client("logs"), f"/aws/amazonmq/broker/{created.identity}/{group}"
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=name) if groups else ()
    return [event["message"] for page in pages for event in page["events"]]


def test_what_it_writes_is_in_its_log_group(created: Created) -> None:
    lines = logged(created, "general")
    assert any("BrokerService - Apache ActiveMQ" in line and "started" in line for line in lines)
    assert len(lines) == len(logged(created, "general")), "delivered once"
    assert PASSWORD not in "".join(lines)
    assert logged(created, "audit") == [], "it is off"


def test_its_endpoints_take_its_user(created: Created) -> None:
    created.connect("admin", PASSWORD)
    with pytest.raises(NotAuthorized):
        retry_login(lambda: created.connect("admin", SECOND))


def test_its_name_is_taken_and_its_request_id_too(created: Created) -> None:
    mq = created.aws.client("mq")
    refused = refusal(mq.create_broker, **{**created.request, "CreatorRequestId": "twice"})
    assert (refused["Code"], refused["Status"], refused["ErrorAttribute"]) == (
        "ConflictException",
        409,
        "brokerName",
    )
    refused = refusal(mq.create_broker, **{**created.request, "BrokerName": "another"})
    assert (refused["Code"], refused["ErrorAttribute"]) == ("ConflictException", "creatorRequestId")


def test_a_broker_is_asked_for_by_its_id(created: Created) -> None:
    mq = created.aws.client("mq")
    assert refusal(mq.describe_broker, BrokerId="made-by-boto3")["Code"] == "NotFoundException"
    assert (
        refusal(created.aws.client("mq", OTHER_ACCOUNT).describe_broker, BrokerId=created.identity)[
            "Code"
        ]
        == "NotFoundException"
    )
    assert (
        refusal(
            created.aws.client("mq", OTHER_ACCOUNT).list_tags,
            ResourceArn=created.answer["BrokerArn"],
        )["Code"]
        == "NotFoundException"
    )


def test_brokers_are_listed_in_pages(created: Created, rabbitmq_broker: MqBroker) -> None:
    pages = list(
        created.aws.client("mq")
        .get_paginator("list_brokers")
        .paginate(PaginationConfig={"PageSize": 1})
    )
    rows = [row for page in pages for row in page["BrokerSummaries"]]
    assert all(len(page["BrokerSummaries"]) == 1 for page in pages)
    assert {(row["BrokerId"], row["EngineType"], row["BrokerState"]) for row in rows} >= {
        (created.identity, "ActiveMQ", "RUNNING"),
        (rabbitmq_broker.broker_id, "RABBITMQ", "RUNNING"),
    }


def test_tags_come_and_go(created: Created) -> None:
    mq, arn = created.aws.client("mq"), created.answer["BrokerArn"]
    mq.create_tags(ResourceArn=arn, Tags={"stage": "test", "team": "payments"})
    assert (
        mq.list_tags(ResourceArn=arn)["Tags"]
        == {"team": "payments", "stage": "test"}
        == created.describe()["Tags"]
    )
    mq.delete_tags(ResourceArn=arn, TagKeys=["stage", "not-there"])
    assert mq.list_tags(ResourceArn=arn)["Tags"] == {"team": "payments"}
    assert (
        refusal(mq.create_tags, ResourceArn=arn, Tags={str(number): "x" for number in range(50)})[
            "ErrorAttribute"
        ]
        == "tags"
    )
    assert refusal(mq.list_tags, ResourceArn=arn + "x")["Code"] == "NotFoundException"


def test_what_is_changed_waits_for_a_reboot(created: Created) -> None:
    mq, identity = created.aws.client("mq"), created.identity
    configuration = mq.create_configuration(
        Name="of-made", EngineType="ACTIVEMQ", EngineVersion="5.19"
    )
    mq.create_user(BrokerId=identity, Username="second", Password=SECOND, Groups=["workers"])
    mq.update_user(BrokerId=identity, Username="admin", ConsoleAccess=True, Password=SECOND)
    ec2 = created.aws.client("ec2")
    group = ec2.create_security_group(GroupName="second", Description="of made-by-boto3")["GroupId"]
    refused = refusal(mq.update_broker, BrokerId=identity, SecurityGroups=["sg-1"])
    assert refused["Message"] == "The security group 'sg-1' does not exist"
    updated = mq.update_broker(
        BrokerId=identity,
        HostInstanceType="mq.m5.xlarge",
        Configuration={"Id": configuration["Id"]},
        Logs={"General": False, "Audit": True},
        SecurityGroups=[group],
    )
    assert updated["HostInstanceType"] == "mq.m5.xlarge"
    assert updated["BrokerId"] == identity

    default = created.describe()["Configurations"]["Current"]
    before = created.describe()
    assert (before["HostInstanceType"], before["PendingHostInstanceType"]) == (
        "mq.m5.large",
        "mq.m5.xlarge",
    )
    assert before["Configurations"] == {
        "Current": default,
        "History": [],
        "Pending": {"Id": configuration["Id"], "Revision": 1},
    }
    assert before["Logs"]["Pending"] == {"General": False, "Audit": True}
    assert before["SecurityGroups"] == [group]
    refused = refusal(ec2.delete_security_group, GroupId=group)
    assert (refused["Code"], refused["Message"]) == (
        "DependencyViolation",
        f"resource {group} has a dependent object",
    )
    assert before["Users"] == [
        {"Username": "admin", "PendingChange": "UPDATE"},
        {"Username": "second", "PendingChange": "CREATE"},
    ]
    assert mq.list_users(BrokerId=identity)["Users"] == before["Users"]
    pending = mq.describe_user(BrokerId=identity, Username="second")
    assert pending["Pending"] == {
        "ConsoleAccess": False,
        "Groups": ["workers"],
        "PendingChange": "CREATE",
    }
    created.connect("admin", PASSWORD)
    with pytest.raises(NotAuthorized):
        retry_login(lambda: created.connect("second", SECOND))

    mq.reboot_broker(BrokerId=identity)
    assert created.describe()["BrokerState"] == "REBOOT_IN_PROGRESS"
    assert refusal(mq.reboot_broker, BrokerId=identity)["Code"] == "BadRequestException"
    assert refusal(mq.delete_broker, BrokerId=identity)["Code"] == "BadRequestException"
    after = wait(created.describe, "REBOOT_IN_PROGRESS")
    assert (after["BrokerState"], after["HostInstanceType"]) == (
        "RUNNING",
        "mq.m5.xlarge",
    )
    assert "PendingHostInstanceType" not in after
    assert after["Configurations"] == {
        "Current": {"Id": configuration["Id"], "Revision": 1},
        "History": [default],
    }
    assert (after["Logs"]["General"], after["Logs"]["Audit"], after["Logs"].get("Pending")) == (
        False,
        True,
        None,
    )
    created.add_queue("admin", SECOND, "audited")
    assert any("addQueue" in line and "audited" in line for line in logged(created, "audit"))
    assert SECOND not in "".join(logged(created, "audit"))
    assert after["Users"] == [{"Username": "admin"}, {"Username": "second"}]
    assert "Pending" not in mq.describe_user(BrokerId=identity, Username="second")
    created.connect("admin", SECOND)
    created.connect("second", SECOND)
    with pytest.raises(NotAuthorized):
        retry_login(lambda: created.connect("admin", PASSWORD))
    refused = refusal(mq.delete_configuration, ConfigurationId=configuration["Id"])
    assert (refused["Code"], refused["ErrorAttribute"]) == ("ConflictException", "configuration-id")


def test_users_are_checked_as_at_creation(created: Created) -> None:
    mq, identity = created.aws.client("mq"), created.identity
    assert (
        refusal(mq.create_user, BrokerId=identity, Username="admin", Password=SECOND)["Code"]
        == "ConflictException"
    )
    assert (
        refusal(mq.create_user, BrokerId=identity, Username="third", Password="short")[
            "ErrorAttribute"
        ]
        == "password"
    )
    assert (
        refusal(
            mq.create_user, BrokerId=identity, Username="jane.doe@example.com", Password=SECOND
        )["ErrorAttribute"]
        == "username"
    )
    for operation in (mq.describe_user, mq.update_user, mq.delete_user):
        refused = refusal(operation, BrokerId=identity, Username="nobody")
        assert (
            refused["Message"] == "Can't find requested user [nobody]. Make sure your user exists."
        )
    mq.create_user(BrokerId=identity, Username="third", Password=SECOND)
    mq.delete_user(BrokerId=identity, Username="third")
    assert {user["Username"] for user in mq.list_users(BrokerId=identity)["Users"]} == {
        "admin",
        "second",
    }, "as if it had never existed"
    mq.delete_user(BrokerId=identity, Username="second")
    assert {"Username": "second", "PendingChange": "DELETE"} in mq.list_users(BrokerId=identity)[
        "Users"
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"EngineVersion": "5.18"}, "is older than [5.19]"),
        ({"EngineVersion": "5.17"}, "is invalid for broker engine type [ACTIVEMQ]"),
        ({"HostInstanceType": "mq.t3.micro"}, "does not support host instance type [mq.t3.micro]"),
        ({"AutoMinorVersionUpgrade": False}, "must have [autoMinorVersionUpgrade] set to [true]"),
        ({"AuthenticationStrategy": "LDAP"}, "does not offer"),
        ({"ResourceShareArns": ["arn:aws:ram::x"]}, "does not offer shared resources"),
    ],
)
def test_updates_that_are_refused(created: Created, change: dict[str, Any], sentence: str) -> None:
    refused = refusal(created.aws.client("mq").update_broker, BrokerId=created.identity, **change)
    assert refused["Code"] == "BadRequestException"
    assert sentence in refused["Message"]


def test_the_key_is_for_the_brokers_life(created: Created) -> None:
    other_key = created.aws.testbed.new_key("another")
    body = json.dumps(
        {"encryptionOptions": {"useAwsOwnedKey": False, "kmsKeyId": other_key}}
    ).encode()
    assert created.aws.send("PUT", f"/v1/brokers/{created.identity}", body).status == 200, (
        "UpdateBroker has no such member: it is ignored, as by AWS"
    )
    assert created.describe()["EncryptionOptions"]["KmsKeyId"] == created.key


def test_a_reboot_is_refused_at_once_while_the_key_is_disabled(created: Created) -> None:
    mq, kms, testbed = created.aws.client("mq"), created.aws.client("kms"), created.aws.testbed
    kms.disable_key(KeyId=created.key)
    testbed.wait_out_delay()
    refused = refusal(mq.reboot_broker, BrokerId=created.identity)
    assert (refused["Code"], refused["ErrorAttribute"]) == (
        "BadRequestException",
        "broker-id",
    )
    assert "INVALID_KMS_KEY" in refused["Message"]
    answer = created.describe()
    assert answer["BrokerState"] == "CRITICAL_ACTION_REQUIRED"
    assert "INVALID_KMS_KEY" in answer["ActionsRequired"][0]["ActionRequiredCode"]
    created.connect("admin", SECOND)
    kms.enable_key(KeyId=created.key)
    testbed.wait_out_delay()
    assert created.describe()["BrokerState"] == "RUNNING"


def test_a_creation_that_fails_says_so_and_leaves_only_its_entry(
    aws: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(volume_id: str) -> None:
        raise ContainerFailed("The engine has no room for a volume.")

    monkeypatch.setattr(aws.testbed.containers, "create_volume", broken)
    mq, key = aws.client("mq"), aws.testbed.new_key("of a broker that fails")
    identity = mq.create_broker(
        BrokerName="failing",
        DeploymentMode="SINGLE_INSTANCE",
        EngineType="RABBITMQ",
        EngineVersion="4.2",
        HostInstanceType="mq.m7g.large",
        PubliclyAccessible=False,
        EncryptionOptions={"UseAwsOwnedKey": False, "KmsKeyId": key},
        Users=[{"Username": "admin", "Password": PASSWORD}],
    )["BrokerId"]
    answer = wait(lambda: mq.describe_broker(BrokerId=identity), "CREATION_IN_PROGRESS")
    assert (answer["BrokerState"], answer["BrokerInstances"]) == ("CREATION_FAILED", [])
    assert aws.client("kms").list_grants(KeyId=key)["Grants"] == []
    assert refusal(mq.reboot_broker, BrokerId=identity)["Code"] == "BadRequestException"
    assert (
        refusal(mq.update_broker, BrokerId=identity, Logs={"General": True})["Code"]
        == "BadRequestException"
    )
    assert aws.testbed.upkeep.maintain(identity).broker_state == "CREATION_FAILED"
    assert mq.delete_broker(BrokerId=identity)["BrokerId"] == identity
    with pytest.raises(mq.exceptions.NotFoundException):
        wait(lambda: mq.describe_broker(BrokerId=identity), "DELETION_IN_PROGRESS")


def test_rabbitmq_has_its_users_to_itself(aws: Served, rabbitmq_broker: MqBroker) -> None:
    mq, identity = aws.client("mq"), rabbitmq_broker.broker_id
    assert (
        mq.list_users(BrokerId=identity)["Users"]
        == []
        == mq.describe_broker(BrokerId=identity)["Users"]
    )
    assert (
        "not supported for RabbitMQ brokers"
        in refusal(mq.create_user, BrokerId=identity, Username="x1", Password=SECOND)["Message"]
    )
    assert refusal(mq.update_broker, BrokerId=identity, SecurityGroups=["sg-1"]) == {
        "Code": "BadRequestException",
        "Message": "Changing security groups is not supported for RabbitMQ brokers.",
        "ErrorAttribute": "securityGroups",
        "Status": 400,
    }
    assert (
        refusal(mq.update_broker, BrokerId=identity, Logs={"Audit": True})["Message"]
        == "Audit logging is not supported for RabbitMQ brokers."
    )


def test_deleted_is_gone_with_its_grants_and_the_trail_keeps_no_password(created: Created) -> None:
    """Has to run last in this file: it deletes the broker."""
    mq, kms = created.aws.client("mq"), created.aws.client("kms")
    assert kms.list_grants(KeyId=created.key)["Grants"]
    assert mq.delete_broker(BrokerId=created.identity)["BrokerId"] == created.identity
    with pytest.raises(mq.exceptions.NotFoundException):
        wait(created.describe, "DELETION_IN_PROGRESS")
    assert kms.list_grants(KeyId=created.key)["Grants"] == []
    events = [
        event["CloudTrailEvent"]
        for page in created.aws.client("cloudtrail")
        .get_paginator("lookup_events")
        .paginate(
            LookupAttributes=[
                {"AttributeKey": "EventSource", "AttributeValue": "amazonmq.amazonaws.com"}
            ]
        )
        for event in page["Events"]
    ]
    names = [json.loads(event)["eventName"] for event in events]
    assert {
        "CreateBroker",
        "CreateUser",
        "UpdateUser",
        "UpdateBroker",
        "RebootBroker",
        "DeleteBroker",
        "CreateTags",
    } <= set(names)
    assert not [event for event in events if PASSWORD in event or SECOND in event]
    [creation] = [
        event
        for event in map(json.loads, events)
        if event["eventName"] == "CreateBroker"
        and (event["responseElements"] or {}).get("brokerId") == created.identity
    ][:1]
    assert creation["requestParameters"]["hostInstanceType"] == "mq.m5.large"
    assert creation["requestParameters"]["users"][0]["password"] == "***"
    assert created.aws.log == []
