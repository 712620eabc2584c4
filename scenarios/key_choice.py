"""Which key encrypts a broker: the requested one, else Amazon MQ's; unsuitable ones fail."""

import logging
from collections.abc import Iterator

from testbed.broker.describe import describe
from testbed.broker.model import Broker
from testbed.broker.requests import CreateBroker
from testbed.cli.scenario import run_file
from testbed.errors import ApiError
from testbed.kms.base import SERVICE_ACCOUNT, USER_ACCOUNT, root
from testbed.results import Finding, Verdict
from testbed.testbed import Testbed
from testbed.trail.lookup import events

logger = logging.getLogger(__name__)

TITLE = "EncryptionOptions: a customer's key, none, and seven that are refused"
CLAIMS = ("R2", "R3", "R4")
ALONE = True  # it counts what is left behind


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Judge R2 on the default brokers, R3 on one without a key, R4 with refused requests."""
    for engine_type in ("RABBITMQ", "ACTIVEMQ"):
        yield _customer_key(testbed, testbed.default_broker(engine_type))
    logger.info("  a broker for which no key is given")
    with testbed.temporary_broker(testbed.request("RABBITMQ", "owned")) as broker:
        yield _owned(testbed, broker)
    logger.info("  keys that do not fit")
    yield from _refused(testbed)


def _customer_key(testbed: Testbed, broker: Broker) -> Finding:
    """Judge R2: the key is used and echoed; UpdateBroker has no member to change it."""
    described = describe(testbed.brokers.describe(broker.broker_id))["EncryptionOptions"]
    other_key = testbed.new_key("another one")
    used = broker.nodes[0].volume.key_arn
    return Finding(
        "R2",
        broker.broker_name,
        Verdict.of(
            described == {"UseAwsOwnedKey": False, "KmsKeyId": broker.key_arn}
            and used == broker.key_arn
        ),
        (
            f"DescribeBroker: {described}",
            f"the data key of its volume is wrapped by {used}",
            "Brokers has no operation that changes a broker's key",
        ),
        Finding(
            "R2",
            "the same broker, asked for another key",
            Verdict.of(described.get("KmsKeyId") == other_key),
            (f"DescribeBroker: {described}",),
        ),
    )


def _owned(testbed: Testbed, broker: Broker) -> Finding:
    """Judge R3: the key is used, and is in neither the account's listing nor its trail."""
    key = broker.nodes[0].volume.key_arn

    def hidden(arn: str) -> tuple[bool, tuple[str, ...]]:
        listed = any(entry["KeyArn"] == arn for entry in _keys(testbed))
        recorded = sum(
            arn in str(record)
            for record in events(testbed.trail, USER_ACCOUNT, region=testbed.region)
        )
        return not listed and not recorded, (
            f"{arn} {'is' if listed else 'is not'} in the account's ListKeys",
            f"{recorded} records of the account's trail name it",
        )

    works = sum(
        key in str(record)
        for record in events(testbed.trail, SERVICE_ACCOUNT, region=testbed.region)
    )
    absent, evidence = hidden(key)
    # A customer's key is in both.
    visible, control = hidden(testbed.default_broker("RABBITMQ").key_arn)
    return Finding(
        "R3",
        "a broker for which no key was given",
        Verdict.of(absent and works > 0 and broker.key_ownership == "AWS_OWNED"),
        (
            *evidence,
            (
                f"{works} records of Amazon MQ's own account name it: "
                "it wraps and opens the volume's data key"
            ),
        ),
        Finding("R3", "a customer managed key", Verdict.of(visible), control),
    )


def _keys(testbed: Testbed) -> list[dict[str, str]]:
    keys: list[dict[str, str]] = testbed.kms.call(testbed.user, "ListKeys", {"Limit": 1000})["Keys"]
    return keys


def _refused(testbed: Testbed) -> Iterator[Finding]:
    """Judge R4: unsuitable keys are refused before anything is created."""
    kms = testbed.kms
    disabled, pending = testbed.new_key("disabled"), testbed.new_key("pending deletion")
    kms.call(testbed.user, "DisableKey", {"KeyId": disabled})
    kms.call(testbed.user, "ScheduleKeyDeletion", {"KeyId": pending, "PendingWindowInDays": 7})
    testbed.wait_out_delay()
    stranger = root("222222222222", testbed.region)
    good = testbed.new_key("a symmetric one")
    elsewhere = "us-west-2" if testbed.region != "us-west-2" else "us-east-1"
    bad = {
        "an RSA key": testbed.new_key("RSA", KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"),
        "an ECC key": testbed.new_key("ECC", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"),
        "an HMAC key": testbed.new_key("HMAC", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"),
        "a key that does not exist": good[:-12] + "000000000000",
        "a disabled key": disabled,
        "a key pending deletion": pending,
        "a key of another account": kms.call(stranger, "CreateKey", {})["KeyMetadata"]["Arn"],
        "a key of another region": testbed.new_key("elsewhere", region=elsewhere),
    }
    control = _creation(testbed, testbed.request("RABBITMQ", "fits", good))
    for description, key in bad.items():
        refused, evidence = _creation(testbed, testbed.request("RABBITMQ", "unfit", key))
        yield Finding(
            "R4",
            description,
            Verdict.of(refused),
            evidence,
            Finding("R4", "a symmetric key that is enabled", Verdict.of(control[0]), control[1]),
        )


def _creation(testbed: Testbed, request: CreateBroker) -> tuple[bool, tuple[str, ...]]:
    """Return whether CreateBroker is refused and leaves nothing. Deletes a created broker."""
    before = _inventory(testbed)
    try:
        broker = testbed.brokers.create(request)
    except ApiError as error:
        after = _inventory(testbed)
        return after == before, (
            f"CreateBroker: {error}",
            "nothing is left behind" if after == before else f"left behind: {after}",
        )
    testbed.brokers.delete(broker.broker_id)
    return False, ("CreateBroker is carried out",)


def _inventory(testbed: Testbed) -> tuple[int, int, int]:
    """Count brokers, containers and volumes."""
    volumes = testbed.containers.volumes()
    return len(testbed.brokers.peek_all()), len(testbed.containers.find()), len(volumes)


if __name__ == "__main__":
    run_file(__file__)
