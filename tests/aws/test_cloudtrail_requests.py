"""Every operation of CloudTrail's and STS's models: answered, or refused with AWS's code."""

import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from testbed import api_models
from testbed.aws.endpoint import serve
from tests.support import models
from tests.support.answers import differences
from tests.support.aws_endpoint import Answer, Served
from tests.support.brokers_offline import offline

CLOUDTRAIL, STS = api_models.operations("cloudtrail"), api_models.operations("sts")
LOOKUP = CLOUDTRAIL["LookupEvents"]
ATTRIBUTES = [{"AttributeKey": "EventName", "AttributeValue": "ListBrokers"}]
# The codes of values that have the right type. CloudTrail names the member in the code.
CODES = {
    "EventCategory": "InvalidEventCategoryException",
    "LookupAttributes": "InvalidLookupAttributesException",
    "MaxResults": "InvalidMaxResultsException",
    "NextToken": "InvalidNextTokenException",
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with offline(tmp_path_factory.mktemp("state")) as testbed, serve(testbed) as endpoint:
        aws = Served(testbed, endpoint)
        for _ in range(3):
            aws.client("mq").list_brokers()
        yield aws


def send(aws: Served, name: str, document: models.Document) -> Answer:
    sent = models.encode(CLOUDTRAIL[name], document)
    return aws.send(sent.method, sent.path, sent.body, service="cloudtrail", headers=sent.headers)


def test_a_legal_look_up_is_answered_by_the_model(aws: Served) -> None:
    token = send(aws, "LookupEvents", {"MaxResults": 1}).document["NextToken"]
    known = {"LookupAttributes": ATTRIBUTES}
    for document in models.legal(LOOKUP, {}, known):
        if "NextToken" in document:
            document["NextToken"] = token
        answer = send(aws, "LookupEvents", document)
        assert answer.status == 200, (document, answer)
        assert [*differences(LOOKUP.output_shape, answer.document)] == [], document


def test_a_look_up_is_recorded_after_what_it_answers(aws: Served) -> None:
    found = {"AttributeKey": "EventName", "AttributeValue": "LookupEvents"}
    first, second = (
        aws.client("cloudtrail").lookup_events(LookupAttributes=[found], MaxResults=1)
        for _ in range(2)
    )
    [event] = second["Events"]
    record = json.loads(event["CloudTrailEvent"])
    assert record["requestID"] == first["ResponseMetadata"]["RequestId"]
    assert (record["eventSource"], record["readOnly"]) == ("cloudtrail.amazonaws.com", True)
    assert record["requestParameters"] == {
        "lookupAttributes": [{"attributeKey": "EventName", "attributeValue": "LookupEvents"}],
        "maxResults": 1,
    }
    assert record["responseElements"] is None


def test_every_fault_of_a_look_up_gets_its_code(aws: Served) -> None:
    wrong = {}
    for malformed in models.malformed(LOOKUP, {}):
        answer = send(aws, "LookupEvents", malformed.document)
        expected = (
            "SerializationException"
            if malformed.kind == "type"
            else CODES[malformed.member.partition(".")[0]]
        )
        if (answer.status, answer.headers.get("X-Amzn-ErrorType")) != (400, expected):
            wrong[str(malformed)] = answer
    assert wrong == {}


@pytest.mark.parametrize("name", sorted(CLOUDTRAIL.keys() - {"LookupEvents"}))
def test_every_other_operation_of_cloudtrail_is_refused_with_the_reason(
    aws: Served, name: str
) -> None:
    answer = send(aws, name, next(models.legal(CLOUDTRAIL[name], {})))
    assert (answer.status, answer.document["__type"]) == (400, "UnsupportedOperationException")
    assert f"and not {name}" in answer.document["message"]


@pytest.mark.nightly("operations that are refused anyway")
@pytest.mark.parametrize("name", sorted(CLOUDTRAIL.keys() - {"LookupEvents"}))
def test_so_is_every_fault_of_every_member_of_the_other_operations(aws: Served, name: str) -> None:
    for malformed in models.malformed(CLOUDTRAIL[name], {}):
        answer = send(aws, name, malformed.document)
        codes = {"SerializationException", "UnsupportedOperationException"}
        assert answer.status == 400, malformed
        assert answer.document["__type"] in codes, malformed
    assert aws.log == []


@pytest.mark.parametrize("name", sorted(STS))
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_every_operation_of_sts_is_answered_or_refused_with_the_reason(
    aws: Served, name: str, method: str
) -> None:
    text = urlencode({"Action": name, "Version": "2011-06-15"})
    path, body = ("/", text.encode()) if method == "POST" else (f"/?{text}", b"")
    answer = aws.send(method, path, body, service="sts")
    if name in ("GetCallerIdentity", "GetSessionToken"):
        assert answer.status == 200
        return
    assert answer.status == 400
    if name in ("AssumeRole", "GetAccessKeyInfo", "GetFederationToken"):
        assert b"<Code>ValidationError</Code>" in answer.body
        return
    assert b"<Code>InvalidAction</Code>" in answer.body
    assert f"and not {name}" in answer.body.decode()


@pytest.mark.parametrize(
    "body",
    [b"", b"Action=", b"Action=%00", b"Action=Nonsense", b"\xff\xfe", b"a=1&" * 200, b"Action=<&>"],
)
def test_whatever_else_sts_is_sent_is_refused_in_xml(aws: Served, body: bytes) -> None:
    answer = aws.send("POST", "/", body, service="sts")
    assert answer.status == 400
    assert answer.body.startswith(b"<?xml")
    assert b"<Message>" in answer.body


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        b'{"a":' + DEEP + b"}",
        b'{"MaxResults":' + b"9" * 10_000 + b"}",
        b'{"MaxResults": "\xff"}',
        b'{"MaxResults": 1',
        b"{'MaxResults': 1}",
        b'{"MaxResults": NaN}',
        b'{"MaxResults": 1e400}',
        b'"MaxResults"',
    ],
)
@pytest.mark.parametrize("service", ["cloudtrail", "kms", "mq"])
def test_json_that_is_none_is_refused_by_each_service(
    aws: Served, service: str, body: bytes
) -> None:
    target = {"cloudtrail": "CloudTrail_20131101.LookupEvents", "kms": "TrentService.ListKeys"}
    answer = aws.send(
        "POST",
        "/v1/configurations" if service == "mq" else "/",
        body.replace(b"MaxResults", b"Limit") if service == "kms" else body,
        service=service,
        headers={"X-Amz-Target": target.get(service, "")},
    )
    code = "BadRequestException" if service == "mq" else "SerializationException"
    assert (answer.status, answer.headers["X-Amzn-ErrorType"]) == (400, code)
    assert aws.log == []


def test_of_two_members_of_one_name_the_last_counts(aws: Served) -> None:
    answer = aws.send(
        "POST",
        "/",
        b'{"MaxResults": 0, "MaxResults": 1}',
        service="cloudtrail",
        headers={"X-Amz-Target": "CloudTrail_20131101.LookupEvents"},
    )
    assert len(json.loads(answer.body)["Events"]) == 1
