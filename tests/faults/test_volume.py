import pytest

from testbed import Faults, RabbitMqBroker, Testbed
from testbed.errors import TestbedError
from testbed.library import MqBroker
from tests.support.faults import confirmed, connected, new_queue, received, serves

pytestmark = pytest.mark.containers

CORRUPT = "corrupt block|filesystem is damaged"  # of files, of a block volume
CASES = [
    ("empty-volume", "emptied", "RABBITMQ"),
    ("roll-back-volume", "older copy", "RABBITMQ"),
    ("damage-volume", CORRUPT, "RABBITMQ"),
    ("truncate-volume", CORRUPT, "RABBITMQ"),
    ("empty-volume", "emptied", "ACTIVEMQ"),
    ("roll-back-volume", "older copy", "ACTIVEMQ"),
    ("damage-volume", CORRUPT, "ACTIVEMQ"),
    ("truncate-volume", CORRUPT, "ACTIVEMQ"),
]


def copies(testbed: Testbed) -> list[str]:
    return [name for name in testbed.containers.volumes() if name.endswith("-copies")]


@pytest.mark.parametrize(
    ("name", "reason", "broker"),
    CASES,
    indirect=["broker"],
)
@pytest.mark.nightly("several starts of a node; every push has test_health.py")
def test_the_node_does_not_come_back_until_the_end_of_the_block(
    broker: MqBroker, faults: Faults, name: str, reason: str
) -> None:
    testbed, queue = broker.testbed, new_queue()
    brokers = testbed.brokers
    with connected(broker) as client:
        bodies = confirmed(client, queue)
    with faults.inject(name, broker) as fault:
        assert "volume" in fault.description
        with pytest.raises(TestbedError, match=reason):
            brokers.upkeep.maintain(broker.broker_id)
        known = brokers.peek(broker.broker_id)
        assert known.broker_state == "CRITICAL_ACTION_REQUIRED"
        assert "does not come back" in known.actions_required[0].action_required_info
        assert not serves(broker)
    assert brokers.peek(broker.broker_id).broker_state == "RUNNING"
    assert received(broker, queue, len(bodies)) == bodies
    assert not copies(testbed)


@pytest.mark.nightly("a broker of its own")
def test_nothing_is_left_of_a_broker_that_was_deleted_meanwhile(
    testbed: Testbed, faults: Faults
) -> None:
    with RabbitMqBroker(testbed=testbed) as broker:
        emptied = faults.empty_volume(broker)
        assert copies(testbed), "control"
    emptied.undo()
    assert not copies(testbed)
