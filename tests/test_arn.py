"""Amazon Resource Names: parts in, parts out, and nothing else accepted."""

import re

import pytest

from testbed.arn import KEY_ID, Arn

KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    "text",
    [
        f"arn:aws:kms:us-east-1:000000000000:key/{KEY}",
        "arn:aws:iam::000000000000:root",
        "arn:aws:mq:us-east-1:000000000000:broker:name:b-1234",
    ],
)
def test_an_arn_survives_parsing(text: str) -> None:
    assert str(Arn.parse(text)) == text


def test_the_parts_of_a_key_arn() -> None:
    arn = Arn.parse(f"arn:aws:kms:us-east-1:000000000000:key/{KEY}")
    assert (arn.region, arn.account, arn.resource_id) == ("us-east-1", "000000000000", KEY)


@pytest.mark.parametrize("text", ["", "mq.amazonaws.com", "alias/x", "arn:aws:kms", KEY])
def test_anything_else_is_no_arn(text: str) -> None:
    with pytest.raises(ValueError, match="not an ARN"):
        Arn.parse(text)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (KEY, True),
        ("mrk-" + "0" * 32, True),
        ("mrk-" + "0" * 31, False),
        ("134f2428cec14b25a1ae9048164dba47", False),
    ],
)
def test_the_ids_of_keys(text: str, fits: bool) -> None:
    assert bool(re.fullmatch(KEY_ID, text)) is fits
