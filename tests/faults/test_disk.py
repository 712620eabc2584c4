import time

import pytest

from testbed import Faults
from testbed.errors import BadRequestException, TestbedError
from testbed.library import MqBroker
from tests.support.faults import confirmed, confirms, connected, new_queue, received, serves
from tests.support.nightly import first_then_nightly

pytestmark = pytest.mark.containers


@pytest.mark.parametrize("free", first_then_nightly(["20MB", "0"], "the node restarts"))
def test_rabbitmq_blocks_publishers_and_keeps_what_it_confirmed(
    rabbitmq_broker: MqBroker, faults: Faults, free: str
) -> None:
    queue, brokers = new_queue(), rabbitmq_broker.testbed.brokers
    with connected(rabbitmq_broker) as client:
        bodies = confirmed(client, queue)
        with faults.disk_full(rabbitmq_broker, free=free):
            end = time.monotonic() + 60  # it looks for free space every 10 seconds
            while confirms(client, queue, 2, body := f"later {len(bodies)}".encode()):
                bodies.add(body)
                assert time.monotonic() < end
                time.sleep(0.1)
            assert not confirms(client, queue, 2)
            if free != "0":  # consumers are served
                assert received(rabbitmq_broker, queue, len(bodies)) >= bodies
                bodies.clear()
                require_alarm(rabbitmq_broker)
    assert brokers.upkeep.maintain(rabbitmq_broker.broker_id).broker_state == "RUNNING"
    with connected(rabbitmq_broker) as client:
        assert confirms(client, queue, body=b"after the fault")
    assert received(rabbitmq_broker, queue, len(bodies) + 1) >= bodies | {b"after the fault"}


def require_alarm(broker: MqBroker) -> None:
    """Assert that Amazon MQ knows, and does not reboot the broker."""
    brokers = broker.testbed.brokers
    alarmed = brokers.upkeep.maintain(broker.broker_id)
    assert alarmed.broker_state == "CRITICAL_ACTION_REQUIRED"
    codes = [action.action_required_code for action in alarmed.actions_required]
    assert codes == ["RABBITMQ_DISK_ALARM"]
    with pytest.raises(BadRequestException, match="RABBITMQ_DISK_ALARM"):
        brokers.reboot(broker.broker_id)


def test_activemq_refuses_messages_and_keeps_what_it_confirmed(
    activemq_broker: MqBroker, faults: Faults
) -> None:
    queue = new_queue()
    with connected(activemq_broker) as client:
        bodies = confirmed(client, queue)
        with faults.disk_full(activemq_broker) as full:
            assert "ENOSPC" in full.description
            while confirms(client, queue, body=body(len(bodies))):  # what a block has room for
                bodies.add(body(len(bodies)))
                assert len(bodies) < 10_000
    with connected(activemq_broker) as client:
        assert confirms(client, queue, body=b"after the fault")
    assert received(activemq_broker, queue, len(bodies) + 1) >= bodies | {b"after the fault"}


def body(number: int) -> bytes:
    return f"message {number}".encode().ljust(2_000)


def test_control_activemq_does_not_look_at_free_space(
    activemq_broker: MqBroker, faults: Faults
) -> None:
    with pytest.raises(TestbedError, match="free=0"):
        faults.disk_full(activemq_broker, free="20MB")


@pytest.mark.parametrize(
    "broker", first_then_nightly(["RABBITMQ", "ACTIVEMQ"], "another engine"), indirect=True
)
def test_a_slow_disk_delays_confirmations(broker: MqBroker, faults: Faults) -> None:
    queue = new_queue()
    with connected(broker) as client:

        def lasts() -> float:
            started = time.monotonic()
            assert confirms(client, queue, timeout=60)
            return time.monotonic() - started

        assert min(lasts() for _ in range(5)) < 0.2, "control: without the fault"
        with faults.disk_slow(broker, delay="200ms"):
            assert min(lasts() for _ in range(2)) >= 0.2
        assert min(lasts() for _ in range(5)) < 0.2
    assert serves(broker)
