"""A broker's grants are retired by the services that may: it is as final as a revocation."""

import logging
from collections.abc import Iterator
from dataclasses import replace

from testbed import checker, evidence, traffic
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.documented.grants import ebs_principal
from testbed.evidence import Observation, ask
from testbed.kms.base import root
from testbed.results import Finding, Verdict
from testbed.storage import volumes
from testbed.testbed import Testbed
from testbed.traffic import Traffic

logger = logging.getLogger(__name__)

TITLE = "RetireGrant, by the one who may and by those who may not"
CLAIMS = ("G3", "R7")
TURNS_CLOCK = True
_QUEUE = Destination.queue("grant-retired")


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Retire the grants of a new ActiveMQ broker under confirmed traffic."""
    kms, brokers = testbed.kms, testbed.brokers
    key = testbed.new_key("of a broker whose grant is retired")
    with testbed.temporary_broker(testbed.request("ACTIVEMQ", "retired", key)) as broker:
        identity = broker.broker_id
        grant = {
            "KeyId": key,
            "GrantId": next(grant.grant_id for grant in broker.grants if grant.volume_id),
        }
        mq = volumes.service(key)
        stranger = root("222222222222", testbed.region)
        with Traffic(brokers.address(broker, "stomp"), _QUEUE, rate=100) as flow:
            flow.wait_confirmed(50, 30)
            logger.info("  RetireGrant by a stranger, and by the grantee")
            refused = [ask(kms, "RetireGrant", grant, caller) for caller in (stranger, mq)]
            logger.info("  DisableKey, and EnableKey")
            kms.call(testbed.user, "DisableKey", {"KeyId": key})
            testbed.wait_out_delay()
            disabled = evidence.reports_invalid_key(brokers, identity)
            kms.call(testbed.user, "EnableKey", {"KeyId": key})
            returned = evidence.reports_invalid_key(brokers, identity)
            logger.info("  RetireGrant by EC2, the retiring principal, and the same")
            done = ask(kms, "RetireGrant", grant, replace(mq, principal=ebs_principal(mq.region)))
            testbed.wait_out_delay()
            after = evidence.reports_invalid_key(brokers, identity)
            reboot, attached = evidence.refuses_reboot(brokers, identity), evidence.serves(flow, 50)
            kms.call(testbed.user, "DisableKey", {"KeyId": key})
            kms.call(testbed.user, "EnableKey", {"KeyId": key})
            again = evidence.reports_invalid_key(brokers, identity)
        account = checker.check(
            traffic.drain(brokers.address(broker, "stomp"), _QUEUE, flow.recorder)
        )
    yield Finding(
        "G3",
        "who may retire a grant",
        Verdict.of(all(answer.denied for answer in refused)),
        tuple(answer.evidence for answer in refused),
        # Whatever it is refused for, nothing shows then that others are refused for who they are.
        Finding("G3", "its retiring principal", Verdict.of(done.refused), (done.evidence,)),
    )
    yield evidence.contrast(
        "R7",
        "a broker whose EBS grant is retired, after DisableKey and EnableKey",
        (again,),
        "the same broker with its grant, after DisableKey and EnableKey",
        (returned,),
        also=(disabled, after, reboot, attached, Observation(account.ok, str(account))),
    )


if __name__ == "__main__":
    run_file(__file__)
