"""A key's deletion is scheduled under a working broker, then cancelled: it stays disabled."""

import logging
import secrets
from collections.abc import Iterator
from typing import Any

from testbed import checker, evidence, traffic
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.evidence import ask
from testbed.kms.base import root
from testbed.results import Finding
from testbed.testbed import Testbed
from testbed.traffic import Traffic

logger = logging.getLogger(__name__)

TITLE = "ScheduleKeyDeletion and CancelKeyDeletion: maintained again only after EnableKey"
CLAIMS = ("R6", "R9", "R10")
ALONE = True  # it reboots a default broker


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Use the default RabbitMQ broker under confirmed traffic."""
    brokers, kms, broker = testbed.brokers, testbed.kms, testbed.default_broker("RABBITMQ")
    name, identity, key = broker.broker_name, broker.broker_id, {"KeyId": broker.key_arn}
    deletion = {**key, "PendingWindowInDays": 7}
    queue = Destination.queue(f"key-scheduled-{secrets.token_hex(4)}")
    with Traffic(brokers.address(broker, "amqp"), queue, rate=100) as flow:
        flow.wait_confirmed(50, 30)
        logger.info("  ScheduleKeyDeletion")
        scheduled = ask(kms, "ScheduleKeyDeletion", deletion, testbed.user)
        try:
            testbed.wait_out_delay()
            pending = (
                evidence.reports_invalid_key(brokers, identity),
                evidence.refuses_reboot(brokers, identity),
            )
            attached = evidence.serves(flow, 50)
            early = ask(kms, "EnableKey", key, testbed.user)
        finally:
            logger.info("  CancelKeyDeletion")
            try:
                cancelled = ask(kms, "CancelKeyDeletion", key, testbed.user)
                disabled = _has_state(testbed, broker.key_arn, "Disabled")
                still = (
                    evidence.reports_invalid_key(brokers, identity),
                    evidence.refuses_reboot(brokers, identity),
                )
            finally:
                logger.info("  EnableKey")
                enabled = ask(kms, "EnableKey", key, testbed.user)
        after = (
            evidence.reports_invalid_key(brokers, identity),
            evidence.refuses_reboot(brokers, identity),
        )
        flow.wait_confirmed(20, 60)
    account = checker.check(
        traffic.drain(brokers.address(brokers.peek(identity), "amqp"), queue, flow.recorder)
    )

    yield evidence.contrast(
        "R9",
        f"{name}, key scheduled for deletion",
        pending,
        f"{name}, key enabled again",
        after,
        also=(attached,),
    )
    yield evidence.contrast(
        "R10",
        f"{name}, deletion cancelled and key enabled",
        [look.inverse for look in after],
        f"{name}, deletion cancelled and key not enabled",  # cancelling alone is not enough
        [look.inverse for look in still],
        also=(disabled, evidence.Observation(account.ok, str(account))),
    )
    calls: dict[str, dict[str, Any]] = {
        "ScheduleKeyDeletion": deletion,
        "CancelKeyDeletion": key,
        "EnableKey": key,
    }
    stranger = root("222222222222", testbed.region)
    strangers = [ask(kms, operation, call, stranger) for operation, call in calls.items()]
    yield evidence.contrast(
        "R6",
        "the owner's calls while a broker depends on the key",
        [answer.refusal.inverse for answer in (scheduled, cancelled, enabled)],
        "the same calls by another account",
        [answer.refusal.inverse for answer in strangers],
        also=(early.refusal, _has_state(testbed, broker.key_arn, "Enabled")),
    )


def _has_state(testbed: Testbed, key: str, state: str) -> evidence.Observation:
    metadata = testbed.kms.call(testbed.user, "DescribeKey", {"KeyId": key})["KeyMetadata"]
    return evidence.Observation(
        metadata["KeyState"] == state, f"DescribeKey: the key is {metadata['KeyState']}"
    )


if __name__ == "__main__":
    run_file(__file__)
