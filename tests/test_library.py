"""A broker of the library's that is started again, or was there: none is created beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.broker.configurations import Configurations
from testbed.broker.model import Broker
from testbed.broker.requests import CreateBroker
from testbed.errors import BadRequestException
from testbed.key import Key
from testbed.kms.base import Caller
from testbed.library import RabbitMqBroker
from testbed.testbed import Testbed
from tests.support.brokers_offline import KEY, add, offline
from tests.support.brokers_offline import request as create_request


@pytest.fixture
def testbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Testbed]:
    with offline(tmp_path / "state") as testbed:

        def create(request: CreateBroker, caller: Caller | None = None) -> Broker:
            return add(testbed, request)

        def delete(broker_id: str, caller: Caller | None = None) -> None:
            testbed.brokers._store.remove(testbed.brokers.peek(broker_id))

        monkeypatch.setattr(testbed.brokers, "create", create)
        monkeypatch.setattr(testbed.brokers, "delete", delete)
        monkeypatch.setattr(testbed, "user_in", lambda _: testbed.user, raising=False)
        number = iter(range(10))

        def request(engine_type: str, *_: object, **__: object) -> CreateBroker:
            return create_request(engine_type, name=f"broker-{next(number)}")

        monkeypatch.setattr(testbed, "request", request, raising=False)
        yield testbed


def test_a_broker_is_started_once_until_it_is_stopped(testbed: Testbed) -> None:
    broker = RabbitMqBroker(testbed=testbed, key=Key(testbed, KEY)).start()
    with broker as same:
        assert same is broker
        assert testbed.brokers.ids() == (broker.broker_id,)
    assert testbed.brokers.ids() == ()
    with broker:
        assert testbed.brokers.ids() == (broker.broker_id,)
    assert testbed.brokers.ids() == ()


def test_one_that_is_there_is_used_and_left(testbed: Testbed) -> None:
    there = add(testbed, create_request("RABBITMQ"))
    for _ in range(2):
        with RabbitMqBroker.existing(testbed, there.broker_id) as broker:
            assert broker.broker_id == there.broker_id
        broker.stop()
        assert broker.start().broker_id == there.broker_id
        assert testbed.brokers.ids() == (there.broker_id,)


def test_a_configuration_goes_with_its_broker(testbed: Testbed) -> None:
    configurations = Configurations(testbed.state, testbed.clock)
    text = "consumer_timeout = 120000"
    with RabbitMqBroker(testbed=testbed, key=Key(testbed, KEY), configuration=text):
        [created] = configurations.all()
        assert text in created.latest.data
    assert not configurations.all()


def test_a_refused_configuration_leaves_none(testbed: Testbed) -> None:
    with pytest.raises(BadRequestException):
        RabbitMqBroker(
            testbed=testbed, key=Key(testbed, KEY), configuration="no_such_key = 1"
        ).start()
    assert not Configurations(testbed.state, testbed.clock).all()
