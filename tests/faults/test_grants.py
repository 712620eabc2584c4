import pytest

from testbed import Faults
from testbed.errors import VolumeRefused
from testbed.library import MqBroker
from tests.support.faults import serves

pytestmark = pytest.mark.containers


def test_a_node_does_not_attach_without_grants_and_does_with_new_ones(
    rabbitmq_broker: MqBroker, faults: Faults
) -> None:
    testbed, broker_id = rabbitmq_broker.testbed, rabbitmq_broker.broker_id
    before = testbed.brokers.peek(broker_id).grants
    with faults.revoke_grants(rabbitmq_broker) as revoked:
        assert "cannot restore" in revoked.description
        testbed.wait_out_delay()
        assert testbed.upkeep.check(broker_id).broker_state == "CRITICAL_ACTION_REQUIRED"
        assert serves(rabbitmq_broker), "the volume is attached"
        with pytest.raises(VolumeRefused, match="grant"):
            testbed.upkeep.attach(broker_id)
    after = testbed.brokers.peek(broker_id)
    assert after.broker_state == "RUNNING"
    assert [(grant.name, grant.volume_id) for grant in after.grants] == [
        (grant.name, grant.volume_id) for grant in before
    ]
    assert not {grant.grant_id for grant in after.grants} & {grant.grant_id for grant in before}
    testbed.upkeep.attach(broker_id)
    assert serves(rabbitmq_broker)
