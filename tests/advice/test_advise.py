"""Advice names the place and the page's sentence, and never repeats what it is about."""

import pytest

from testbed.advice.advise import Advice, Item, Name, Text, Url, advise, tags
from testbed.documented.names import PII_SENTENCE, TAGS_SENTENCE, URL_SENTENCE

PRIVATE = "jane.doe@example.com"
BROKER = "broker b-1"


@pytest.mark.parametrize(
    ("item", "rule"),
    [
        (Name(BROKER, "user name", PRIVATE), PII_SENTENCE),
        (Text(BROKER, "queue", PRIVATE), TAGS_SENTENCE),
        (Url(BROKER, "shovel s", f"amqps://{PRIVATE}"), URL_SENTENCE),
    ],
)
def test_each_kind_of_thing_has_its_sentence_of_the_page(item: Item, rule: str) -> None:
    [advice] = advise([item])
    assert (advice.resource, advice.what, advice.rule) == (BROKER, item.what, rule)
    assert PRIVATE not in f"{advice} {advice.sentence} {item}"


def test_a_clean_thing_gets_none() -> None:
    clean: list[Item] = [
        Name(BROKER, "user name", "orders"),
        Url(BROKER, "shovel s", "amqps://other:5671"),
    ]
    assert list(advise(clean)) == []


def test_the_sentence_says_what_was_found_where() -> None:
    advice = Advice(BROKER, "tag owner", ("an e-mail address", "a phone number"), TAGS_SENTENCE)
    assert advice.sentence == (
        "The tag owner of broker b-1 has an e-mail address and a phone number."
    )


def test_keys_and_values_of_tags_are_looked_at_apart() -> None:
    private_key = {PRIVATE: "orders", "owner": PRIVATE, "phone": "030 1234567", "team": "orders"}
    found = list(advise(tags(BROKER, private_key.items())))
    assert [advice.what for advice in found] == ["tag key ja…", "tag owner", "tag phone"]
    assert PRIVATE not in str(found)
