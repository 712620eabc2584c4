"""Every operation of Amazon MQ's model: legal requests, and every fault of every member.

All of it happens before a broker or a key is touched, so neither is needed; requests that would
start something are in ``test_life.py``.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from testbed import api_models
from testbed.account import default_vpc
from testbed.aws.endpoint import serve
from testbed.aws.mq import OPERATIONS as OFFERED
from testbed.documented.engines import VERSIONS
from tests.support import models
from tests.support.answers import differences
from tests.support.aws_endpoint import Answer, Served, refusal
from tests.support.brokers_offline import add, offline, request
from tests.support.nightly import first_then_nightly

OPERATIONS = api_models.operations("mq")
STARTS = {"CreateBroker", "RebootBroker", "DeleteBroker"}
VERSION = {"ACTIVEMQ": "5.19", "RABBITMQ": "4.2"}
DATA = {
    "ACTIVEMQ": b'<broker xmlns="http://activemq.apache.org/schema/core"/>',
    "RABBITMQ": b"consumer_timeout = 900000\n",
}
NOT_OFFERED = "The testbed does not offer"
# What the service itself answers beside its model (TF), and what a request's model allows.
TOLERATED = (
    "authenticationStrategy is not in the enumeration: 'simple'",
    "storageType is not in the enumeration: 'ebs'",
    "storageType is not in the enumeration: 'efs'",
    "maxResults is out of range: 1",
)
# What the model allows and the service does not, or not for this engine: in the service's words.
ALWAYS_REFUSED = {
    "Promote": NOT_OFFERED,
    "UpdateBroker LdapServerMetadata": NOT_OFFERED,
    "UpdateBroker ResourceShareArns": NOT_OFFERED,
    "UpdateBroker StorageSize": "Configurable storage is available for RabbitMQ M7g brokers",
    "UpdateBroker AutoMinorVersionUpgrade": "must have [autoMinorVersionUpgrade] set to [true]",
}
ON_RABBITMQ = "Managing users is not supported for RabbitMQ brokers."
REFUSED = {
    "ACTIVEMQ": ALWAYS_REFUSED,
    "RABBITMQ": ALWAYS_REFUSED
    | dict.fromkeys(("CreateUser", "DeleteUser", "DescribeUser", "UpdateUser"), ON_RABBITMQ)
    | {"UpdateBroker SecurityGroups": "Changing security groups is not supported for RabbitMQ"},
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with offline(tmp_path_factory.mktemp("state")) as testbed, serve(testbed) as endpoint:
        yield Served(testbed, endpoint)


@pytest.fixture(params=first_then_nightly(["ACTIVEMQ", "RABBITMQ"], "the other engine"))
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def known(aws: Served, engine: str) -> dict[str, Any]:
    """Store a broker and a configuration of the engine, and return values for members."""
    number = len(aws.testbed.brokers.peek_all())
    broker = add(aws.testbed, request(engine, f"orders-{number}"))
    configuration = aws.client("mq").create_configuration(
        Name=f"orders-{number}", EngineType=engine, EngineVersion=VERSION[engine]
    )["Id"]
    return {
        "BrokerId": broker.broker_id,
        "BrokerName": "orders",
        "Configuration": {"id": configuration, "revision": 1},
        "ConfigurationId": configuration,
        "ConfigurationRevision": "1",
        "Data": b64encode(DATA[engine]).decode(),
        "DeploymentMode": "SINGLE_INSTANCE",
        "EngineType": engine,
        "EngineVersion": VERSION[engine],
        "MaintenanceWindowStartTime": {"dayOfWeek": "MONDAY", "timeOfDay": "22:00"},
        "HostInstanceType": {"RABBITMQ": "mq.m7g.large", "ACTIVEMQ": "mq.m5.large"}[engine],
        "Password": "correct-horse-1",
        "ResourceArn": broker.arn,
        "SecurityGroups": [default_vpc.security_group_id(broker.account, broker.region)],
        "Username": "admin",
    }


def send(aws: Served, name: str, document: models.Document) -> Answer:
    sent = models.encode(OPERATIONS[name], document)
    return aws.send(sent.method, sent.path, sent.body, headers=sent.headers)


def required(name: str, known: dict[str, Any]) -> dict[str, Any]:
    shape = OPERATIONS[name].input_shape
    members = shape.required_members if shape else ()
    return {member: known[member] for member in members if member in known}


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - STARTS))
def test_a_legal_request_is_answered_by_the_model_or_refused_with_the_reason(
    aws: Served, known: dict[str, Any], engine: str, name: str
) -> None:
    operation = OPERATIONS[name]
    least = required(name, known)
    number = 0
    for document in models.legal(operation, least, known):
        number += 1
        if name == "CreateConfiguration":
            document["Name"] = f"{known['BrokerName']}-{engine}-{number}"
        if name in ("CreateUser", "UpdateUser", "DeleteUser"):
            document["Username"] = f"user-{number}"
        if name in ("UpdateUser", "DeleteUser") and engine == "ACTIVEMQ":
            send(aws, "CreateUser", {**known_user(known), "Username": document["Username"]})
        added = "".join(sorted(document.keys() - least.keys() - {"Name", "Mode"}))
        case = f"{name} {added}"
        answer = send(aws, name, document)
        reason = REFUSED[engine].get(case) or REFUSED[engine].get(name)
        if "NextToken" in document and name in OFFERED:
            reason = "[nextToken] is not from an answer to the same request."
        if reason:
            assert answer.status == 400, case
            assert reason in answer.document["message"], case
            continue
        assert answer.status == operation.http.get("responseCode", 200), (case, answer.body)
        answered = json.loads(answer.body) if answer.body else {}
        assert [
            difference
            for difference in differences(operation.output_shape, answered)
            if not difference.endswith(TOLERATED)
        ] == [], case
    assert aws.log == []


def known_user(known: dict[str, Any]) -> dict[str, Any]:
    return {"BrokerId": known["BrokerId"], "Password": known["Password"]}


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_fault_of_every_member_is_a_bad_request(
    aws: Served, known: dict[str, Any], name: str
) -> None:
    operation, wrong = OPERATIONS[name], {}
    for malformed in models.malformed(operation, required(name, known)):
        answer = send(aws, name, malformed.document)
        code = answer.status, answer.headers.get("X-Amzn-ErrorType")
        if code != (400, "BadRequestException") or not answer.document["message"]:
            wrong[str(malformed)] = answer
    assert wrong == {}
    assert aws.log == []


@pytest.mark.parametrize("text", ["a" * 5000, "..", "%00", "b-1 b-2", "é", "arn:aws:mq:::x"])
def test_a_path_that_names_nothing_is_not_found(aws: Served, engine: str, text: str) -> None:
    mq = aws.client("mq")
    for call, member in (
        (mq.describe_broker, "BrokerId"),
        (mq.reboot_broker, "BrokerId"),
        (mq.describe_configuration, "ConfigurationId"),
        (mq.delete_configuration, "ConfigurationId"),
        (mq.list_tags, "ResourceArn"),
    ):
        refused = refusal(call, **{member: text})
        assert (refused["Code"], refused["Status"]) == ("NotFoundException", 404), (call, text)


@pytest.mark.parametrize("empty", [{}, {"EngineVersion": ""}])
def test_the_version_is_the_latest_if_none_is_named(
    aws: Served, engine: str, known: dict[str, Any], empty: dict[str, str]
) -> None:
    mq, latest = aws.client("mq"), VERSIONS[engine][0]
    name = f"{known['BrokerId']}-{len(empty)}"
    created = mq.create_configuration(Name=name, EngineType=engine, **empty)
    configuration = mq.describe_configuration(ConfigurationId=created["Id"])
    assert configuration["EngineVersion"] == latest
    members = ("BrokerName", "DeploymentMode", "EngineType", "HostInstanceType")
    asked = {member: known[member] for member in members} | empty
    refused = refusal(
        mq.create_broker,
        **asked,
        PubliclyAccessible=False,
        AutoMinorVersionUpgrade=False,
        Users=[{"Username": "admin", "Password": known["Password"]}],
    )
    assert f"version [{latest}] must have [autoMinorVersionUpgrade]" in refused["Message"]


def test_every_operation_of_the_model_is_offered_or_named_as_not_offered() -> None:
    assert set(OPERATIONS) - set(OFFERED) == {"Promote"}
