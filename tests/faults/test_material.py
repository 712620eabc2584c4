import secrets
from collections.abc import Iterator

import pytest

from testbed import Faults, Testbed
from testbed.broker.model import Broker
from testbed.errors import TestbedError
from testbed.kms import material as materials
from testbed.library import MqBroker, RabbitMqBroker

pytestmark = pytest.mark.containers


@pytest.fixture
def broker(testbed: Testbed) -> Iterator[Broker]:
    """Create a broker under a key whose material is imported."""
    key = testbed.new_key("With imported material", Origin="EXTERNAL")
    algorithm = "RSAES_OAEP_SHA_256"
    parameters = testbed.kms.call(
        testbed.user,
        "GetParametersForImport",
        {"KeyId": key, "WrappingAlgorithm": algorithm, "WrappingKeySpec": "RSA_2048"},
    )
    testbed.kms.call(
        testbed.user,
        "ImportKeyMaterial",
        {
            "KeyId": key,
            "ImportToken": parameters["ImportToken"],
            "EncryptedKeyMaterial": materials.wrap(
                secrets.token_bytes(32), parameters["PublicKey"], algorithm
            ),
            "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        },
    )
    with testbed.temporary_broker(testbed.request("RABBITMQ", "imported", key)) as broker:
        yield broker


def state(testbed: Testbed, broker: Broker) -> str:
    key = testbed.kms.call(broker.owner, "DescribeKey", {"KeyId": broker.key_arn})
    return str(key["KeyMetadata"]["KeyState"])


@pytest.mark.nightly("a broker of its own; every push has the key disabled")
def test_the_material_is_gone_until_the_end_of_the_block(
    testbed: Testbed, broker: Broker, faults: Faults
) -> None:
    with faults.expire_key_material(RabbitMqBroker.existing(testbed, broker.broker_id)) as expired:
        assert broker.key_arn in expired.description
        assert state(testbed, broker) == "PendingImport"
        checked = testbed.upkeep.check(broker.broker_id)
        assert checked.broker_state == "CRITICAL_ACTION_REQUIRED"
    assert state(testbed, broker) == "Enabled"
    assert testbed.brokers.peek(broker.broker_id).broker_state == "RUNNING"
    testbed.upkeep.attach(broker.broker_id)  # which opens its data key


def test_control_material_of_kms_does_not_expire(rabbitmq_broker: MqBroker, faults: Faults) -> None:
    with pytest.raises(TestbedError, match="was not imported"):
        faults.expire_key_material(rabbitmq_broker)
