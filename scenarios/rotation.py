"""A working broker's key is rotated, on demand and by the clock: old volumes still open."""

import logging
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from testbed import checker, evidence, traffic
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.errors import TestbedError
from testbed.evidence import Observation, contrast
from testbed.results import Finding
from testbed.storage import volumes
from testbed.testbed import Testbed
from testbed.traffic import Traffic

logger = logging.getLogger(__name__)

TITLE = "RotateKeyOnDemand and automatic rotation: old volumes still open"
CLAIMS = ("R6",)
ALONE = True  # it reboots a default broker
_YEAR = 366 * 86400.0


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Use the default RabbitMQ broker under confirmed traffic; reboot it after each rotation."""
    kms, brokers, broker = testbed.kms, testbed.brokers, testbed.default_broker("RABBITMQ")
    identity, key = broker.broker_id, {"KeyId": broker.key_arn}
    volume = broker.nodes[0].volume
    before = volumes.open_data_key(kms, volume)
    # The default broker's key keeps what an earlier run has done to it.
    earlier = _rotations(testbed, key)
    rotates = kms.call(testbed.user, "GetKeyRotationStatus", key)["KeyRotationEnabled"]
    queue = Destination.queue(f"rotation-{secrets.token_hex(4)}")
    with Traffic(brokers.address(broker, "amqp"), queue, rate=100) as flow:
        flow.wait_confirmed(50, 30)
        logger.info("  RotateKeyOnDemand, and a reboot")
        kms.call(testbed.user, "RotateKeyOnDemand", key)
        on_demand = evidence.refuses_reboot(brokers, identity)
        flow.wait_confirmed(20, 60)
        logger.info("  EnableKeyRotation, a year passes, and a reboot")
        kms.call(testbed.user, "EnableKeyRotation", key)
        try:
            testbed.clock.turn(_YEAR)
            by_clock = evidence.refuses_reboot(brokers, identity)
            flow.wait_confirmed(20, 60)
            rotations = _rotations(testbed, key) - earlier
        finally:
            if not rotates:
                kms.call(testbed.user, "DisableKeyRotation", key)
    account = checker.check(
        traffic.drain(brokers.address(brokers.peek(identity), "amqp"), queue, flow.recorder)
    )
    rotated = Observation(
        {"ON_DEMAND", "AUTOMATIC"} <= set(rotations), f"rotations: {', '.join(rotations)}"
    )
    yield contrast(
        "R6",
        f"{broker.broker_name}, key rotated twice",
        (_opens(testbed, volume, before),),
        "the volume with a new key in place of the old one",
        (_opens(testbed, replace(volume, key_arn=testbed.new_key("in its place")), before),),
        also=(
            rotated,
            on_demand.inverse,
            by_clock.inverse,
            Observation(account.ok, str(account)),
        ),
    )


def _rotations(testbed: Testbed, key: dict[str, str]) -> Counter[str]:
    """Count the key's rotations of each type."""
    listed = testbed.kms.call(testbed.user, "ListKeyRotations", {**key, "Limit": 1000})
    return Counter(rotation["RotationType"] for rotation in listed["Rotations"])


def _opens(testbed: Testbed, volume: volumes.Volume, data_key: bytes | None) -> Observation:
    """Attach the volume's data key; ``yes`` if it is the same as ever."""
    try:
        same = volumes.open_data_key(testbed.kms, volume) == data_key
    except TestbedError as error:
        return Observation(yes=False, evidence=str(error))
    return Observation(
        same, f"the data key of {volume.volume_id} is {'the same as before' if same else 'another'}"
    )


if __name__ == "__main__":
    run_file(__file__)
