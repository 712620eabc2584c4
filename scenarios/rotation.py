"""A working broker's key is rotated, on demand and by the clock: old volumes still open."""

import logging
from collections.abc import Iterator

from testbed import checker, evidence, traffic
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.errors import TestbedError
from testbed.results import Finding, Verdict
from testbed.storage import volumes
from testbed.testbed import Testbed
from testbed.traffic import Traffic

logger = logging.getLogger(__name__)

TITLE = "RotateKeyOnDemand and automatic rotation: old volumes still open"
CLAIMS = ("R6",)
ALONE = True  # it reboots a default broker
_QUEUE = Destination.queue("rotation")
_YEAR = 366 * 86400.0


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Use the default RabbitMQ broker under confirmed traffic; reboot it after each rotation."""
    kms, brokers, broker = testbed.kms, testbed.brokers, testbed.default_broker("RABBITMQ")
    identity, key = broker.broker_id, {"KeyId": broker.key_arn}
    volume = broker.nodes[0].volume
    before = volumes.open_data_key(kms, volume)
    with Traffic(brokers.address(broker, "amqp"), _QUEUE, rate=100) as flow:
        flow.wait_confirmed(50, 30)
        logger.info("  RotateKeyOnDemand, and a reboot")
        kms.call(testbed.user, "RotateKeyOnDemand", key)
        on_demand = evidence.refuses_reboot(brokers, identity)
        flow.wait_confirmed(20, 60)
        logger.info("  EnableKeyRotation, a year passes, and a reboot")
        kms.call(testbed.user, "EnableKeyRotation", key)
        testbed.clock.turn(_YEAR)
        by_clock = evidence.refuses_reboot(brokers, identity)
        flow.wait_confirmed(20, 60)
        rotations = [
            rotation["RotationType"]
            for rotation in kms.call(testbed.user, "ListKeyRotations", key)["Rotations"]
        ]
    account = checker.check(
        traffic.drain(brokers.address(brokers.peek(identity), "amqp"), _QUEUE, flow.recorder)
    )
    after = volumes.open_data_key(kms, volume)
    facts = (
        f"rotations: {', '.join(rotations)}",
        f"after RotateKeyOnDemand {on_demand.evidence}, after a year {by_clock.evidence}",
        (
            f"the data key of {volume.volume_id} is "
            f"{'the same as before' if after == before else 'another'}"
        ),
        str(account),
    )
    holds = (
        {"ON_DEMAND", "AUTOMATIC"} <= set(rotations)
        and not on_demand.yes
        and not by_clock.yes
        and after == before
        and account.ok
    )
    yield Finding(
        "R6",
        f"{broker.broker_name}, key rotated twice",
        Verdict.of(holds),
        facts,
        _another_key(testbed, volume),
    )


def _another_key(testbed: Testbed, volume: volumes.Volume) -> Finding:
    """Replace the key by a new one instead of rotating it: the volume does not open."""
    new_key = testbed.new_key("in place of the old one")
    try:
        volumes.open_data_key(
            testbed.kms, volumes.Volume(volume.volume_id, new_key, volume.encrypted_data_key)
        )
        opened, text = True, "the volume opens"
    except TestbedError as error:
        opened, text = False, str(error)
    return Finding(
        "R6", "the volume with a new key in place of the old one", Verdict.of(opened), (text,)
    )


if __name__ == "__main__":
    run_file(__file__)
