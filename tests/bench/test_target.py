"""Remote endpoints as targets, without a connection; and how encryptions are written."""

from pathlib import Path

import pytest

from testbed.bench.target import Encryption, Endpoint
from testbed.errors import TestbedError


def test_a_remote_endpoint(tmp_path: Path) -> None:
    authorities = tmp_path / "ca.pem"
    url = "ssl://b-1.mq.us-east-1.amazonaws.com:61617"
    target = Endpoint(url, "alice", "secret", authorities).target("openwire")
    assert (
        target.engine_type,
        target.address.port,
        target.encryption.volume,
        target.container,
    ) == (
        "ACTIVEMQ",
        61617,
        "unknown",
        "",
    )
    url = "amqps://b-1.mq.us-east-1.amazonaws.com"
    assert Endpoint(url, "alice", "secret", authorities).target("amqp").address.port == 5671
    assert "secret" not in repr(target)


@pytest.mark.parametrize(
    ("url", "protocol", "message"),
    [
        ("amqp://b-1.mq.us-east-1.amazonaws.com", "amqp", "not an Amazon MQ endpoint"),
        ("amqps://alice:secret@b-1.mq.us-east-1.amazonaws.com", "amqp", "credentials"),
        ("ssl://b-1.mq.us-east-1.amazonaws.com", "amqp", "does not speak amqp"),
        ("nonsense", "amqp", "not an Amazon MQ endpoint"),
        ("amqps://b-1.mq.us-east-1.amazonaws.com:99999", "amqp", "cannot be read"),
        ("amqps://[b-1", "amqp", "cannot be read"),
        ("amqps://alice:secret/@b-1.mq.us-east-1.amazonaws.com", "amqp", "cannot be read"),
    ],
)
def test_anything_else_is_refused(url: str, protocol: str, message: str) -> None:
    with pytest.raises(TestbedError, match=message) as error:
        Endpoint(url, "alice", "secret").target(protocol)
    assert "secret" not in str(error.value)


AXIS = [
    "tls",
    "plaintext+plain",
    "tls+plain",
    "tls:AES256-SHA+plain",
    "tls:TLSv1.3",
    "tls+envelope",
    "tls+plain+envelope-cached",
]


@pytest.mark.parametrize("text", AXIS)
def test_encryptions_are_read_as_they_are_written(text: str) -> None:
    assert str(Encryption.parse(text)) == text


def test_what_is_not_said_is_encrypted() -> None:
    assert Encryption.parse("tls") == Encryption("tls", "encrypted", "clear")


@pytest.mark.parametrize(
    "text", ["", "ssl", "tls+rot13", "plaintext:AES256-SHA", "plaintext+plain+plain2"]
)
def test_no_encryption_is_one_line(text: str) -> None:
    with pytest.raises(TestbedError, match="Unknown encryption"):
        Encryption.parse(text)


def test_labels_are_for_people() -> None:
    assert Encryption.parse("plaintext+plain").label == "plaintext, plain volume"
    assert (
        Encryption.parse("tls:AES256-SHA+envelope").label
        == "TLS (AES256-SHA), encrypted volume, payload encrypted"
    )
