"""A key is deleted for good: its volume never opens again, and only a new broker helps."""

import logging
from collections.abc import Iterator

from testbed import checker, evidence, traffic
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.errors import KmsError
from testbed.evidence import ask
from testbed.results import Finding, Verdict
from testbed.testbed import Testbed
from testbed.traffic import Traffic

logger = logging.getLogger(__name__)

TITLE = "ScheduleKeyDeletion to the end of the window: the data is beyond recovery"
CLAIMS = ("R6", "R9")
TURNS_CLOCK = True
_QUEUE = Destination.queue("key-deleted")
_DAY = 86400.0


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Delete the key of a new RabbitMQ broker by advancing the clock over the window."""
    brokers, kms = testbed.brokers, testbed.kms
    key = testbed.new_key("of a broker that loses it")
    with testbed.temporary_broker(testbed.request("RABBITMQ", "deleted", key)) as broker:
        identity = broker.broker_id
        with Traffic(brokers.address(broker, "amqp"), _QUEUE, rate=100) as flow:
            flow.wait_confirmed(150, 30)
            logger.info("  ScheduleKeyDeletion, and seven days pass")
            kms.call(testbed.user, "ScheduleKeyDeletion", {"KeyId": key, "PendingWindowInDays": 7})
            before = _is_deleted(testbed, key)
            testbed.clock.turn(8 * _DAY)
            after = _is_deleted(testbed, key)
            reported = evidence.reports_invalid_key(brokers, identity)
            attached = evidence.serves(flow, 50)
            logger.info("  losing its node")
            brokers.detach(identity)
            lost = evidence.stays_down(brokers, identity)
            too_late = ask(kms, "CancelKeyDeletion", {"KeyId": key}, testbed.user)
        facts = (after[1], too_late.evidence, reported.evidence, attached.evidence, lost.evidence)
        holds = after[0] and too_late.refused and reported.yes and attached.yes and lost.yes
        yield Finding(
            "R9",
            "a broker whose key is deleted",
            Verdict.of(holds),
            facts,
            Finding("R9", "inside the window", Verdict.of(before[0]), (before[1],)),
        )
    with testbed.temporary_broker(
        testbed.request("RABBITMQ", "anew", testbed.new_key("of the broker that replaces it"))
    ) as anew:
        logger.info("  deleting it and creating it anew")
        account = checker.check(
            traffic.drain(brokers.address(anew, "amqp"), _QUEUE, flow.recorder, patience=2.0)
        )
        yield f"The broker created anew has none of what the old one held: {account}"
        yield Finding(
            "R6",
            "a key scheduled by its owner while a broker depends on it",
            Verdict.of(after[0] and len(account.lost) == account.confirmed),
            (after[1], f"what was confirmed under it is lost: {account}"),
            Finding("R6", "inside the window", Verdict.of(before[0]), (before[1],)),
        )


def _is_deleted(testbed: Testbed, key: str) -> tuple[bool, str]:
    try:
        state = testbed.kms.call(testbed.user, "DescribeKey", {"KeyId": key})["KeyMetadata"][
            "KeyState"
        ]
    except KmsError as error:
        return error.code == "NotFoundException", f"DescribeKey: {error}"
    return False, f"DescribeKey: the key is {state}"


if __name__ == "__main__":
    run_file(__file__)
