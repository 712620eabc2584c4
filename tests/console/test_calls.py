"""The console's buttons make real calls, recorded as any client's; nobody else can make them."""

from collections.abc import Iterator
from typing import Any

import pytest

from testbed.account import known_keys
from testbed.aws.endpoint import serve
from testbed.console.calls import OPERATIONS, USER_AGENT
from testbed.kms.base import USER_ACCOUNT
from testbed.testbed import Testbed
from testbed.trail.lookup import newest, recent, since
from tests.support import brokers_offline
from tests.support.aws_endpoint import Served
from tests.support.brokers_offline import request
from tests.support.console import call, post, send, token, wait_until

REBOOT = {"operation": "RebootBroker", "region": "us-east-1", "parameters": {"BrokerId": "b-none"}}


@pytest.fixture(scope="session")
def running(testbed: Testbed) -> Iterator[Served]:
    """Return an endpoint over LocalStack."""
    with serve(testbed) as endpoint:
        yield Served(testbed, endpoint)


def panels(served: Served) -> dict[str, str]:
    document: dict[str, str] = send(served, "/console/panels").document
    return document


def record_of(served: Served, outcome: dict[str, Any]) -> dict[str, Any]:
    """Return the one record of a call."""
    records = recent(served.testbed.trail, USER_ACCOUNT, 1000)
    [record] = [each for each in records if each.get("requestID") == outcome["request_id"]]
    return record


@pytest.mark.containers
def test_a_keys_buttons_do_what_they_say(running: Served) -> None:
    arn = running.testbed.new_key("for the console's buttons")
    kms = running.client("kms")
    steps: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("DisableKey", {}, "Disabled"),
        ("EnableKey", {}, "Enabled"),
        ("ScheduleKeyDeletion", {"PendingWindowInDays": 7}, "PendingDeletion"),
        ("CancelKeyDeletion", {}, "Disabled"),
    )
    for operation, parameters, state in steps:
        outcome = call(running, operation, KeyId=arn, **parameters)
        record = record_of(running, outcome)
        assert (outcome["status"], outcome["code"]) == (200, "")
        assert record["eventName"] == operation
        assert (record["userIdentity"]["type"], record["userAgent"]) == ("Root", USER_AGENT)
        assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == state
    assert "Disabled" in send(running, "/console/panels").document["keys"]


@pytest.mark.containers
def test_a_grants_button_revokes_it(running: Served) -> None:
    arn, kms = running.testbed.new_key("for a grant"), running.client("kms")
    grant = kms.create_grant(
        KeyId=arn, GranteePrincipal="mq.amazonaws.com", Operations=["Decrypt"]
    )["GrantId"]
    outcome = call(running, "RevokeGrant", KeyId=arn, GrantId=grant)
    assert (outcome["status"], record_of(running, outcome)["eventName"]) == (200, "RevokeGrant")


@pytest.mark.containers
def test_a_call_acts_in_the_region_of_its_key(running: Served) -> None:
    arn = running.testbed.new_key("elsewhere", region="eu-west-1")
    refused = call(running, "DisableKey", KeyId=arn)
    assert refused["code"] == "NotFoundException"
    assert call(running, "DisableKey", region="eu-west-1", KeyId=arn)["status"] == 200


@pytest.mark.containers
def test_a_key_is_shown_by_its_aliases(running: Served) -> None:
    arn = running.testbed.new_key("with an alias", region="eu-west-2")
    kms = running.client("kms", region="eu-west-2")
    kms.create_alias(AliasName="alias/shown-by-the-console", TargetKeyId=arn)
    before = newest(running.testbed.trail)
    wait_until(lambda: "alias/shown-by-the-console" in panels(running)["keys"])
    assert "alias/shown-by-the-con" in panels(running)["graph"]
    kms.delete_alias(AliasName="alias/shown-by-the-console")
    wait_until(lambda: "alias/shown-by-the-console" not in panels(running)["keys"])
    recorded, _ = since(running.testbed.trail, USER_ACCOUNT, before, region="eu-west-2")
    assert [record["eventName"] for record in recorded] == ["DeleteAlias"]


@pytest.mark.containers
def test_a_refusal_is_shown_in_the_words_of_aws(running: Served) -> None:
    arn, kms = running.testbed.new_key("not scheduled"), running.client("kms")
    with pytest.raises(kms.exceptions.KMSInvalidStateException) as caught:
        kms.cancel_key_deletion(KeyId=arn)
    outcome = call(running, "CancelKeyDeletion", KeyId=arn)
    error = caught.value.response["Error"]
    assert (outcome["code"], outcome["message"]) == (error["Code"], error["Message"])
    assert record_of(running, outcome)["errorCode"] == outcome["code"]


def test_the_calls_of_amazon_mq_are_recorded_refused_or_not(served: Served) -> None:
    broker = brokers_offline.add(served.testbed, request(name="to-be-deleted"))
    for operation, parameters, code in (
        ("RebootBroker", {"BrokerId": "b-none"}, "NotFoundException"),
        ("DeleteBroker", {"BrokerId": broker.broker_id}, ""),
        ("CreateBroker", {**_creation(), "BrokerName": "a name"}, "BadRequestException"),
    ):
        outcome = call(served, operation, **parameters)
        record = record_of(served, outcome)
        assert outcome["code"] == code
        assert (record["eventName"], record.get("errorCode", "")) == (operation, code)


def test_every_button_is_an_operation_and_every_operation_a_button(served: Served) -> None:
    brokers_offline.add(served.testbed, request(name="with-buttons"))
    page = send(served, "/console").body.decode()
    buttons = {name for name in OPERATIONS if f">{name}</button>" in page}
    assert buttons >= {"RebootBroker", "DeleteBroker", "CreateBroker"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"token": None}, 403),
        ({"token": ""}, 403),
        ({"token": "guessed"}, 403),
        ({"token": "ünknown"}, 403),
        ({"Origin": None}, 403),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "rebound.example"}, 421),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_a_call_that_is_not_the_consoles_is_refused(
    served: Served, headers: dict[str, str | None], status: int
) -> None:
    before = newest(served.testbed.trail)
    answer = post(served, REBOOT, **headers)
    assert answer.status == status
    assert newest(served.testbed.trail) == before
    assert post(served, REBOOT).status == 200  # the control: with all of it, it is made
    assert newest(served.testbed.trail) > before


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {**REBOOT, "operation": "DeleteUser"},
        {**REBOOT, "operation": ["RebootBroker"]},
        {**REBOOT, "operation": "__class__"},
        {**REBOOT, "region": "nowhere-1"},
        {**REBOOT, "region": "us-east-1.example.com/"},
        {**REBOOT, "parameters": {}},
        {**REBOOT, "parameters": {"BrokerId": "b", "Other": 1}},
        {**REBOOT, "parameters": "b-none"},
        {**REBOOT, "more": 1},
    ],
)
def test_a_call_that_no_client_could_make_is_refused(served: Served, document: object) -> None:
    before = newest(served.testbed.trail)
    assert post(served, document).status == 400
    assert newest(served.testbed.trail) == before


def test_a_call_is_no_get(served: Served) -> None:
    answer = send(served, "/console/call", headers={"X-Console-Token": token(served)})
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_the_console_only_reads_where_known_keys_are_required(served: Served) -> None:
    valid = token(served)
    known_keys.require(served.testbed.state, required=True)
    try:
        page = send(served, "/console").body.decode()
        key = known_keys.required(served.testbed.state)
        assert key
        assert not [secret for secret in (valid, key.secret) if secret in page]
        assert "AWS_SECRET_ACCESS_KEY" not in page
        wait_until(lambda: "data-operation" not in send(served, "/console").body.decode())
        assert post(served, REBOOT, token=valid).status == 403
    finally:
        known_keys.require(served.testbed.state, required=False)
    assert post(served, REBOOT, token=valid).status == 200


def _creation() -> dict[str, Any]:
    return {
        "EngineType": "RABBITMQ",
        "EngineVersion": "4.2",
        "DeploymentMode": "SINGLE_INSTANCE",
        "HostInstanceType": "mq.m7g.large",
        "PubliclyAccessible": False,
        "Users": [{"Username": "console-user", "Password": "correct-horse-1"}],
        "EncryptionOptions": {"UseAwsOwnedKey": True},
    }
