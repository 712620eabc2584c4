import pytest

from testbed import Faults
from testbed.errors import KmsError, TestbedError
from testbed.library import MqBroker

pytestmark = pytest.mark.containers


@pytest.mark.parametrize(
    ("name", "code"),
    [("disable-key", "DisabledException"), ("schedule-key-deletion", "KMSInvalidStateException")],
)
def test_the_key_works_again_after_the_block(
    rabbitmq_broker: MqBroker, faults: Faults, name: str, code: str
) -> None:
    testbed = rabbitmq_broker.testbed
    broker = testbed.brokers.peek(rabbitmq_broker.broker_id)
    plain = {"KeyId": broker.key_arn, "Plaintext": b"a secret"}
    with faults.inject(name, rabbitmq_broker) as fault:
        assert broker.key_arn in fault.description
        testbed.wait_out_delay()
        with pytest.raises(KmsError) as refused:
            testbed.kms.call(broker.owner, "Encrypt", plain)
        assert refused.value.code == code
        assert testbed.upkeep.check(broker.broker_id).broker_state == "CRITICAL_ACTION_REQUIRED"
        with pytest.raises(TestbedError, match="does not apply"):  # twice
            faults.inject(name, rabbitmq_broker)
    assert testbed.kms.call(broker.owner, "Encrypt", plain)
    assert testbed.brokers.peek(broker.broker_id).broker_state == "RUNNING"
