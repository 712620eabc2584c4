"""Folding: reads that repeat are one line, changes never are."""

from typing import Any

from testbed.console.trail_lines import fold


def record(event: str, *, read: bool = True, error: str = "", number: int = 0) -> dict[str, Any]:
    document: dict[str, Any] = {
        "eventID": f"{event}-{number}",
        "eventTime": f"2026-01-01T00:00:{number:02}Z",
        "awsRegion": "us-east-1",
        "eventName": event,
        "readOnly": read,
        "userIdentity": {"arn": "arn:aws:iam::000000000000:root"},
        "requestParameters": {"brokerId": "b-1"},
        "responseElements": None,
    }
    return {**document, "errorCode": error} if error else document


def folded(*records: dict[str, Any], lines: int = 40) -> list[tuple[str, int]]:
    return [(line.event, line.count) for line in fold(records, {}, lines)]


def test_polls_in_turn_are_one_line_each() -> None:
    polls = [record(name) for _ in range(50) for name in ("DescribeKey", "DescribeBroker")]
    assert folded(*polls) == [("DescribeKey", 50), ("DescribeBroker", 50)]


def test_a_change_separates_what_came_before_it_and_after() -> None:
    poll, change = record("DescribeKey"), record("DisableKey", read=False)
    assert folded(poll, poll, change, change, poll) == [
        ("DescribeKey", 2),
        ("DisableKey", 1),
        ("DisableKey", 1),
        ("DescribeKey", 1),
    ]


def test_a_refusal_is_not_folded_into_what_was_answered() -> None:
    lines = fold([record("DescribeKey"), record("DescribeKey", error="AccessDenied")], {}, 40)
    assert [(line.result, line.refused) for line in lines] == [
        ("ok", False),
        ("AccessDenied", True),
    ]


def test_a_line_has_the_time_of_its_newest_record() -> None:
    [line] = fold([record("DescribeKey", number=9), record("DescribeKey", number=1)], {}, 40)
    assert (line.time, line.count) == ("2026-01-01T00:00:09Z", 2)


def test_a_broker_has_its_name() -> None:
    [line] = fold([record("DescribeBroker")], {"b-1": "orders"}, 40)
    assert line.resources == "orders"


def test_there_are_no_more_lines_than_wanted() -> None:
    changes = [record("DisableKey", read=False, number=n) for n in range(9)]
    assert len(folded(*changes, lines=4)) == 4
    poll = record("DescribeKey")
    assert folded(poll, changes[0], poll, poll, lines=2) == [("DescribeKey", 1), ("DisableKey", 1)]
