import pytest

from testbed import Faults
from testbed.library import MqBroker
from tests.support.faults import confirms, connected, new_queue, serves

pytestmark = pytest.mark.containers


def test_a_paused_broker_confirms_nothing_until_it_goes_on(
    broker: MqBroker, faults: Faults
) -> None:
    queue = new_queue()
    with connected(broker) as client:
        assert confirms(client, queue), "control: without the fault"
        with faults.pause(broker):
            assert not confirms(client, queue, timeout=2)
    assert serves(broker)
