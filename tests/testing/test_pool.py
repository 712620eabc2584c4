"""What a mark asks for: the request for its broker, and who shares it; nothing is started."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from testbed.broker import rules
from testbed.broker.describe import describe
from testbed.errors import BadRequestException, TestbedError
from testbed.library import ActiveMqBroker, MqBroker, RabbitMqBroker
from testbed.testbed import Testbed
from testbed.testing.pool import BrokerPool
from tests.support.brokers_offline import KEY, add, offline


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    with offline(tmp_path / "state") as testbed:
        testbed.request = partial(Testbed.request, testbed)  # type: ignore[method-assign]
        yield testbed


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (RabbitMqBroker, "consumer_timeout = 120000"),
        (ActiveMqBroker, '<broker xmlns="http://activemq.apache.org/schema/core"/>'),
    ],
)
def test_users_and_configuration_are_in_the_request(
    testbed: Testbed, kind: type[MqBroker], text: str
) -> None:
    users = {"alice": "correct-horse-1"}
    described = kind(testbed=testbed, users=users, configuration=text)
    request = described._request(testbed, KEY, testbed.user)
    rules.check_create(request, ())
    broker = add(testbed, request)
    assert [user.username for user in broker.users] == ["alice"]
    assert broker.configuration is not None
    assert text.split("/>", maxsplit=1)[0] in broker.configuration.data
    assert describe(broker)["Configurations"]["Current"]["Revision"] == 2


def test_deployment_and_storage_are_too(testbed: Testbed) -> None:
    pair = ActiveMqBroker(testbed=testbed, deployment="ACTIVE_STANDBY_MULTI_AZ")
    assert pair._request(testbed, KEY, testbed.user).storage_type == "EFS"
    on_ebs = ActiveMqBroker(testbed=testbed, storage="EBS", version="5.18")
    request = on_ebs._request(testbed, KEY, testbed.user)
    assert (request.storage_type, request.engine_version) == ("EBS", "5.18")


def test_a_bad_configuration_is_refused(testbed: Testbed) -> None:
    broker = RabbitMqBroker(testbed=testbed, configuration="no_such_key = 1")
    with pytest.raises(BadRequestException):
        broker._request(testbed, KEY, testbed.user)


def test_equal_wishes_share_a_broker(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[MqBroker] = []
    ended: list[MqBroker] = []

    def start(broker: MqBroker) -> MqBroker:
        began.append(broker)
        return broker

    def stop(broker: MqBroker) -> None:
        ended.append(broker)

    monkeypatch.setattr(MqBroker, "start", start)
    monkeypatch.setattr(MqBroker, "stop", stop)
    with BrokerPool(testbed) as pool:
        first = pool.get("RabbitMQ", version="4.2", users={"alice": "correct-horse-1"})
        assert pool.get("rabbitmq", users={"alice": "correct-horse-1"}, version="4.2") is first
        assert pool.get("RabbitMQ", version="4.2") is not first
        assert pool.get("ActiveMQ").engine_type == "ACTIVEMQ"
        assert pool.get("RabbitMQ", version="4.2", delay=1.0)._testbed is None, "one of its own"
        with pytest.raises(TestbedError, match="Unknown engine 'kafka'"):
            pool.get("kafka")
    assert len(began) == 4
    assert ended == began[::-1]
