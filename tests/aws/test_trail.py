"""LookupEvents and GetCallerIdentity through the endpoint."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from testbed.kms.base import USER_ACCOUNT
from tests.support.aws_endpoint import OTHER_ACCOUNT, Served, refusal

pytestmark = pytest.mark.containers


def events(aws: Served, **parameters: object) -> list[dict[str, Any]]:
    records = []
    for page in aws.client("cloudtrail").get_paginator("lookup_events").paginate(**parameters):
        records += [json.loads(event["CloudTrailEvent"]) for event in page["Events"]]
    return records


def by(key: str, value: str) -> dict[str, object]:
    return {"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]}


def test_a_call_is_found_by_its_key_with_who_when_and_how(aws: Served) -> None:
    kms = aws.client("kms")
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    kms.encrypt(KeyId=arn, Plaintext=b"canary-of-the-trail")
    encrypted, created = events(aws, **by("ResourceName", arn))
    assert (encrypted["eventName"], created["eventName"]) == ("Encrypt", "CreateKey")
    assert encrypted["userIdentity"]["accountId"] == USER_ACCOUNT
    assert encrypted["userIdentity"]["type"] == "Root"
    assert encrypted["sourceIPAddress"] == "127.0.0.1"
    assert str(encrypted["userAgent"]).startswith("Boto3/")
    assert "canary-of-the-trail" not in json.dumps(encrypted)


def test_an_event_is_as_the_api_has_it(aws: Served) -> None:
    aws.client("kms").create_key()
    [event] = aws.client("cloudtrail").lookup_events(MaxResults=1, **by("EventName", "CreateKey"))[
        "Events"
    ]
    assert (event["EventName"], event["EventSource"], event["Username"], event["ReadOnly"]) == (
        "CreateKey",
        "kms.amazonaws.com",
        "root",
        "false",
    )
    assert abs(event["EventTime"] - aws.testbed.clock.datetime()) < timedelta(minutes=5)
    assert event["Resources"][0]["ResourceType"] == "AWS::KMS::Key"


def test_calls_on_amazon_mq_are_there_refused_or_not(aws: Served) -> None:
    mq = aws.client("mq")
    mq.list_brokers()
    refusal(mq.describe_broker, BrokerId="b-not-there")
    refusal(mq.update_broker, BrokerId="b-not-there", HostInstanceType="mq.m5.large")
    updated, described, listed = events(aws, **by("EventSource", "amazonmq.amazonaws.com"))[:3]
    assert [event["eventName"] for event in (listed, described, updated)] == [
        "ListBrokers",
        "DescribeBroker",
        "UpdateBroker",
    ]
    assert "errorCode" not in listed
    assert (described["errorCode"], updated["errorCode"]) == (
        "NotFoundException",
        "NotFoundException",
    )
    assert updated["requestParameters"] == {
        "broker-id": "b-not-there",
        "hostInstanceType": "mq.m5.large",
    }


def test_pages_and_times(aws: Served) -> None:
    cloudtrail = aws.client("cloudtrail")
    for _ in range(3):
        aws.client("kms").list_keys(Limit=1)
    first = cloudtrail.lookup_events(MaxResults=2, **by("EventName", "ListKeys"))
    rest = cloudtrail.lookup_events(
        MaxResults=2, NextToken=first["NextToken"], **by("EventName", "ListKeys")
    )
    ids = [event["EventId"] for page in (first, rest) for event in page["Events"]]
    assert len(ids) == len(set(ids)) >= 3
    assert cloudtrail.lookup_events(EndTime=datetime(2020, 1, 1, tzinfo=UTC))["Events"] == []
    assert (
        cloudtrail.lookup_events(StartTime=aws.testbed.clock.datetime() + timedelta(hours=1))[
            "Events"
        ]
        == []
    )


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"MaxResults": 51}, "InvalidMaxResultsException"),
        ({"NextToken": "made up"}, "InvalidNextTokenException"),
        ({"StartTime": 2_000_000_000, "EndTime": 1_000_000_000}, "InvalidTimeRangeException"),
        (
            {"LookupAttributes": [{"AttributeKey": "Colour", "AttributeValue": "red"}]},
            "InvalidLookupAttributesException",
        ),
        ({"LookupAttributes": [{"AttributeKey": "EventName"}]}, "InvalidLookupAttributesException"),
        ({"EventCategory": "outlook"}, "InvalidEventCategoryException"),
    ],
)
def test_look_ups_that_are_refused(aws: Served, parameters: dict[str, object], code: str) -> None:
    answer = aws.call(
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents", parameters
    )
    assert (answer.status, answer.document["__type"]) == (400, code)
    assert answer.document["message"]


def test_the_rest_of_cloudtrail_is_reported_as_missing(aws: Served) -> None:
    refused = refusal(aws.client("cloudtrail").describe_trails)
    assert refused["Code"] == "UnsupportedOperationException"
    assert "LookupEvents" in refused["Message"]


def test_of_several_attributes_the_first_counts(aws: Served) -> None:
    aws.client("kms").list_keys()
    aws.client("mq").list_brokers()
    found = events(
        aws,
        LookupAttributes=[
            {"AttributeKey": "EventName", "AttributeValue": "ListKeys"},
            {"AttributeKey": "EventName", "AttributeValue": "ListBrokers"},
        ],
    )
    assert {event["eventName"] for event in found} == {"ListKeys"}


def test_there_are_no_insights(aws: Served) -> None:
    answer = aws.client("cloudtrail").lookup_events(EventCategory="insight")
    assert answer["Events"] == []


def test_a_denied_call_is_named_as_cloudtrail_names_it(aws: Served) -> None:
    arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    refused = refusal(aws.client("kms", OTHER_ACCOUNT).describe_key, KeyId=arn)
    assert refused["Code"] == "AccessDeniedException"
    found = aws.client("cloudtrail", OTHER_ACCOUNT).lookup_events(**by("EventName", "DescribeKey"))
    denied = json.loads(found["Events"][0]["CloudTrailEvent"])
    assert (denied["errorCode"], denied["errorMessage"]) == ("AccessDenied", refused["Message"])


def test_a_record_has_the_requests_id_and_its_connection(aws: Served) -> None:
    host = f"localhost:{aws.endpoint.port}"
    for answer, name in (
        (aws.client("kms").list_keys(), "ListKeys"),
        (aws.client("mq").list_brokers(), "ListBrokers"),
    ):
        found = events(aws, **by("EventName", name))[0]
        assert found["requestID"] == answer["ResponseMetadata"]["RequestId"]
        assert found["tlsDetails"] == {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_256_GCM_SHA384",
            "clientProvidedHostHeader": host,
        }


def test_what_amazon_mq_asks_in_a_users_session_is_its_own_request(aws: Served) -> None:
    kms = aws.client("kms")
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    kms.disable_key(KeyId=arn)
    refused = refusal(
        aws.client("mq").create_broker,
        BrokerName="orders",
        EngineType="RABBITMQ",
        EngineVersion="4.2",
        DeploymentMode="SINGLE_INSTANCE",
        HostInstanceType="mq.m7g.medium",
        PubliclyAccessible=False,
        EncryptionOptions={"UseAwsOwnedKey": False, "KmsKeyId": arn},
        Users=[{"Username": "admin", "Password": "correct-horse-1"}],
    )
    assert refused["ErrorAttribute"] == "encryptionOptions"
    described = next(
        event
        for event in events(aws, **by("ResourceName", arn))
        if event["eventName"] == "DescribeKey"
    )
    created = events(aws, **by("EventName", "CreateBroker"))[0]
    assert described["userIdentity"]["invokedBy"] == "mq.amazonaws.com"
    assert "tlsDetails" not in described
    assert "tlsDetails" in created
    assert described["requestID"] != created["requestID"]


@pytest.mark.parametrize("account", [USER_ACCOUNT, OTHER_ACCOUNT])
def test_who_one_is(aws: Served, account: str) -> None:
    identity = aws.client("sts", account).get_caller_identity()
    assert {name: identity[name] for name in ("Account", "Arn", "UserId")} == {
        "Account": account,
        "Arn": f"arn:aws:iam::{account}:root",
        "UserId": account,
    }
    assert identity["ResponseMetadata"]["RequestId"]
    headers = identity["ResponseMetadata"]["HTTPHeaders"]
    assert identity["ResponseMetadata"]["RequestId"] == headers["x-amzn-requestid"]


def test_the_rest_of_sts_is_reported_as_missing(aws: Served) -> None:
    refused = refusal(aws.client("sts").decode_authorization_message, EncodedMessage="x")
    assert refused["Code"] == "InvalidAction"
    assert "DecodeAuthorizationMessage" in refused["Message"]
    answer = aws.send("POST", "/", b"Action=DecodeAuthorizationMessage", service="sts")
    assert f"<RequestId>{answer.headers['X-Amzn-RequestId']}</RequestId>" in answer.body.decode()


def test_another_account_has_another_trail(aws: Served) -> None:
    aws.client("kms").list_aliases()
    listed = aws.client("cloudtrail", OTHER_ACCOUNT).lookup_events(
        **by("EventName", "ListAliases")
    )["Events"]
    assert listed == []
