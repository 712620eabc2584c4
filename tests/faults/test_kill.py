import pytest

from testbed import Faults
from testbed.library import MqBroker
from tests.support.faults import serves

pytestmark = pytest.mark.containers


def test_a_killed_node_stays_dead_until_the_end_of_the_block(
    broker: MqBroker, faults: Faults
) -> None:
    brokers = broker.testbed.brokers
    with faults.kill(broker) as killed:
        assert "Killed" in killed.description
        brokers.upkeep.maintain(broker.broker_id)
        assert not serves(broker)
    assert serves(broker)


def test_without_a_hold_maintenance_brings_it_back(
    rabbitmq_broker: MqBroker, faults: Faults
) -> None:
    killed = faults.kill(rabbitmq_broker, hold=False)
    assert killed.is_undone
    assert not serves(rabbitmq_broker)
    rabbitmq_broker.testbed.upkeep.maintain(rabbitmq_broker.broker_id)
    assert serves(rabbitmq_broker)
