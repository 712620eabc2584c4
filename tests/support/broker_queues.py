"""A session's broker as it is now, and confirmed messages in its queues."""

import time

from testbed import clients
from testbed.broker.model import Broker
from testbed.clients import Destination
from testbed.library import MqBroker
from tests.support.messages import receive


def current(broker: MqBroker) -> Broker:
    return broker.testbed.brokers.describe(broker.broker_id)


def publish(broker: MqBroker, queue: str, count: int = 20) -> list[bytes]:
    """Publish confirmed messages that survive a kill."""
    bodies = [f"{queue} {number}".encode() for number in range(count)]
    with clients.connect(
        broker.address(clients.QUEUE_PROTOCOL[current(broker).engine_type])
    ) as client:
        for body in bodies:
            client.publish(Destination.queue(queue), body)
    if current(broker).engine_type == "RABBITMQ":
        # RabbitMQ 4.0 can lose a quorum queue that is killed within a second of its declaration.
        time.sleep(1.5)
    return bodies


def consume(broker: MqBroker, queue: str, count: int) -> list[bytes]:
    """Receive the messages of the queue, and one too many if there is one."""
    with clients.connect(
        broker.address(clients.QUEUE_PROTOCOL[current(broker).engine_type])
    ) as client:
        client.subscribe(Destination.queue(queue))
        return receive(client, count)
