"""A broker of each engine."""

import pytest

from testbed.library import MqBroker


@pytest.fixture(params=["RABBITMQ", "ACTIVEMQ"])
def broker(request: pytest.FixtureRequest) -> MqBroker:
    """Return the session's broker of each engine; every test leaves it unchanged."""
    fixture = {"RABBITMQ": "rabbitmq_broker", "ACTIVEMQ": "activemq_broker"}[request.param]
    broker: MqBroker = request.getfixturevalue(fixture)
    return broker
