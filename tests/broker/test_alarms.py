"""RabbitMQ's alarms as Amazon MQ reports them; ``tests/faults/test_disk.py`` has the disk's."""

import pytest

from testbed.errors import BadRequestException
from testbed.library import MqBroker
from tests.support.broker_node import wait_for

pytestmark = [
    pytest.mark.containers,
    pytest.mark.nightly("RabbitMQ's own command; every push has the disk's alarm"),
]


def limit_memory(broker: MqBroker, limit: str) -> None:
    [node] = broker.testbed.brokers.peek(broker.broker_id).nodes
    command = ["env", "HOME=/data/broker", "LANG=C.UTF-8", "rabbitmqctl"]
    command += ["--node", "rabbit@localhost", "set_vm_memory_high_watermark", "absolute", limit]
    code, output = broker.testbed.containers.execute(node.container_id, command, user="rabbitmq")
    assert code == 0, output


def test_a_memory_alarm_is_reported_until_it_ends(rabbitmq_broker: MqBroker) -> None:
    brokers, broker_id = rabbitmq_broker.testbed.brokers, rabbitmq_broker.broker_id

    def codes() -> list[str]:
        actions = brokers.upkeep.maintain(broker_id).actions_required
        return [action.action_required_code for action in actions]

    assert codes() == [], "control"
    limit_memory(rabbitmq_broker, "1MB")
    try:
        wait_for("the alarm", lambda: codes() == ["RABBITMQ_MEMORY_ALARM"])
        with pytest.raises(BadRequestException, match="uses more memory than its limit"):
            brokers.reboot(broker_id)
    finally:
        limit_memory(rabbitmq_broker, "1GB")
    wait_for("its end", lambda: codes() == [])
    assert brokers.peek(broker_id).broker_state == "RUNNING"
