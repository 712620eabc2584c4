"""Remote endpoints as targets, without a connection."""

from pathlib import Path

import pytest

from testbed.bench.target import Endpoint
from testbed.errors import TestbedError


def test_a_remote_endpoint(tmp_path: Path) -> None:
    authorities = tmp_path / "ca.pem"
    url = "ssl://b-1.mq.us-east-1.amazonaws.com:61617"
    found = Endpoint(url, "alice", "secret", authorities).target("openwire")
    assert (found.engine_type, found.address.port, found.encryption.volume, found.container) == (
        "ACTIVEMQ",
        61617,
        "unknown",
        "",
    )
    url = "amqps://b-1.mq.us-east-1.amazonaws.com"
    assert Endpoint(url, "alice", "secret", authorities).target("amqp").address.port == 5671
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("url", "protocol", "said"),
    [
        ("amqp://b-1.mq.us-east-1.amazonaws.com", "amqp", "not an Amazon MQ endpoint"),
        ("amqps://alice:secret@b-1.mq.us-east-1.amazonaws.com", "amqp", "credentials"),
        ("ssl://b-1.mq.us-east-1.amazonaws.com", "amqp", "does not speak amqp"),
        ("nonsense", "amqp", "not an Amazon MQ endpoint"),
    ],
)
def test_anything_else_is_refused(url: str, protocol: str, said: str) -> None:
    with pytest.raises(TestbedError, match=said) as error:
        Endpoint(url, "alice", "secret").target(protocol)
    assert "secret" not in str(error.value)
