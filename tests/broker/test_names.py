"""The rules for names, passwords, tags and URLs; and that no refusal repeats what it refuses."""

import re
import string
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from testbed.broker.names import (
    check_broker_name,
    check_password,
    check_tag,
    check_username,
    check_users,
)
from testbed.documented.names import (
    BROKER_NAME,
    PASSWORD_MAX,
    PASSWORD_MIN,
    PASSWORD_SENTENCE,
    PASSWORD_UNIQUE,
    PII_SENTENCE,
    USERNAME,
    NameRule,
)
from testbed.engines.base import User
from testbed.engines.urls import check_no_credentials_in_url
from testbed.errors import BadRequestException

GOOD_PASSWORD = "correct-horse-battery"
KMS_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
PRIVATE = {
    "e-mail": [
        "jane.doe@example.com",
        "jane@localhost",
        "Jane Doe <jane@example.com>",
        "jane\uff20example.com",
    ],
    "phone": [
        "555-123-4567",
        "(555) 123-4567",
        "+49 171 2345678",
        "0049-171-2345678",
        "5551234567",
        "44.20.7946.0958",
        "call_555_123_4567",
        "+1234567",
    ],
    "access key": [
        "AKIAIOSFODNN7EXAMPLE",
        "orders-AKIAIOSFODNN7EXAMPLE-2",
        "ASIAIOSFODNN7EXAMPLE",
        "akiaiosfodnn7example",
    ],
    "KMS key": [
        KMS_ID,
        f"orders-{KMS_ID}"[:50],
        KMS_ID.replace("-", "_"),
        "mrk-1234abcd12ab34cd56ef1234567890ab",
        f"arn:aws:kms:us-east-1:111122223333:key/{KMS_ID}",
        f"arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/{KMS_ID}",
    ],
}
ALL_PRIVATE = [(kind, value) for kind, values in PRIVATE.items() for value in values]
# Realistic names of brokers, users and tags.
CLEAN = [
    "orders",
    "Orders_2",
    "a1",
    "test-1754038923",
    "test-1754038923000",
    "nightly-2026-08-01",
    "nightly-20260801-120000",
    "20260801",
    "ip-192-168-100-200",
    "billing-123456789012",
    "v5-19-9",
    "deadbeef" * 4,
    "AKIA",
    "team-7-shop-42",
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


@pytest.mark.parametrize("value", CLEAN)
def test_a_clean_name_passes(value: str) -> None:
    check_broker_name(value)
    check_username("ACTIVEMQ", value)
    check_username("RABBITMQ", value)
    check_tag(value, value)


@pytest.mark.parametrize(("kind", "value"), ALL_PRIVATE)
def test_what_looks_private_is_refused_by_the_documented_rule(kind: str, value: str) -> None:
    refusals = [
        refusal(check_broker_name, value),
        refusal(check_username, "ACTIVEMQ", value),
        refusal(check_username, "RABBITMQ", value),
        refusal(check_tag, value, "x"),
        refusal(check_tag, "owner", value),
    ]
    assert [error.error_attribute for error in refusals] == [
        "brokerName",
        "username",
        "username",
        "tags",
        "tags",
    ]
    for error in refusals:
        assert PII_SENTENCE in error.message
        assert kind in error.message
        assert value not in everything_it_says(error)


def test_an_address_breaks_both_rules_of_a_broker_name() -> None:
    message = refusal(check_broker_name, "jane.doe@example.com").message
    assert BROKER_NAME.sentence in message
    assert PII_SENTENCE in message


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


@given(
    st.integers(10**9 * 2, 10**10 - 1).filter(lambda n: not str(n).startswith("20")),
    st.sampled_from("-_"),
)
def test_any_number_in_three_three_four_is_a_phone_number(number: int, separator: str) -> None:
    digits = str(number)
    grouped = separator.join((digits[:3], digits[3:6], digits[6:]))
    for name in (digits, grouped, f"jane{separator}{grouped}"):
        assert "phone number" in refusal(check_broker_name, name).message


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


SERVERS = [
    "amqps://{}@broker.example.com:5671/%2F",
    "amqp+ssl://{}@h:5671",
    "ldaps://{}@ldap.example.com:636/dc=example,dc=com",
    "ssl://{}@[::1]:61617",
    "failover:(ssl://{}@h1:61617,ssl://h2:61617)?randomize=false",
    "failover:(ssl://h1:61617,ssl://{}@h2:61617)",
    "static:(ssl://{}@h:1)",
    "masterslave:(ssl://h1:1,ssl://{}@h2:1)",
    "static:(failover:(ssl://{}@h:1))",
    "{}@ldap.example.com",
    "//{}@h/x",
    "https:\\\\{}@h",
]


@pytest.mark.parametrize("server", SERVERS)
@given(
    st.text(string.ascii_lowercase, min_size=1),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=6),
)
def test_credentials_in_a_url_are_refused_and_not_repeated(
    server: str, user: str, password: str
) -> None:
    secret = quote(password, safe="")
    for url in (
        server.format(f"{user}:{secret}"),
        server.format(f"{user}%3A{secret}"),
        quote(server.format(f"{user}:{secret}"), safe=""),
    ):
        error = refusal(check_no_credentials_in_url, url, "networkConnector.uri")
        assert error.error_attribute == "networkConnector.uri"
        assert "credentials information in the URL" in error.message
        words = everything_it_says(error)
        constant = refusal(check_no_credentials_in_url, "a:b@c", "networkConnector.uri")
        assume(
            password not in everything_it_says(constant)
        )  # otherwise the message contains the password by chance
        assert password not in words
        assert secret not in words


@pytest.mark.parametrize(
    "url",
    [
        "amqps://admin:pa/ss@h:5671",
        "amqps://admin:pa#ss@h",
        "ssl://admin:pa?ss@h",
        "ssl://admin:p@ss@h",
        "ssl://admin:,)@h",
        "amqps://token@h",
        "amqps://:password@h",
        "ssl%253A%252F%252Fu%253Ap%2540h",
        "failover:(ssl://h:1)?jms.userName=u&jms.password=p",
        "https://h/?access_token=abc",
        "amqps://h?PASSWORD=x",
    ],
)
def test_credentials_in_disguise_are_refused_too(url: str) -> None:
    refusal(check_no_credentials_in_url, url)


@pytest.mark.parametrize(
    "url",
    [
        *(server.replace("{}@", "") for server in SERVERS),
        "ldap://h:389/cn=jane@example.com,dc=example",
        "ldaps://h/dc=example?mail?sub?(mail=jane@example.com)",
        "ssl://[::1]:61617/x@y",
        "failover:(ssl://b-1.mq.us-east-1.amazonaws.com:61617,ssl://b-2.mq.us-east-1.amazonaws.com:61617)?maxReconnectAttempts=3",
        "amqps://h:5671/vhost%40home?heartbeat=30",
        "https://h/a@b",
        "ssl://h:1?verifyHostName=true",
        "ldap.example.com:636",
        "",
    ],
)
def test_a_url_without_them_passes(url: str) -> None:
    check_no_credentials_in_url(url)
