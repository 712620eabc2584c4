"""Which key encrypts a broker: the requested one, else Amazon MQ's; unsuitable ones fail."""

import base64
import http.client
import json
import logging
import ssl
from collections.abc import Iterator
from contextlib import ExitStack

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from testbed.aws.endpoint import HOST, Endpoint, serve
from testbed.broker.model import Broker
from testbed.broker.requests import CreateBroker
from testbed.cli.scenario import run_file
from testbed.errors import ApiError
from testbed.evidence import Observation, contrast
from testbed.kms.base import SERVICE_ACCOUNT, USER_ACCOUNT, root
from testbed.results import Finding
from testbed.storage import volumes
from testbed.testbed import Testbed
from testbed.trail.lookup import events

logger = logging.getLogger(__name__)

TITLE = "EncryptionOptions: a customer's key, none, and eight that are refused"
CLAIMS = ("R2", "R3", "R4")
ALONE = True  # it counts what is left behind
_CREATED = "CreateBroker is carried out"


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Judge R2 on the default brokers, R3 on one without a key, R4 with refused requests."""
    logger.info("  brokers for which a key is given, and none")
    with ExitStack() as stack:
        endpoint = stack.enter_context(serve(testbed))
        for engine_type in ("RABBITMQ", "ACTIVEMQ"):
            request = testbed.request(engine_type, "owned")
            owned = stack.enter_context(testbed.temporary_broker(request))
            given = testbed.default_broker(engine_type)
            yield contrast(
                "R2",
                f"{engine_type}: a key that is given",
                _uses(testbed, endpoint, given, given.key_arn),
                "a broker for which none is given",
                _uses(testbed, endpoint, owned, given.key_arn),
            )
            if engine_type == "RABBITMQ":
                yield _owned(testbed, owned)
    logger.info("  keys that do not fit")
    yield from _refused(testbed)


def _uses(testbed: Testbed, endpoint: Endpoint, broker: Broker, key: str) -> list[Observation]:
    """Look at the broker's key, before and after UpdateBroker asks for another one."""
    mq = boto3.client("mq", **endpoint.client())

    def described(when: str) -> Observation:
        options = mq.describe_broker(BrokerId=broker.broker_id)["EncryptionOptions"]
        same = options == {"UseAwsOwnedKey": False, "KmsKeyId": key}
        return Observation(same, f"DescribeBroker {when}: {options}")

    first = described("at first")
    other = {"useAwsOwnedKey": False, "kmsKeyId": testbed.new_key("another one")}
    answer = _put(endpoint, f"/v1/brokers/{broker.broker_id}", {"encryptionOptions": other})
    return [
        first,
        _wrapped_by(testbed, broker, key),
        described(f"after UpdateBroker with another key, which answers {answer}"),
    ]


def _wrapped_by(testbed: Testbed, broker: Broker, key: str) -> Observation:
    """Decrypt the volume's data key as the service, which names no key: KMS says which one it is.

    Blobs of KMS name their key themselves.
    """
    volume = broker.nodes[0].volume
    call = {
        "CiphertextBlob": base64.b64decode(volume.encrypted_data_key),
        "EncryptionContext": volumes.context(volume.volume_id),
    }
    found = testbed.kms.call(volumes.service(volume.key_arn), "Decrypt", call)["KeyId"]
    return Observation(
        found == key, f"KMS: the data key of {volume.volume_id} is wrapped by {found}"
    )


def _put(endpoint: Endpoint, path: str, body: dict[str, object]) -> int:
    """Send a request that boto3 does not let through; return the status."""
    request = AWSRequest("PUT", endpoint.url + path, {}, json.dumps(body).encode())
    settings = endpoint.client()
    credentials = Credentials(settings["aws_access_key_id"], settings["aws_secret_access_key"])
    SigV4Auth(credentials, "mq", settings["region_name"]).add_auth(request)
    context = ssl.create_default_context(cafile=str(endpoint.ca_file))
    connection = http.client.HTTPSConnection(HOST, endpoint.port, context=context, timeout=30)
    try:
        connection.request("PUT", path, request.body, dict(request.headers))
        return connection.getresponse().status
    finally:
        connection.close()


def _owned(testbed: Testbed, broker: Broker) -> Finding:
    """Judge R3: the key is used, and is in neither the account's listing nor its trail."""
    key = broker.nodes[0].volume.key_arn

    def hidden(arn: str) -> tuple[Observation, Observation]:
        listed = any(entry["KeyArn"] == arn for entry in _keys(testbed))
        recorded = sum(
            arn in str(record)
            for record in events(testbed.trail, USER_ACCOUNT, region=testbed.region)
        )
        return (
            Observation(
                not listed, f"{arn} {'is' if listed else 'is not'} in the account's ListKeys"
            ),
            Observation(not recorded, f"{recorded} records of the account's trail name it"),
        )

    works = sum(
        key in str(record)
        for record in events(testbed.trail, SERVICE_ACCOUNT, region=testbed.region)
    )
    return contrast(
        "R3",
        "a broker for which no key was given",
        hidden(key),
        "a customer managed key",  # which is in both
        hidden(testbed.default_broker("RABBITMQ").key_arn),
        also=(
            Observation(
                works > 0 and broker.key_ownership == "AWS_OWNED",
                f"{works} records of Amazon MQ's own account name it: "
                "it wraps and opens the volume's data key",
            ),
        ),
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
    fits = _creation(testbed, testbed.request("RABBITMQ", "fits", good))
    # A control that is refused for another reason would answer with no, too.
    created = Observation(fits.evidence == _CREATED, f"with a key that fits: {fits.evidence}")
    for description, key in bad.items():
        unfit = _creation(testbed, testbed.request("RABBITMQ", "unfit", key))
        control = "a symmetric key that is enabled"
        yield contrast("R4", description, (unfit,), control, (fits,), also=(created,))


def _creation(testbed: Testbed, request: CreateBroker) -> Observation:
    """Create a broker, and delete it; ``yes`` if its key is refused and nothing is left behind."""
    before = _inventory(testbed)
    try:
        broker = testbed.brokers.create(request)
    except ApiError as error:
        left = _inventory(testbed)
        of_the_key = getattr(error, "error_attribute", "") == "encryptionOptions"
        return Observation(
            left == before and of_the_key,
            f"CreateBroker: {error}; "
            f"{'nothing is left behind' if left == before else f'left behind: {left}'}",
        )
    testbed.brokers.delete(broker.broker_id)
    return Observation(yes=False, evidence=_CREATED)


def _inventory(testbed: Testbed) -> tuple[int, int, int]:
    """Count brokers, containers and volumes."""
    volumes = testbed.containers.volumes()
    return len(testbed.brokers.peek_all()), len(testbed.containers.find()), len(volumes)


if __name__ == "__main__":
    run_file(__file__)
