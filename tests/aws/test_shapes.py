"""Requests and answers by the services' models, without a connection."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed import api_models
from testbed.aws import shapes

ENCRYPT, DESCRIBE = (
    api_models.operations("kms")["Encrypt"],
    api_models.operations("mq")["DescribeBroker"],
)
LOOKUP = api_models.operations("cloudtrail")["LookupEvents"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


def test_what_botocore_sends_is_read_as_it_was_given() -> None:
    parameters = {
        "KeyId": "alias/a",
        "Plaintext": b"\0\xff",
        "EncryptionContext": {"aws:mq:broker": "b-1"},
        "DryRun": False,
        "GrantTokens": ["t"],
    }
    sent = create_serializer("json").serialize_to_request(parameters, ENCRYPT)
    assert shapes.parse(ENCRYPT.input_shape, shapes.read(sent["body"])) == parameters
    times = {"StartTime": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "MaxResults": 7}
    sent = create_serializer("json").serialize_to_request(times, LOOKUP)
    assert shapes.parse(LOOKUP.input_shape, shapes.read(sent["body"])) == times


def test_what_is_answered_is_read_by_botocore_as_it_was_meant() -> None:
    answer = {
        "BrokerId": "b-1",
        "Created": "2026-01-02T03:04:05.678+00:00",
        "BrokerInstances": [
            {"ConsoleURL": "https://localhost", "Endpoints": ["amqps://localhost:1"]}
        ],
        "Tags": {"team": "orders"},
        "PendingEngineVersion": None,
        "NotInTheModel": "left out",
    }
    body = json.dumps(shapes.render(DESCRIBE.output_shape, answer)).encode()
    read = create_parser("rest-json").parse(
        {"body": body, "headers": {}, "status_code": 200}, DESCRIBE.output_shape
    )
    read.pop("ResponseMetadata")
    assert read.pop("Created") == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert read == {name: answer[name] for name in ("BrokerId", "BrokerInstances", "Tags")}


def test_a_time_is_in_seconds_where_the_model_says_nothing_else() -> None:
    shape = api_models.operations("kms")["DescribeKey"].output_shape
    rendered = shapes.render(
        shape, {"KeyMetadata": {"KeyId": "k", "CreationDate": datetime(2026, 1, 1, tzinfo=UTC)}}
    )
    assert rendered == {"KeyMetadata": {"KeyId": "k", "CreationDate": 1767225600.0}}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"KeyId": NaN}',
        b'{"KeyId": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
    ],
    ids=[
        "cut off",
        "a list",
        "a string",
        "not UTF-8",
        "no number",
        "a number without end",
        "nested without end",
    ],
)
def test_anything_but_a_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(shapes.Malformed, match="The body must be a JSON object"):
        shapes.read(body)


def test_an_empty_body_is_an_empty_object() -> None:
    assert shapes.read(b" \n") == {} == shapes.read(b"")


@pytest.mark.parametrize(
    ("document", "member", "expected"),
    [
        ({"KeyId": 7}, "KeyId", "a string"),
        ({"KeyId": "\ud800"}, "KeyId", "a string"),
        ({"Plaintext": "not base64!"}, "Plaintext", "base64"),
        ({"EncryptionContext": []}, "EncryptionContext", "an object"),
        ({"EncryptionContext": {"a": 1}}, "EncryptionContext", "a string"),
        ({"GrantTokens": "t"}, "GrantTokens", "a list"),
        ({"GrantTokens": [None]}, "GrantTokens", "a string"),
        ({"DryRun": "true"}, "DryRun", "true or false"),
    ],
)
def test_what_is_wrong_is_named(document: dict[str, Any], member: str, expected: str) -> None:
    with pytest.raises(shapes.Malformed, match=f"^{member} must be {expected}.$") as caught:
        shapes.parse(ENCRYPT.input_shape, document)
    assert caught.value.member == member


def test_base64_may_be_in_lines() -> None:
    document = {"KeyId": "k", "Plaintext": " aGVs\r\nbG8=\n"}
    assert shapes.parse(ENCRYPT.input_shape, document)["Plaintext"] == b"hello"


@pytest.mark.parametrize("value", [math.inf, 1e300, "yesterday", True, [], "9" * 400])
def test_an_impossible_time(value: object) -> None:
    with pytest.raises(shapes.Malformed, match="StartTime must be a time"):
        shapes.parse(LOOKUP.input_shape, {"StartTime": value})


@pytest.mark.parametrize("text", ["", "-1", "1e3", "٣", "1" * 30, " 1"])
def test_a_number_in_a_query_is_digits(text: str) -> None:
    shape = api_models.operations("mq")["ListBrokers"].input_shape.members["MaxResults"]
    with pytest.raises(shapes.Malformed, match="maxResults must be an integer"):
        shapes.from_text(shape, text, "maxResults")
    assert shapes.from_text(shape, "007", "maxResults") == 7


@pytest.mark.parametrize("name", ["kms", "mq", "cloudtrail"])
@settings(max_examples=60)
@given(data=st.data())
def test_whatever_json_comes_is_parsed_or_refused(name: str, data: st.DataObject) -> None:
    operation = data.draw(
        st.sampled_from(
            [
                operation
                for operation in api_models.operations(name).values()
                if operation.input_shape
            ]
        )
    )
    members = {
        shapes.wire_name(member, shape) for member, shape in operation.input_shape.members.items()
    }
    document = data.draw(st.dictionaries(st.sampled_from(sorted(members) or ["x"]), JSON))
    try:
        parsed = shapes.parse(operation.input_shape, document)
    except shapes.Malformed as error:
        assert error.member  # noqa: PT017 - either outcome is right
    else:
        assert set(parsed) <= set(operation.input_shape.members)
