"""LookupEvents' attributes, time range, pages and refusals; following new records."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import ApiError
from testbed.kms.base import MQ, USER, USER_ACCOUNT, Caller
from testbed.trail.attributes import resources
from testbed.trail.lookup import Attribute, as_event, events, lookup_events, newest, since
from testbed.trail.record import Call, Setting, kms_record, mq_record
from testbed.trail.store import Trail

START = 1_700_000_000
KEY, OTHER_KEY = (
    f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/{letter * 8}-1111-4111-8111-111111111111"
    for letter in "ab"
)
ALICE = Caller(f"arn:aws:iam::{USER_ACCOUNT}:user/Alice", USER_ACCOUNT, "IAMUser")
SESSION = Caller(f"arn:aws:sts::{USER_ACCOUNT}:assumed-role/Admin/bob", USER_ACCOUNT, "AssumedRole")


def kms(
    number: int, operation: str, caller: Caller = USER, key: str = KEY, at: float = START
) -> dict[str, Any]:
    call = Call(caller, operation, {"KeyId": key}, at, f"request-{number}")
    return kms_record(
        call, Setting(), event_id=f"event-{number}", recipient=USER_ACCOUNT, resources=(key,)
    )


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    """Return a trail of ten records, ten seconds apart, of different callers and operations."""
    trail = Trail(tmp_path)
    trail.append(kms(0, "CreateKey"))
    trail.append(kms(1, "DescribeKey", ALICE, at=START + 10))
    answer = {"BrokerId": "b-1", "BrokerArn": "arn:aws:mq:::broker:orders:b-1"}
    broker = Call(ALICE, "CreateBroker", {"BrokerName": "orders"}, START + 20, "request-2", answer)
    trail.append(mq_record(broker, Setting(), event_id="event-2"))
    for number, (operation, caller, key) in enumerate(
        [
            ("Decrypt", MQ, KEY),
            ("Decrypt", SESSION, OTHER_KEY),
            ("Decrypt", USER, KEY),
            ("DisableKey", USER, KEY),
            ("EnableKey", USER, KEY),
            ("DisableKey", ALICE, OTHER_KEY),
        ],
        3,
    ):
        trail.append(kms(number, operation, caller, key, START + 10 * number))
    trail.append(
        mq_record(
            Call(ALICE, "RebootBroker", {"BrokerId": "b-1"}, START + 90, "request-9"),
            Setting(),
            event_id="event-9",
        )
    )
    return trail


def numbers_of(trail: Trail, key: str = "", value: str = "", **bounds: Any) -> list[int]:
    attribute = Attribute(key, value) if key else None
    return [
        int(record["eventID"].removeprefix("event-"))
        for record in events(trail, USER_ACCOUNT, attribute=attribute, **bounds)
    ]


# What is found


def test_without_an_attribute_everything_newest_first(trail: Trail) -> None:
    assert numbers_of(trail) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("key", "value", "numbers"),
    [
        ("EventName", "Decrypt", [5, 4, 3]),
        ("EventName", "decrypt", []),
        ("EventSource", "amazonmq.amazonaws.com", [9, 2]),
        ("EventSource", "kms.amazonaws.com", [8, 7, 6, 5, 4, 3, 1, 0]),
        ("Username", "Alice", [9, 8, 2, 1]),
        ("Username", "bob", [4]),
        ("Username", "root", [7, 6, 5, 0]),
        ("Username", "mq.amazonaws.com", []),  # a service has no user name
        ("ResourceName", OTHER_KEY, [8, 4]),
        ("ResourceName", "b-1", [9, 2]),
        ("ResourceName", "orders", [2]),
        ("ResourceType", "AWS::KMS::Key", [8, 7, 6, 5, 4, 3, 1, 0]),
        ("ResourceType", "AWS::AmazonMQ::Broker", [9, 2]),
        ("ReadOnly", "true", [5, 4, 3, 1]),
        ("ReadOnly", "false", [9, 8, 7, 6, 2, 0]),
        ("EventId", "event-6", [6]),
        ("EventId", "event-66", []),
    ],
)
def test_by_each_attribute(trail: Trail, key: str, value: str, numbers: list[int]) -> None:
    assert numbers_of(trail, key, value) == numbers


def test_by_the_access_key_of_a_record(trail: Trail) -> None:
    (record,) = lookup_events(
        trail, USER_ACCOUNT, attribute=Attribute("EventId", "event-4")
    ).records
    assert numbers_of(trail, "AccessKeyId", record["userIdentity"]["accessKeyId"]) == [4]


@pytest.mark.parametrize(
    ("range_", "numbers"),
    [
        ({"start": START + 70}, [9, 8, 7]),
        ({"end": START + 20}, [2, 1, 0]),
        ({"start": START + 30, "end": START + 50}, [5, 4, 3]),
        ({"start": START + 30, "end": START + 30}, [3]),
        ({"start": START + 30.5, "end": START + 49.9}, [4]),
        ({"end": START - 1}, []),
        ({"start": START + 91}, []),
    ],
)
def test_within_a_time_range_both_ends_included(
    trail: Trail, range_: dict[str, Any], numbers: list[int]
) -> None:
    assert numbers_of(trail, **range_) == numbers
    assert numbers_of(trail, "EventSource", "kms.amazonaws.com", **range_) == [
        number for number in numbers if number not in (2, 9)
    ]


def test_records_of_one_second_stand_in_the_order_of_their_writing(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    for number in (3, 1, 2):
        trail.append(kms(number, "Decrypt"))
    assert numbers_of(trail) == [2, 1, 3]


# Pages


@pytest.mark.parametrize("size", [1, 3, 5, 9, 10, 50])
def test_pages_have_every_record_once(trail: Trail, size: int) -> None:
    event_ids, token = [], ""
    while True:
        page = lookup_events(trail, USER_ACCOUNT, max_results=size, next_token=token)
        assert 0 < len(page.records) <= size
        event_ids += [record["eventID"] for record in page.records]
        token = page.next_token
        if not token:
            break
    assert event_ids == [f"event-{number}" for number in range(9, -1, -1)]


def test_what_comes_while_pages_are_turned_moves_nothing(trail: Trail) -> None:
    first = lookup_events(
        trail, USER_ACCOUNT, max_results=4, attribute=Attribute("EventSource", "kms.amazonaws.com")
    )
    trail.append(kms(10, "Decrypt", at=START + 100))
    second = lookup_events(
        trail,
        USER_ACCOUNT,
        max_results=9,
        attribute=Attribute("EventSource", "kms.amazonaws.com"),
        next_token=first.next_token,
    )
    assert [record["eventID"] for record in (*first.records, *second.records)] == [
        f"event-{number}" for number in (8, 7, 6, 5, 4, 3, 1, 0)
    ]


# Refusals


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"attribute": Attribute("Colour", "red")}, "InvalidLookupAttributesException"),
        ({"attribute": Attribute("EventName", "")}, "InvalidLookupAttributesException"),
        ({"start": START + 1, "end": START}, "InvalidTimeRangeException"),
        ({"max_results": 0}, "InvalidMaxResultsException"),
        ({"max_results": 51}, "InvalidMaxResultsException"),
        ({"next_token": "not one of ours"}, "InvalidNextTokenException"),
        ({"next_token": base64.b64encode(b"[1]").decode()}, "InvalidNextTokenException"),
        ({"next_token": base64.b64encode(b"[" * 9999).decode()}, "InvalidNextTokenException"),
        ({"next_token": "schlüssel"}, "InvalidNextTokenException"),
        (
            {"next_token": base64.b64encode(json.dumps(["x", 1, "y"]).encode()).decode()},
            "InvalidNextTokenException",
        ),
    ],
)
def test_what_cloudtrail_refuses_is_refused_with_its_code(
    trail: Trail, request_: dict[str, Any], code: str
) -> None:
    with pytest.raises(ApiError) as refusal:
        lookup_events(trail, USER_ACCOUNT, **request_)
    assert (refusal.value.code, refusal.value.status) == (code, 400)
    assert refusal.value.message


def test_a_token_is_good_for_the_request_that_it_came_from_only(trail: Trail) -> None:
    token = lookup_events(
        trail, USER_ACCOUNT, max_results=2, attribute=Attribute("EventName", "Decrypt")
    ).next_token
    assert (
        len(
            lookup_events(
                trail, USER_ACCOUNT, attribute=Attribute("EventName", "Decrypt"), next_token=token
            ).records
        )
        == 1
    )
    with pytest.raises(ApiError, match="InvalidNextTokenException"):
        lookup_events(
            trail, USER_ACCOUNT, attribute=Attribute("EventName", "Decrypt"), next_token=f"!{token}"
        )
    decrypt, disable = Attribute("EventName", "Decrypt"), Attribute("EventName", "DisableKey")
    for account, attribute in (
        (USER_ACCOUNT, None),
        (USER_ACCOUNT, disable),
        ("111122223333", decrypt),
    ):
        with pytest.raises(ApiError, match="InvalidNextTokenException"):
            lookup_events(trail, account, attribute=attribute, next_token=token)


# Following


def test_following_shows_each_record_once_as_it_comes(trail: Trail) -> None:
    cursor = newest(trail)
    assert since(trail, USER_ACCOUNT, cursor) == ((), cursor)
    trail.append(kms(10, "Decrypt", at=START - 500))  # late, and shown nevertheless
    trail.append(kms(11, "DisableKey"))
    records, cursor = since(trail, USER_ACCOUNT, cursor)
    assert [record["eventID"] for record in records] == ["event-10", "event-11"]
    assert since(trail, USER_ACCOUNT, cursor)[0] == ()


def test_following_with_an_attribute_in_small_steps(trail: Trail) -> None:
    event_ids, cursor = [], 0
    while cursor < newest(trail):
        records, cursor = since(
            trail, USER_ACCOUNT, cursor, attribute=Attribute("EventName", "Decrypt"), limit=2
        )
        event_ids += [record["eventID"] for record in records]
    assert event_ids == ["event-3", "event-4", "event-5"]
    with pytest.raises(ApiError, match="InvalidLookupAttributesException"):
        since(trail, USER_ACCOUNT, attribute=Attribute("Colour", "red"))


# As the API returns it


def test_an_event_has_what_it_is_found_by_and_the_record_as_text(trail: Trail) -> None:
    (record,) = lookup_events(
        trail, USER_ACCOUNT, attribute=Attribute("EventId", "event-8")
    ).records
    event = as_event(record)
    assert json.loads(event.pop("CloudTrailEvent")) == record
    assert event == {
        "EventId": "event-8",
        "EventName": "DisableKey",
        "ReadOnly": "false",
        "AccessKeyId": record["userIdentity"]["accessKeyId"],
        "EventTime": datetime(2023, 11, 14, 22, 14, 40, tzinfo=UTC),
        "EventSource": "kms.amazonaws.com",
        "Username": "Alice",
        "Resources": [{"ResourceType": "AWS::KMS::Key", "ResourceName": OTHER_KEY}],
    }


def test_an_event_of_a_service_has_no_user_and_no_access_key(trail: Trail) -> None:
    (record,) = lookup_events(
        trail, USER_ACCOUNT, attribute=Attribute("EventId", "event-3")
    ).records
    assert not {"Username", "AccessKeyId"} & set(as_event(record))


def test_a_broker_is_found_by_its_id_its_name_and_its_arn(trail: Trail) -> None:
    (record,) = lookup_events(
        trail, USER_ACCOUNT, attribute=Attribute("ResourceName", "orders")
    ).records
    assert {name for kind, name in resources(record)} == {
        "b-1",
        "orders",
        "arn:aws:mq:::broker:orders:b-1",
    }
