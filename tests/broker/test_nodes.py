"""Many brokers on block volumes at once, for which the kernel makes further loop devices."""

from contextlib import ExitStack

import pytest

from testbed import clients
from testbed.broker.model import Broker
from testbed.clients import Destination
from testbed.runtime.tasks import run_concurrently
from testbed.storage import raw
from testbed.testbed import Testbed

pytestmark = pytest.mark.containers
_BROKERS = 20
_AT_ONCE = 4  # starts; more would take turns anyway
_SCALE = 0.0006  # 120 MB


def device(testbed: Testbed, broker: Broker) -> str:
    """Return what the broker's volume is mounted from."""
    [node] = broker.nodes
    command = ["findmnt", "--noheadings", "--output", "SOURCE", raw.MOUNT]
    _, output = testbed.containers.execute(node.container_id, command)
    return output.decode().partition("[")[0].strip()


def devices_in_use(testbed: Testbed, broker: Broker) -> int:
    """Count the loop devices of the engine's machine."""
    [node] = broker.nodes
    command = ["sh", "-c", "ls -d /sys/block/loop*/loop 2>/dev/null | wc -l"]
    _, output = testbed.containers.execute(node.container_id, command)
    return int(output)


@pytest.mark.nightly("twenty brokers at once")
@pytest.mark.timeout(900)
def test_twenty_brokers_have_a_block_device_each_and_leave_none(testbed: Testbed) -> None:
    observer = testbed.default_broker("RABBITMQ")
    before = devices_in_use(testbed, observer)
    with ExitStack() as stack:

        def create() -> Broker:
            request = testbed.request("RABBITMQ", "many", volume_kind="block", volume_scale=_SCALE)
            return stack.enter_context(testbed.temporary_broker(request))

        brokers: list[Broker] = []
        while len(brokers) < _BROKERS:
            brokers += run_concurrently([create] * _AT_ONCE)
        assert len({device(testbed, broker) for broker in brokers}) == _BROKERS
        for broker in brokers:
            with clients.connect(testbed.brokers.address(broker, "amqp")) as client:
                client.publish(Destination.queue("many"), b"a message")
        assert devices_in_use(testbed, observer) >= before + _BROKERS, "control"
    assert devices_in_use(testbed, observer) < before + _BROKERS // 2, "other tests have some"
