"""A broker's key material was imported, expires, and is imported again."""

import logging
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from testbed import checker, evidence, traffic
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.clients import QUEUE_PROTOCOL, Destination
from testbed.documented.key_material import LENGTHS
from testbed.evidence import Observation, ask
from testbed.kms import material as materials
from testbed.kms.base import USER_ACCOUNT
from testbed.results import Finding
from testbed.runtime.tasks import run_in_step
from testbed.testbed import Testbed
from testbed.traffic import Traffic
from testbed.trail.lookup import events

logger = logging.getLogger(__name__)

TITLE = "Imported key material expires under traffic: only the same material brings the broker back"
CLAIMS = ("R6", "R9", "R10")
TURNS_CLOCK = True
_QUEUE = Destination.queue("imported-material")
_LIFETIME = 3600.0  # seconds by the testbed's clock
_WRAPPING = "RSAES_OAEP_SHA_256"


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Use a new broker of each engine, under confirmed traffic, both at the same time."""
    stories = [partial(_story, testbed, engine_type) for engine_type in QUEUE_PROTOCOL]
    hour_passes = partial(testbed.clock.turn, _LIFETIME)
    for findings in run_in_step(stories, hour_passes, testbed.stop):
        yield from findings


def _story(
    testbed: Testbed, engine_type: str, hour_passes: Callable[[], object]
) -> tuple[Finding, ...]:
    key = testbed.new_key("with imported material", Origin="EXTERNAL")
    material = secrets.token_bytes(LENGTHS["SYMMETRIC_DEFAULT"])
    expires = datetime.fromtimestamp(testbed.clock.now() + _LIFETIME, UTC)
    imported = _wrapped(testbed, key, material, ValidTo=expires)
    testbed.kms.call(testbed.user, "ImportKeyMaterial", imported)
    with testbed.temporary_broker(testbed.request(engine_type, "imported", key)) as broker:
        return _expire(testbed, broker, material, hour_passes)


def _expire(
    testbed: Testbed, broker: Broker, material: bytes, hour_passes: Callable[[], object]
) -> tuple[Finding, ...]:
    brokers, kms, name, identity = (
        testbed.brokers,
        testbed.kms,
        broker.broker_name,
        broker.broker_id,
    )
    key, protocol = broker.key_arn, QUEUE_PROTOCOL[broker.engine_type]
    lasting = testbed.new_key("with imported material that does not expire", Origin="EXTERNAL")
    kms.call(testbed.user, "ImportKeyMaterial", _wrapped(testbed, lasting, material))
    with Traffic(brokers.address(broker, protocol), _QUEUE, rate=100) as flow:
        # RabbitMQ may forget a queue that is less than a second old when it is killed.
        flow.wait_confirmed(150, 30)
        logger.info("  %s: an hour passes, and the material expires", name)
        hour_passes()
        expired = evidence.reports_invalid_key(brokers, identity)
        expired_state, lasting_state = _state(testbed, key), _state(testbed, lasting)
        attached = evidence.serves(flow, 50)
        reboot = evidence.refuses_reboot(brokers, identity)
        logger.info("  %s: losing its node", name)
        brokers.upkeep.detach(identity)
        lost = evidence.stays_down(brokers, identity)
        logger.info("  %s: other material, then the same again", name)
        other = ask(kms, "ImportKeyMaterial", _wrapped(testbed, key, material[::-1]), testbed.user)
        still = evidence.reports_invalid_key(brokers, identity)
        kms.call(testbed.user, "ImportKeyMaterial", _wrapped(testbed, key, material))
        returned = evidence.stays_down(brokers, identity)
        brokers.upkeep.maintain(identity)
        valid = evidence.reports_invalid_key(brokers, identity)
        flow.wait_confirmed(20, 60)
        rebooted = evidence.refuses_reboot(brokers, identity)
        flow.wait_confirmed(20, 60)
    broker = brokers.peek(identity)
    account = checker.check(traffic.drain(brokers.address(broker, protocol), _QUEUE, flow.recorder))

    recorded = sum(
        record["eventName"] == "DeleteExpiredKeyMaterial" and key in str(record["resources"])
        for record in events(testbed.trail, USER_ACCOUNT, region=testbed.region)
    )
    deleted = f"the trail has {recorded} DeleteExpiredKeyMaterial"
    return (
        evidence.contrast(
            "R9",
            f"{name}, imported key material expired",
            (expired, reboot, lost),
            f"{name} while its key has the material",
            (valid, rebooted, returned),
            also=(attached,),
        ),
        evidence.contrast(
            "R10",
            f"{name}, the same material imported again",
            (valid.inverse,),
            f"{name}, other material imported instead",
            (still.inverse,),
            also=(other.refusal, rebooted.inverse, Observation(account.ok, str(account))),
        ),
        evidence.contrast(
            "R6",
            f"the key of {name} after the time in ValidTo",
            (_is_pending_import(expired_state),),
            "a key whose material does not expire, at the same time",
            (_is_pending_import(lasting_state),),
            also=(Observation(recorded == 1, deleted), other.refusal),
        ),
    )


def _is_pending_import(state: str) -> Observation:
    return Observation(state == "PendingImport", f"DescribeKey says {state}")


def _wrapped(testbed: Testbed, key: str, material: bytes, **members: Any) -> dict[str, Any]:
    """Return a request that imports material, which does not expire unless ValidTo is given."""
    parameters = testbed.kms.call(
        testbed.user,
        "GetParametersForImport",
        {"KeyId": key, "WrappingAlgorithm": _WRAPPING, "WrappingKeySpec": "RSA_2048"},
    )
    expires = "EXPIRES" if "ValidTo" in members else "DOES_NOT_EXPIRE"
    return {
        "KeyId": key,
        "ImportToken": parameters["ImportToken"],
        "EncryptedKeyMaterial": materials.wrap(material, parameters["PublicKey"], _WRAPPING),
        "ExpirationModel": f"KEY_MATERIAL_{expires}",
        **members,
    }


def _state(testbed: Testbed, key: str) -> str:
    answer = testbed.kms.call(testbed.user, "DescribeKey", {"KeyId": key})
    return str(answer["KeyMetadata"]["KeyState"])


if __name__ == "__main__":
    run_file(__file__)
