"""A broker's grant is revoked: only deleting and recreating the broker helps."""

import logging
from collections.abc import Callable, Iterator

from testbed import checker, evidence, traffic
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.errors import KmsError
from testbed.evidence import Observation
from testbed.results import Finding, Verdict
from testbed.testbed import Testbed
from testbed.traffic import Traffic

logger = logging.getLogger(__name__)

TITLE = "RevokeGrant cannot be undone"
CLAIMS = ("R7", "R9", "R11")
TURNS_CLOCK = True
_QUEUE = Destination.queue("grant-revoked")


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Revoke the volume's grant of a new RabbitMQ broker under confirmed traffic."""
    brokers, kms = testbed.brokers, testbed.kms
    key = testbed.new_key("of a broker that loses a grant")
    with testbed.temporary_broker(testbed.request("RABBITMQ", "revoked", key)) as broker:
        identity = broker.broker_id
        grant = next(candidate for candidate in broker.grants if candidate.volume_id)
        with Traffic(brokers.address(broker, "amqp"), _QUEUE, rate=100) as flow:
            flow.wait_confirmed(150, 30)
            before = evidence.reports_invalid_key(brokers, identity)
            logger.info("  RevokeGrant")
            kms.call(testbed.user, "RevokeGrant", {"KeyId": key, "GrantId": grant.grant_id})
            inside = evidence.reports_invalid_key(brokers, identity)
            testbed.wait_out_delay()
            after = evidence.reports_invalid_key(brokers, identity)
            reboot, attached = evidence.refuses_reboot(brokers, identity), evidence.serves(flow, 50)
            logger.info("  everything an owner might try")
            tried = [
                _tried(testbed, broker, name, attempt)
                for name, attempt in _attempts(testbed, broker).items()
            ]
        account = checker.check(
            traffic.drain(brokers.address(broker, "amqp"), _QUEUE, flow.recorder)
        )
        logger.info("  losing its node")
        brokers.detach(identity)
        lost = evidence.stays_down(brokers, identity)
    with testbed.temporary_broker(testbed.request("RABBITMQ", "anew", key)) as anew:
        recreated = evidence.reports_invalid_key(brokers, anew.broker_id)
        rebooted = evidence.refuses_reboot(brokers, anew.broker_id)

    control = Finding("R9", "the same broker before", Verdict.of(before.yes), (before.evidence,))
    degraded = (attached, after, reboot, lost)
    yield Finding(
        "R9",
        "a broker whose EBS grant is revoked",
        Verdict.of(all(observation.yes for observation in degraded)),
        tuple(observation.evidence for observation in degraded),
        control,
    )
    yield Finding(
        "R11",
        "a revoked grant",
        Verdict.of(not inside.yes and after.yes),
        (
            f"at once after RevokeGrant {inside.evidence}",
            f"after {testbed.delay:.0f} s {after.evidence}",
        ),
        Finding("R11", "once the delay is over", Verdict.of(not after.yes), (after.evidence,)),
    )
    yield Finding(
        "R7",
        "a broker whose EBS grant is revoked",
        Verdict.of(
            all(attempt.yes for attempt in tried) and not recreated.yes and not rebooted.yes
        ),
        (
            f"deleted and created anew: {recreated.evidence}, and {rebooted.evidence}",
            *(attempt.evidence for attempt in tried),
        ),
        # These would bring a broker back after DisableKey; here they must not.
        Finding("R7", "the broker created anew", Verdict.of(recreated.yes), (recreated.evidence,)),
    )
    yield f"Traffic through all of it: {account}"


def _attempts(testbed: Testbed, broker: Broker) -> dict[str, Callable[[], object]]:
    """Try what might undo the revocation."""
    kms, key = testbed.kms, {"KeyId": broker.key_arn}
    volume = broker.nodes[0].volume.volume_id
    again = {
        **key,
        "GranteePrincipal": "mq.amazonaws.com",
        "RetiringPrincipal": "mq.amazonaws.com",
        "Operations": ["Decrypt"],
        "Constraints": {"EncryptionContextSubset": {"aws:ebs:id": volume}},
        "Name": "ebs_grant",
    }
    return {
        "DisableKey and EnableKey": lambda: (
            kms.call(testbed.user, "DisableKey", key),
            kms.call(testbed.user, "EnableKey", key),
        ),
        "RotateKeyOnDemand": lambda: kms.call(testbed.user, "RotateKeyOnDemand", key),
        "CreateGrant with the same operations, grantee and constraint": lambda: kms.call(
            testbed.user, "CreateGrant", again
        ),
        "waiting for a day": lambda: testbed.clock.turn(86400),
    }


def _tried(
    testbed: Testbed, broker: Broker, name: str, attempt: Callable[[], object]
) -> Observation:
    try:
        attempt()
        done = "is carried out"
    except KmsError as error:
        done = f"is refused ({error})"
    testbed.wait_out_delay()
    now = evidence.reports_invalid_key(testbed.brokers, broker.broker_id)
    return Observation(
        now.yes,
        f"{name} {done}: still {now.evidence}" if now.yes else f"{name} {done}: {now.evidence}",
    )


if __name__ == "__main__":
    run_file(__file__)
