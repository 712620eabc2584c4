"""ActiveMQ on EFS: after its grant is revoked, the broker serves on for exactly the delay."""

import logging
from collections.abc import Iterator

from testbed import evidence
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.results import Finding, Verdict
from testbed.testbed import Testbed
from testbed.traffic import Traffic

logger = logging.getLogger(__name__)

TITLE = "Revoking the grant of EFS does not act at once"
CLAIMS = ("R8",)
TURNS_CLOCK = True
_QUEUE = Destination.queue("efs-delay")


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Use a broker on EFS, and as control one on EBS, which serves on while attached."""
    key = testbed.new_key("of a broker on EFS")
    with testbed.temporary_broker(
        testbed.request("ACTIVEMQ", "efs", key, storage_type="EFS")
    ) as efs:
        at_once, account_at_once, later, account_later = _story(testbed, efs.broker_id, "efs_grant")
    ebs_key = testbed.new_key("of a broker on EBS")
    with testbed.temporary_broker(testbed.request("ACTIVEMQ", "ebs", ebs_key)) as ebs:
        _, _, ebs_later, ebs_account = _story(testbed, ebs.broker_id, "ebs_grant")
    yield Finding(
        "R8",
        "a broker on EFS whose file system's grant is revoked",
        Verdict.of(at_once.yes and not later.yes),
        (
            f"at once after RevokeGrant {at_once.evidence} ({account_at_once})",
            f"after {testbed.delay:.0f} s {later.evidence} ({account_later})",
        ),
        Finding(
            "R8",
            "a broker on EBS whose volume's grant is revoked",
            Verdict.of(not ebs_later.yes),
            (f"{ebs_later.evidence} ({ebs_account})",),
        ),
    )


def _story(
    testbed: Testbed, broker_id: str, grant_name: str
) -> tuple[evidence.Observation, str, evidence.Observation, str]:
    """Revoke the volume's grant; observe whether the broker serves during the delay and after."""
    brokers, broker = testbed.brokers, testbed.brokers.peek(broker_id)
    grant = next(candidate for candidate in broker.grants if candidate.name == grant_name)
    with Traffic(brokers.address(broker, "stomp"), _QUEUE, rate=100) as flow:
        flow.wait_confirmed(50, 30)
        logger.info("  %s: RevokeGrant", broker.broker_name)
        testbed.kms.call(
            testbed.user, "RevokeGrant", {"KeyId": broker.key_arn, "GrantId": grant.grant_id}
        )
        first = brokers.maintain(broker_id)
        at_once = evidence.serves(flow, 50)
        testbed.wait_out_delay()
        second = brokers.maintain(broker_id)
        later = evidence.serves(flow, 50, timeout=5.0)
    return (
        at_once,
        f"DescribeBroker says {first.broker_state}",
        later,
        f"DescribeBroker says {second.broker_state}",
    )


if __name__ == "__main__":
    run_file(__file__)
