import time

import pytest

from testbed import Faults
from testbed.library import MqBroker
from tests.support.faults import serves
from tests.support.nightly import first_then_nightly

pytestmark = pytest.mark.containers


@pytest.mark.parametrize(
    "broker", first_then_nightly(["RABBITMQ", "ACTIVEMQ"], "the other engine"), indirect=True
)
@pytest.mark.parametrize("name", ["kill-process", "kill-mount"])
def test_the_node_ends_with_the_process_and_comes_back(
    broker: MqBroker, faults: Faults, name: str
) -> None:
    testbed = broker.testbed
    [node] = testbed.brokers.peek(broker.broker_id).nodes
    with faults.inject(name, broker):
        end = time.monotonic() + 60
        while testbed.containers.state(node.container_id).running:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert not serves(broker)
    assert serves(broker)
