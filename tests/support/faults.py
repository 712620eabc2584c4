"""What a client notices of a fault."""

import uuid

from testbed import clients
from testbed.clients.base import Client, Destination
from testbed.errors import ClientError
from testbed.library import MqBroker


def connected(broker: MqBroker) -> Client:
    return clients.connect(broker.address(clients.QUEUE_PROTOCOL[broker.engine_type]))


def new_queue() -> Destination:
    return Destination.queue(f"faults.{uuid.uuid4().hex[:8]}")


def confirms(client: Client, queue: Destination, timeout: float = 10.0) -> bool:
    """Return whether a message is confirmed within ``timeout`` seconds."""
    try:
        client.publish(queue, b"a message", timeout=timeout)
    except ClientError:
        return False
    return True


def serves(broker: MqBroker) -> bool:
    """Return whether a new client can log in and have a message confirmed."""
    try:
        with connected(broker) as client:
            return confirms(client, new_queue())
    except ClientError:
        return False
