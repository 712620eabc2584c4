"""What a client notices of a fault."""

import time
import uuid

from testbed import clients
from testbed.clients.base import Client, Destination
from testbed.errors import ClientError
from testbed.library import MqBroker
from tests.support.messages import receive


def connected(broker: MqBroker) -> Client:
    return clients.connect(broker.address(clients.QUEUE_PROTOCOL[broker.engine_type]))


def new_queue() -> Destination:
    return Destination.queue(f"faults.{uuid.uuid4().hex[:8]}")


def confirms(
    client: Client, queue: Destination, timeout: float = 10.0, body: bytes = b"a message"
) -> bool:
    """Return whether a message is confirmed within ``timeout`` seconds."""
    try:
        client.publish(queue, body, timeout=timeout)
    except ClientError:
        return False
    return True


def confirmed(client: Client, queue: Destination) -> set[bytes]:
    """Return the bodies of messages that were confirmed in the course of two seconds.

    RabbitMQ may forget a queue that is younger when its node is killed.
    """
    bodies, end = set[bytes](), time.monotonic() + 2
    while time.monotonic() < end:
        body = f"message {len(bodies)}".encode()
        client.publish(queue, body)
        bodies.add(body)
        time.sleep(0.1)
    return bodies


def received(broker: MqBroker, queue: Destination, count: int) -> set[bytes]:
    """Return the bodies of the ``count`` messages of ``queue``, and of any others."""
    with connected(broker) as consumer:
        consumer.subscribe(queue)
        return set(receive(consumer, count))


def serves(broker: MqBroker) -> bool:
    """Return whether a new client can log in and have a message confirmed."""
    try:
        with connected(broker) as client:
            return confirms(client, new_queue())
    except ClientError:
        return False
