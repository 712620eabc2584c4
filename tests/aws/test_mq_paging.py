"""Tokens for the rest of a list: good for that list alone, and as they were given."""

import base64
import json
from typing import Any

import pytest

from testbed.aws.mq.paging import page
from testbed.errors import BadRequestException

ITEMS = list(range(250))


def token_of(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()


def test_pages_have_every_item_once() -> None:
    seen: list[int] = []
    parameters: dict[str, Any] = {"MaxResults": 7}
    while True:
        items, token = page(ITEMS, parameters, "brokers")
        seen += items
        if token is None:
            break
        parameters["NextToken"] = token
    assert seen == ITEMS


def test_a_list_that_has_become_shorter_ends() -> None:
    _, token = page(ITEMS, {"MaxResults": 200}, "brokers")
    assert page(ITEMS[:10], {"NextToken": token}, "brokers") == ([], None)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "garbage",
        "schlüssel",
        "\ud800",
        "!" + token_of(["brokers", 1]),
        token_of(["users of b-1", 1]),
        token_of(["brokers", -1]),
        token_of(["brokers", True]),
        token_of(["brokers", 1.5]),
        token_of(["brokers"]),
        token_of({"brokers": 1}),
        token_of(1),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
def test_any_other_token_is_refused(token: str) -> None:
    with pytest.raises(BadRequestException) as refused:
        page(ITEMS, {"NextToken": token}, "brokers")
    assert refused.value.error_attribute == "nextToken"
