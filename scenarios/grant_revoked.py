"""A broker's grant is revoked: only deleting and recreating the broker helps."""

import logging
from collections.abc import Callable, Iterator

from testbed import checker, evidence, traffic
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.errors import KmsError
from testbed.evidence import Observation
from testbed.results import Output
from testbed.testbed import Testbed
from testbed.traffic import Traffic
from testbed.watch import dependencies

logger = logging.getLogger(__name__)

TITLE = "RevokeGrant cannot be undone"
CLAIMS = ("R7", "R9", "R11")
TURNS_CLOCK = True
_QUEUE = Destination.queue("grant-revoked")


def run(testbed: Testbed) -> Iterator[Output]:
    """Revoke the volume's grant of a new RabbitMQ broker under confirmed traffic."""
    brokers, kms = testbed.brokers, testbed.kms
    key = testbed.new_key("of a broker that loses a grant")
    with testbed.temporary_broker(testbed.request("RABBITMQ", "revoked", key)) as broker:
        identity = broker.broker_id
        grant = next(candidate for candidate in broker.grants if candidate.volume_id)
        with Traffic(brokers.address(broker, "amqp"), _QUEUE, rate=100) as flow:
            flow.wait_confirmed(150, 30)
            logger.info("  RevokeGrant")
            kms.call(testbed.user, "RevokeGrant", {"KeyId": key, "GrantId": grant.grant_id})
            inside = evidence.reports_invalid_key(brokers, identity)
            testbed.wait_out_delay()
            after = evidence.reports_invalid_key(brokers, identity)
            yield dependencies(testbed, identity, "a broker whose volume's grant is revoked")
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
        brokers.upkeep.detach(identity)
        lost = evidence.stays_down(brokers, identity)
    with testbed.temporary_broker(testbed.request("RABBITMQ", "anew", key)) as anew:
        logger.info("  the same broker anew: with its grants, and then with its key disabled")
        identity = anew.broker_id
        sound = (
            evidence.reports_invalid_key(brokers, identity),
            evidence.refuses_reboot(brokers, identity),
        )
        brokers.upkeep.detach(identity)
        returned = evidence.stays_down(brokers, identity)
        kms.call(testbed.user, "DisableKey", {"KeyId": key})
        testbed.wait_out_delay()
        disabled = evidence.reports_invalid_key(brokers, identity)
        undone = [
            _tried(testbed, anew, name, attempt)
            for name, attempt in _attempts(testbed, anew).items()
        ]

    yield evidence.contrast(
        "R9",
        "a broker whose EBS grant is revoked",
        (after, reboot, lost),
        "the broker created anew, with its grants",
        (*sound, returned),
        also=(attached,),
    )
    yield evidence.contrast(
        "R11",
        "a revoked grant, at once",
        (inside.inverse,),
        f"once the delay of {testbed.delay:.0f} s is over",
        (after.inverse,),
    )
    yield evidence.contrast(
        "R7",
        "a broker whose EBS grant is revoked",
        tried,
        "the broker created anew, with its key disabled instead",
        undone,
        also=(*(look.inverse for look in sound), disabled),
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
