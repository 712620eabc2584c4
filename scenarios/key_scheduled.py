"""A key's deletion is scheduled under a working broker, then cancelled: it stays disabled."""

import logging
from collections.abc import Iterator

from testbed import checker, evidence, traffic
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.evidence import ask
from testbed.results import Finding, Verdict
from testbed.testbed import Testbed
from testbed.traffic import Traffic

logger = logging.getLogger(__name__)

TITLE = "ScheduleKeyDeletion and CancelKeyDeletion: maintained again only after EnableKey"
CLAIMS = ("R6", "R9", "R10")
ALONE = True  # it reboots a default broker
_QUEUE = Destination.queue("key-scheduled")


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Use the default RabbitMQ broker under confirmed traffic."""
    brokers, kms, broker = testbed.brokers, testbed.kms, testbed.default_broker("RABBITMQ")
    identity, key = broker.broker_id, {"KeyId": broker.key_arn}
    with Traffic(brokers.address(broker, "amqp"), _QUEUE, rate=100) as flow:
        flow.wait_confirmed(50, 30)
        before = evidence.reports_invalid_key(brokers, identity)
        logger.info("  ScheduleKeyDeletion")
        scheduled = kms.call(testbed.user, "ScheduleKeyDeletion", {**key, "PendingWindowInDays": 7})
        testbed.wait_out_delay()
        try:
            pending = (
                evidence.reports_invalid_key(brokers, identity),
                evidence.refuses_reboot(brokers, identity),
                evidence.serves(flow, 50),
            )
            early = ask(kms, "EnableKey", key, testbed.user)
        finally:
            logger.info("  CancelKeyDeletion")
            kms.call(testbed.user, "CancelKeyDeletion", key)
            cancelled = kms.call(testbed.user, "DescribeKey", key)["KeyMetadata"]["KeyState"]
            still = evidence.reports_invalid_key(brokers, identity)
            logger.info("  EnableKey")
            kms.call(testbed.user, "EnableKey", key)
            after = evidence.reports_invalid_key(brokers, identity)
        rebooted = evidence.refuses_reboot(brokers, identity)
        flow.wait_confirmed(20, 60)
    account = checker.check(
        traffic.drain(brokers.address(brokers.peek(identity), "amqp"), _QUEUE, flow.recorder)
    )
    missing = ask(
        kms, "CancelKeyDeletion", {"KeyId": "00000000-0000-0000-0000-000000000000"}, testbed.user
    )

    yield Finding(
        "R9",
        f"{broker.broker_name}, key scheduled for deletion",
        Verdict.of(all(observation.yes for observation in pending)),
        tuple(observation.evidence for observation in pending),
        Finding("R9", f"{broker.broker_name} before", Verdict.of(before.yes), (before.evidence,)),
    )
    yield Finding(
        "R10",
        f"{broker.broker_name}, deletion cancelled",
        Verdict.of(cancelled == "Disabled" and not after.yes and not rebooted.yes and account.ok),
        (
            f"after EnableKey {after.evidence}, and {rebooted.evidence}",
            f"CancelKeyDeletion leaves the key {cancelled}: {still.evidence}",
            str(account),
        ),
        # Cancelling alone is not enough.
        Finding(
            "R10",
            f"{broker.broker_name} with the deletion cancelled and the key not enabled",
            Verdict.of(not still.yes),
            (still.evidence,),
        ),
    )
    yield Finding(
        "R6",
        "the owner's calls while a broker depends on the key",
        Verdict.of(
            scheduled["KeyState"] == "PendingDeletion" and cancelled == "Disabled" and early.refused
        ),
        (
            (
                f"scheduled for {scheduled['DeletionDate']:%Y-%m-%d}, cancelled, enabled; "
                f"before it was cancelled {early.evidence}"
            ),
        ),
        Finding(
            "R6",
            "the same on a key that does not exist",
            Verdict.of(not missing.refused),
            (missing.evidence,),
        ),
    )


if __name__ == "__main__":
    run_file(__file__)
