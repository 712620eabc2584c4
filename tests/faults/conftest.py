"""The session's broker of each engine; every test leaves it serving."""

import pytest

from testbed.library import MqBroker

ENGINES = {"RABBITMQ": "rabbitmq_broker", "ACTIVEMQ": "activemq_broker"}


@pytest.fixture(params=ENGINES)
def broker(request: pytest.FixtureRequest) -> MqBroker:
    broker: MqBroker = request.getfixturevalue(ENGINES[request.param])
    return broker
