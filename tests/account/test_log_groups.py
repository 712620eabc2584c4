"""Log groups and streams by whichever name a request has for them."""

from typing import Any

import pytest

from testbed.account.log_groups import ANY_END, by_name
from testbed.kms.base import USER

OWN = f"arn:aws:logs:us-east-1:{USER.account}:log-group:orders"
ELSEWHERE = "arn:aws:logs:eu-west-1:222222222222:log-group:orders"


@pytest.mark.parametrize("identifier", ["orders", OWN, f"{OWN}:*"])
def test_a_group_is_found_by_name_and_arn(identifier: str) -> None:
    assert by_name(USER, {"logGroupIdentifier": identifier}) == {"logGroupName": "orders"}


def test_the_beginning_of_a_streams_name_is_a_name_with_any_end() -> None:
    meant = by_name(USER, {"logGroupName": "orders", "logStreamNamePrefix": "b-"})
    assert meant["logStreamNames"] == [f"b-{ANY_END}"]


@pytest.mark.parametrize(
    "sent",
    [
        {"logGroupName": "orders", "logEvents": [{"message": "m", "timestamp": 1}]},
        {"logGroupIdentifier": ELSEWHERE},
    ],
)
def test_any_other_request_is_returned_as_it_is(sent: dict[str, Any]) -> None:
    assert by_name(USER, sent) is sent
