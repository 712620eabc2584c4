import pytest

from testbed import Faults
from testbed.errors import KmsError
from testbed.library import MqBroker

pytestmark = pytest.mark.containers


def test_keys_are_unknown_until_the_end_of_the_block(
    rabbitmq_broker: MqBroker, faults: Faults
) -> None:
    testbed = rabbitmq_broker.testbed
    broker = testbed.brokers.peek(rabbitmq_broker.broker_id)
    plain = {"KeyId": broker.key_arn, "Plaintext": b"a secret"}
    sealed = testbed.kms.call(broker.owner, "Encrypt", plain)["CiphertextBlob"]
    with faults.kms_forget():
        with pytest.raises(KmsError) as refused:
            testbed.kms.call(broker.owner, "Decrypt", {"CiphertextBlob": sealed})
        assert refused.value.code in {"NotFoundException", "AccessDeniedException"}
        assert testbed.upkeep.check(broker.broker_id).broker_state == "CRITICAL_ACTION_REQUIRED"
    opened = testbed.kms.call(broker.owner, "Decrypt", {"CiphertextBlob": sealed})
    assert opened["Plaintext"] == b"a secret"
    assert testbed.upkeep.check(broker.broker_id).broker_state == "RUNNING"
