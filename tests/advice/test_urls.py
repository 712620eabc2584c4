"""Credentials in the URLs of other servers, in all forms that brokers take."""

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.advice.urls import has_credentials

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
def test_credentials_in_a_url_are_found(server: str, user: str, password: str) -> None:
    secret = quote(password, safe="")
    for url in (
        server.format(f"{user}:{secret}"),
        server.format(f"{user}%3A{secret}"),
        quote(server.format(f"{user}:{secret}"), safe=""),
    ):
        assert has_credentials(url)


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
def test_credentials_in_disguise_are_found_too(url: str) -> None:
    assert has_credentials(url)


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
def test_a_url_without_them_has_none(url: str) -> None:
    assert not has_credentials(url)
