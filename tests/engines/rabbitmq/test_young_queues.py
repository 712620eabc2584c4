"""A queue younger than half a second can be lost with its messages: by the engine itself."""

import time
from contextlib import suppress
from pathlib import Path

import pytest

from testbed import clients
from testbed.clients.base import Address, Destination
from testbed.engines.base import UNENCRYPTED, Defects
from testbed.errors import ClientError
from tests.support.rabbitmq_node import Node, rabbitmq, spec

pytestmark = [
    pytest.mark.containers,
    pytest.mark.timeout(900),
    pytest.mark.nightly("young queues at a kill, with and without encryption"),
]
ROUNDS = 3
OLD, PATIENCE = 2.0, 12.0  # seconds


def left_after_a_kill(node: Node, name: str, age: float) -> bool:
    """Declare a queue, have a message confirmed, and kill the node when the queue has ``age``."""
    queue, address = Destination.queue(name, queue_type="quorum"), address_of(node)
    with clients.connect(address) as client:
        client.publish(queue, b"confirmed")
        time.sleep(age)
        node.kill()
    node.launch()
    node.wait()
    return received(address, queue)


def received(address: Address, queue: Destination) -> bool:
    """Return whether the message comes within a while; a queue may stay without a leader."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(ClientError), clients.connect(address) as client:
            client.subscribe(queue)
            if message := client.receive(timeout=3.0):
                message.acknowledge()
                return True
    return False


def address_of(node: Node) -> Address:
    return node.address("amqp", tls=not node.plaintext)


@pytest.mark.parametrize("defects", [UNENCRYPTED, None], ids=["bare", "as AWS"])
def test_a_young_queue_is_lost_by_the_engine_and_an_older_one_never(
    tmp_path: Path, defects: Defects | None
) -> None:
    with rabbitmq(tmp_path, spec(defects=defects)) as node:
        old = [left_after_a_kill(node, f"old-{number}", OLD) for number in range(3)]
        assert all(old)
        young = [left_after_a_kill(node, f"young-{number}", 0.0) for number in range(ROUNDS)]
    print(f"{young.count(False)} of {ROUNDS} young queues lost")
    assert not all(young), "the engine now keeps them: say so in docs/rabbitmq-versions.md"
