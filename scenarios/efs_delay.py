"""ActiveMQ on EFS: after its grant is revoked, the broker serves on for exactly the delay."""

import logging
from collections.abc import Iterator

from testbed import evidence
from testbed.broker.describe import describe
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.evidence import Observation
from testbed.results import Finding
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
        at_once, later = _story(testbed, efs.broker_id, "efs_grant")
    ebs_key = testbed.new_key("of a broker on EBS")
    with testbed.temporary_broker(testbed.request("ACTIVEMQ", "ebs", ebs_key)) as ebs:
        ebs_at_once, ebs_later = _story(testbed, ebs.broker_id, "ebs_grant")
    yield evidence.contrast(
        "R8",
        "a broker on EFS whose file system's grant is revoked",
        (later.inverse,),
        "a broker on EBS whose volume's grant is revoked",
        (ebs_later.inverse,),
        also=(at_once, ebs_at_once),
    )


def _story(testbed: Testbed, broker_id: str, grant_name: str) -> tuple[Observation, Observation]:
    """Revoke the volume's grant; observe whether the broker serves during the delay and after."""
    brokers, broker = testbed.brokers, testbed.brokers.peek(broker_id)
    grant = next(candidate for candidate in broker.grants if candidate.name == grant_name)

    def look(when: str, timeout: float = 30.0) -> Observation:
        brokers.upkeep.maintain(broker_id)  # as the process behind `testbed up` does
        state = describe(brokers.describe(broker_id))["BrokerState"]
        serves = evidence.serves(flow, 50, timeout=timeout)
        return Observation(
            serves.yes,
            f"{grant.volume_id}, {when}: {serves.evidence}; DescribeBroker says {state}",
        )

    with Traffic(brokers.address(broker, "stomp"), _QUEUE, rate=100) as flow:
        flow.wait_confirmed(50, 30)
        logger.info("  %s: RevokeGrant", broker.broker_name)
        revoked = {"KeyId": broker.key_arn, "GrantId": grant.grant_id}
        testbed.kms.call(testbed.user, "RevokeGrant", revoked)
        at_once = look("at once after RevokeGrant")
        testbed.wait_out_delay()
        return at_once, look(f"after {testbed.delay:.0f} s", timeout=5.0)


if __name__ == "__main__":
    run_file(__file__)
