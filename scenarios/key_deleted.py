"""A key is deleted for good: its volume never opens again, and only a new broker helps."""

import logging
from collections.abc import Iterator

from testbed import checker, evidence, traffic
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.errors import KmsError
from testbed.evidence import Observation, ask
from testbed.results import Finding
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
    schedule = {"KeyId": key, "PendingWindowInDays": 7}
    with testbed.temporary_broker(testbed.request("RABBITMQ", "deleted", key)) as broker:
        identity = broker.broker_id
        with Traffic(brokers.address(broker, "amqp"), _QUEUE, rate=100) as flow:
            flow.wait_confirmed(150, 30)
            logger.info("  losing its node while the key is there")
            brokers.upkeep.detach(identity)
            returned = evidence.stays_down(brokers, identity)
            sound = (_is_deleted(testbed, key), evidence.reports_invalid_key(brokers, identity))
            flow.wait_confirmed(150, 60)
            logger.info("  ScheduleKeyDeletion, cancelled once, and then seven days pass")
            kms.call(testbed.user, "ScheduleKeyDeletion", schedule)
            in_time = ask(kms, "CancelKeyDeletion", {"KeyId": key}, testbed.user)
            kms.call(testbed.user, "ScheduleKeyDeletion", schedule)
            before = _is_deleted(testbed, key)
            testbed.clock.turn(8 * _DAY)
            after = _is_deleted(testbed, key)
            reported = evidence.reports_invalid_key(brokers, identity)
            attached = evidence.serves(flow, 50)
            logger.info("  losing its node")
            brokers.upkeep.detach(identity)
            lost = evidence.stays_down(brokers, identity)
            too_late = ask(kms, "CancelKeyDeletion", {"KeyId": key}, testbed.user)
        yield evidence.contrast(
            "R9",
            "a broker whose key is deleted",
            (after, reported, lost),
            "the same broker before",
            (*sound, returned),
            also=(attached,),
        )
    with testbed.temporary_broker(
        testbed.request("RABBITMQ", "anew", testbed.new_key("of the broker that replaces it"))
    ) as anew:
        logger.info("  deleting it and creating it anew")
        account = checker.check(
            traffic.drain(brokers.address(anew, "amqp"), _QUEUE, flow.recorder, patience=2.0)
        )
        lost_all = len(account.lost) == account.confirmed > 0
        yield evidence.contrast(
            "R6",
            "a key scheduled by its owner, once the window is over",
            (after, too_late.refusal),
            "inside the window",
            (before, in_time.refusal),
            also=(Observation(lost_all, f"the broker created anew has nothing of it: {account}"),),
        )


def _is_deleted(testbed: Testbed, key: str) -> Observation:
    try:
        state = testbed.kms.call(testbed.user, "DescribeKey", {"KeyId": key})["KeyMetadata"][
            "KeyState"
        ]
    except KmsError as error:
        return Observation(error.code == "NotFoundException", f"DescribeKey: {error}")
    return Observation(yes=False, evidence=f"DescribeKey: the key is {state}")


if __name__ == "__main__":
    run_file(__file__)
