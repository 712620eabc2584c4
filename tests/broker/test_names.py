"""The API's rules for names and passwords; and that no refusal repeats a password."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.broker.names import (
    check_broker_name,
    check_password,
    check_username,
    check_users,
)
from testbed.documented.names import (
    BROKER_NAME,
    PASSWORD_MAX,
    PASSWORD_MIN,
    PASSWORD_SENTENCE,
    PASSWORD_UNIQUE,
    USERNAME,
    NameRule,
)
from testbed.engines.base import User
from testbed.errors import BadRequestException

GOOD_PASSWORD = "correct-horse-battery"
# Names that the API takes, whatever the data-protection page advises.
ACCEPTED = [
    "orders",
    "1234abcd-12ab-34cd-56ef-1234567890ab",
    "AKIAIOSFODNN7EXAMPLE",
    "call-0301234567890",
    "555-123-4567",
    "123456789012",
]


@pytest.mark.parametrize("rule", [BROKER_NAME, *USERNAME.values()])
def test_a_rule_has_the_lengths_of_its_sentence(rule: NameRule) -> None:
    least, most = map(int, re.findall(r"(\d+)-(\d+) characters", rule.sentence)[0])
    lengths = [length for length in range(most + 10) if rule.pattern.fullmatch("x" * length)]
    assert lengths == list(range(least, most + 1))


def test_the_rule_for_passwords_has_the_numbers_of_its_sentence() -> None:
    assert f"{PASSWORD_MIN}-{PASSWORD_MAX} characters" in PASSWORD_SENTENCE
    assert f"at least {PASSWORD_UNIQUE} unique characters" in PASSWORD_SENTENCE


def refusal(check, *arguments) -> BadRequestException:  # type: ignore[no-untyped-def]
    with pytest.raises(BadRequestException) as caught:
        check(*arguments)
    return caught.value


def everything_it_says(error: BadRequestException) -> str:
    return " ".join(
        map(
            str,
            (
                error,
                repr(error),
                error.args,
                error.message,
                error.hint,
                error.error_attribute,
                error.__cause__,
                error.__context__,
            ),
        )
    )


@pytest.mark.parametrize("value", ACCEPTED)
def test_only_the_apis_own_rules_refuse_a_name(value: str) -> None:
    check_broker_name(value)
    check_username("ACTIVEMQ", value)
    check_username("RABBITMQ", value)


@pytest.mark.parametrize(
    "name", ["", "x" * 200, "two words", "a.b", "a~b", "größe", "name\n", "a/b", "*", "[a]"]
)
def test_a_broker_name_is_by_the_api(name: str) -> None:
    error = refusal(check_broker_name, name)
    assert (error.message, error.error_attribute, error.status) == (
        BROKER_NAME.sentence,
        "brokerName",
        400,
    )


@given(st.text(string.ascii_letters + "-_", min_size=1, max_size=50))
def test_any_name_of_letters_and_dashes_passes(name: str) -> None:
    check_broker_name(name)


@given(st.text(max_size=60))
def test_a_broker_name_that_passes_matches_the_api(name: str) -> None:
    try:
        check_broker_name(name)
    except BadRequestException:
        return
    assert BROKER_NAME.pattern.fullmatch(name)


def test_each_engine_has_its_own_user_names() -> None:
    check_username("ACTIVEMQ", "app~1.a_b-c")
    assert refusal(check_username, "RABBITMQ", "app~1").message == USERNAME["RABBITMQ"].sentence
    check_username("ACTIVEMQ", "guest")
    assert "guest" in refusal(check_username, "RABBITMQ", "guest").message
    for engine in ("ACTIVEMQ", "RABBITMQ"):
        for name in ("", "x", "x" * 101, "a b", "a:b", "name\n"):
            assert refusal(check_username, engine, name).message == USERNAME[engine].sentence


@pytest.mark.parametrize(
    "password", ["abcd" * 3, "abcd" * 62 + "ab", GOOD_PASSWORD, "päßwörter sind gut"]
)
def test_a_password_at_the_limits_passes(password: str) -> None:
    check_password(password)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "abcdefghijk",
        "abcd" * 63,
        "abcabcabcabc",
        "abcdefgh,ijkl",
        "abcdefgh:ijkl",
        "abcdefgh=ijkl",
    ],
)
def test_a_password_beyond_them_is_refused(password: str) -> None:
    error = refusal(check_password, password)
    assert (error.message, error.error_attribute) == (PASSWORD_SENTENCE, "password")


@given(
    st.text(min_size=5).filter(
        lambda text: text not in everything_it_says(refusal(check_password, ""))
    )
)
def test_no_refusal_repeats_a_password(password: str) -> None:
    for bad in (password, f"{password}:"):
        try:
            check_users("RABBITMQ", [User("admin", bad)])
        except BadRequestException as error:
            assert password not in everything_it_says(error)  # noqa: PT017 - it may be valid


def test_users_are_counted_by_engine() -> None:
    administrator, user = (
        User("admin", GOOD_PASSWORD),
        User("other", GOOD_PASSWORD, groups=("admins", "x~y")),
    )
    check_users("RABBITMQ", [administrator])
    check_users("ACTIVEMQ", [administrator, user])
    check_users("ACTIVEMQ", [User(f"user{n}", GOOD_PASSWORD) for n in range(250)])
    assert (
        "Specify exactly one user"
        in refusal(check_users, "RABBITMQ", [administrator, user]).message
    )
    assert "Specify exactly one user" in refusal(check_users, "RABBITMQ", []).message
    assert (
        "1 to 250"
        in refusal(
            check_users, "ACTIVEMQ", [User(f"user{n}", GOOD_PASSWORD) for n in range(251)]
        ).message
    )
    assert (
        refusal(check_users, "ACTIVEMQ", [administrator, administrator]).error_attribute == "users"
    )


@pytest.mark.parametrize(
    "groups", [("g",), ("a,b",), ("a b",), tuple(f"group{n}" for n in range(21))]
)
def test_groups_are_by_the_api(groups: tuple[str, ...]) -> None:
    assert (
        refusal(
            check_users, "ACTIVEMQ", [User("admin", GOOD_PASSWORD, groups=groups)]
        ).error_attribute
        == "groups"
    )
