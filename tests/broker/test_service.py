"""The life of real brokers through Amazon MQ's API: created, rebooted, lost, revived, deleted."""

import dataclasses
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from testbed import scenario
from testbed.broker import encryption
from testbed.broker.default_broker import new_password
from testbed.broker.describe import describe
from testbed.broker.encryption import EncryptionOptions
from testbed.documented.engines import DEFAULT_VERSION
from testbed.documented.grants import MQ_PRINCIPAL, ebs_principal
from testbed.documented.listeners import LISTENERS
from testbed.documented.names import BROKER_NAME, PASSWORD_SENTENCE, USERNAME
from testbed.documented.regions import DEFAULT_REGION
from testbed.engines.base import User
from testbed.errors import (
    BadRequestException,
    ConflictException,
    ContainerFailed,
    KmsError,
    NotFoundException,
    TestbedError,
)
from testbed.key import Key
from testbed.kms.base import USER, USER_ACCOUNT
from testbed.library import MqBroker
from testbed.runtime import ports
from testbed.testbed import Testbed
from testbed.trail.lookup import events
from tests.support.broker_queues import consume, current, publish
from tests.support.command_line import CommandLine

if TYPE_CHECKING:
    from testbed.broker.requests import CreateBroker

pytestmark = pytest.mark.containers
ENGINES = ("RABBITMQ", "ACTIVEMQ")


def inventory(testbed: Testbed, key: str = "") -> dict[str, Any]:
    """Return everything that a broker could leave behind, except its configuration."""
    return {
        "containers": sorted(row["id"] for row in testbed.containers.find()),
        "volumes": sorted(testbed.containers.volumes()),
        "documents": {kind: testbed.state.all(kind) for kind in ("broker", "certificate")},
        "grants": testbed.kms.call(USER, "ListGrants", {"KeyId": key})["Grants"] if key else [],
    }


# Looked at


@pytest.mark.usefixtures("activemq_broker")  # its creation, beside this test, leaves records
def test_readers_leave_no_record_in_the_trail(
    testbed: Testbed, rabbitmq_broker: MqBroker, tmp_path: Path
) -> None:
    """The command line and the fixture's properties only look; ``describe`` is recorded."""
    command_line = CommandLine(tmp_path)

    def records() -> int:
        """Count the user's; what the services do by themselves goes on meanwhile."""
        return sum(
            "invokedBy" not in record["userIdentity"]
            for record in events(testbed.trail, USER_ACCOUNT)
        )

    before = records()
    for command in ("status", "env", "endpoints"):
        done = command_line.run(command, "--state", testbed.state.folder)
        assert done.returncode == 0, done.stderr
    assert rabbitmq_broker.url("amqp").startswith("amqps://")
    assert rabbitmq_broker.address("amqp").username == rabbitmq_broker.username
    assert rabbitmq_broker.key_arn.startswith("arn:aws:kms:")
    scenario.environment(testbed)
    assert records() == before
    rabbitmq_broker.describe()
    assert records() > before, "control: DescribeBroker is recorded"


# Created and described


def test_describe_says_what_was_asked_for_and_what_came_of_it(broker: MqBroker) -> None:
    stored, answer = current(broker), broker.describe()
    engine = stored.engine_type
    assert (answer["BrokerState"], answer["EngineType"]) == ("RUNNING", engine)
    assert answer["EngineVersion"].startswith(f"{DEFAULT_VERSION[engine]}.")
    assert (answer["DeploymentMode"], answer["StorageType"], answer["ActionsRequired"]) == (
        "SINGLE_INSTANCE",
        "EBS",
        [],
    )
    assert answer["EncryptionOptions"] == {"UseAwsOwnedKey": False, "KmsKeyId": stored.key_arn}
    resource = f"broker:{stored.broker_name}:{stored.broker_id}"
    assert answer["BrokerArn"] == f"arn:aws:mq:{DEFAULT_REGION}:000000000000:{resource}"
    [instance] = answer["BrokerInstances"]
    schemes = {listener.scheme for listener in LISTENERS[engine] if not listener.inside}
    assert {
        url.partition(":")[0] for url in (*instance["Endpoints"], instance["ConsoleURL"])
    } == schemes
    assert all(url.partition("://")[2].startswith("localhost:") for url in instance["Endpoints"])
    assert [user["Username"] for user in answer["Users"]] == (
        [] if engine == "RABBITMQ" else ["testbed"]
    ), "RabbitMQ's are not in it (API)"
    assert not [
        secret for secret in (broker.password, stored.keystore_password) if secret in str(answer)
    ]
    assert stored.broker_id in {listed.broker_id for listed in broker.testbed.brokers.list()}


def test_a_broker_is_found_by_id_and_by_name_and_no_other(broker: MqBroker) -> None:
    brokers, stored = broker.testbed.brokers, current(broker)
    assert brokers.describe(stored.broker_name).broker_id == stored.broker_id
    for wrong in ("b-00000000-0000-0000-0000-000000000000", "nobody", ""):
        with pytest.raises(NotFoundException, match="Can't find requested broker") as error:
            brokers.describe(wrong)
        assert (error.value.status, error.value.error_attribute) == (404, "broker-id")


def test_its_grants_are_the_two_that_are_documented(broker: MqBroker) -> None:
    stored = current(broker)
    granted = broker.testbed.kms.call(USER, "ListGrants", {"KeyId": broker.key_arn})["Grants"]
    service = [
        "CreateGrant",
        "Decrypt",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
        "DescribeKey",
    ]
    assert [
        (
            set(grant["Operations"]),
            grant["GranteePrincipal"],
            grant["RetiringPrincipal"],
            grant.get("Constraints"),
        )
        for grant in granted
    ] == [
        (set(service), MQ_PRINCIPAL, MQ_PRINCIPAL, None),
        (
            {"Decrypt"},
            MQ_PRINCIPAL,
            ebs_principal(DEFAULT_REGION),
            {"EncryptionContextSubset": {"aws:ebs:id": stored.nodes[0].volume.volume_id}},
        ),
    ]
    assert [grant["GrantId"] for grant in granted] == [grant.grant_id for grant in stored.grants]


# Refused, and nothing left


def test_names_versions_and_modes_that_do_not_exist_are_refused_and_nothing_is_left(
    testbed: Testbed, rabbitmq_broker: MqBroker
) -> None:
    good = testbed.request("RABBITMQ", "refused", testbed.new_key("of a request that is refused"))
    user, password = good.users[0], new_password()
    cases: list[tuple[dict[str, Any], str, str]] = [
        (
            {"broker_name": "a b"},
            "brokerName",
            "may contain only letters, numbers, dashes and underscores",
        ),
        ({"broker_name": "x" * 200}, "brokerName", BROKER_NAME.sentence),
        (
            {"users": (User("jane@example.com", password),)},
            "username",
            USERNAME["RABBITMQ"].sentence,
        ),
        ({"users": (User("x", password),)}, "username", "2-100 characters"),
        ({"users": (User("guest", password),)}, "username", "prohibits using guest"),
        ({"users": (User("jane", "too-short"),)}, "password", PASSWORD_SENTENCE),
        ({"users": (User("jane", "commas,are,not,allowed"),)}, "password", PASSWORD_SENTENCE),
        ({"users": ()}, "users", "Specify exactly one user"),
        ({"users": (user, User("second", password))}, "users", "Specify exactly one user"),
        ({"engine_type": "KAFKA"}, "engineType", "ACTIVEMQ, RABBITMQ"),
        (
            {"engine_version": "3.7"},
            "engineVersion",
            "Broker engine version [3.7] is invalid for broker engine type [RABBITMQ].",
        ),
        (
            {"deployment_mode": "ACTIVE_STANDBY_MULTI_AZ"},
            "deploymentMode",
            "ACTIVE_STANDBY_MULTI_AZ",
        ),
        ({"storage_type": "EFS"}, "hostInstanceType", "on storage type [EFS]"),
    ]
    key = good.encryption_options.kms_key_id
    before = inventory(testbed, key)
    for change, attribute, words in cases:
        with pytest.raises(BadRequestException) as error:
            testbed.brokers.create(dataclasses.replace(good, **change))
        assert (error.value.status, error.value.error_attribute) == (400, attribute), change
        assert words in error.value.message, change
        assert "jane@example.com" not in error.value.message
        assert password not in error.value.message
    with pytest.raises(ConflictException) as conflict:
        testbed.brokers.create(
            dataclasses.replace(good, broker_name=current(rabbitmq_broker).broker_name)
        )
    assert (conflict.value.status, conflict.value.error_attribute) == (409, "brokerName")
    assert inventory(testbed, key) == before


@pytest.mark.parametrize(
    ("make", "words"),
    [
        ({"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}, "symmetric encryption keys only"),
        ({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}, "symmetric encryption keys only"),
        (
            {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
            "symmetric encryption keys only",
        ),
        ("DisableKey", "its state is Disabled (DisabledException"),
        ("ScheduleKeyDeletion", "its state is PendingDeletion (KMSInvalidStateException"),
        ("unknown", "NotFoundException"),
        ("not a key", "is not a KMS key id"),
        ("", "together with UseAwsOwnedKey"),
    ],
    ids=[
        "RSA",
        "ECC",
        "HMAC",
        "disabled",
        "pending deletion",
        "unknown",
        "no key id",
        "both ways at once",
    ],
)
def test_a_key_that_does_not_fit_is_refused_and_nothing_is_left(
    testbed: Testbed, make: str | dict[str, str], words: str
) -> None:
    key = (
        testbed.new_key("does not fit", **make)
        if isinstance(make, dict)
        else testbed.new_key("does not fit")
    )
    request = testbed.request("ACTIVEMQ", "refused", key)
    if make in ("DisableKey", "ScheduleKeyDeletion"):
        testbed.kms.call(USER, make, {"KeyId": key})
        testbed.wait_out_delay()
    elif make == "unknown":
        request = dataclasses.replace(
            request, encryption_options=EncryptionOptions(False, key[:-12] + "0" * 12)
        )
    elif make == "not a key":
        request = dataclasses.replace(request, encryption_options=EncryptionOptions(False, make))
    elif not make:
        request = dataclasses.replace(request, encryption_options=EncryptionOptions(True, key))
    before = inventory(testbed, key)
    with pytest.raises(BadRequestException) as error:
        testbed.brokers.create(request)
    assert words in error.value.message
    assert error.value.error_attribute == "encryptionOptions"
    assert inventory(testbed, key) == before


def test_a_creation_that_fails_on_its_way_leaves_nothing(
    testbed: Testbed, rabbitmq_broker: MqBroker
) -> None:
    """Grants, data key and volume exist before the container; KMS's image is no broker's."""
    key = testbed.new_key("of a broker that never starts")
    [kms] = testbed.containers.find("kms")
    image = testbed.containers.inspect(kms["id"])["Config"]["Image"]
    before, configurations = inventory(testbed, key), testbed.state.all("configuration")
    with pytest.raises(ContainerFailed, match="stopped while starting") as error:
        testbed.brokers.create(testbed.request("RABBITMQ", "broken", key, image=image))
    assert "rabbitmq" in error.value.message, "the node's last words"
    testbed.wait_out_delay()
    assert inventory(testbed, key) == before
    assert testbed.state.all("configuration") == configurations, "nor the one it was to have"


def test_a_fixed_port_that_is_taken_is_refused_before_anything_is_made(testbed: Testbed) -> None:
    request = testbed.request(
        "ACTIVEMQ", "fixed", testbed.new_key("of fixed ports"), fixed_ports=True
    )
    before = inventory(testbed, request.encryption_options.kms_key_id)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((ports.LOOPBACK, 61614))
        other.listen()
        with pytest.raises(TestbedError, match="Port 61614 on 127.0.0.1 is in use"):
            testbed.brokers.create(request)
    assert inventory(testbed, request.encryption_options.kms_key_id) == before


# The other kinds of key


@pytest.mark.nightly("brokers under keys of AWS, beyond scenarios aws_managed_key and key_choice")
@pytest.mark.parametrize(
    ("engine", "options", "ownership", "grants"),
    [
        ("RABBITMQ", EncryptionOptions(), "AWS_OWNED", 0),
        ("ACTIVEMQ", EncryptionOptions(False, ""), "AWS_MANAGED", 2),
    ],
    ids=["AWS owned", "AWS managed"],
)
def test_a_broker_under_a_key_of_aws_is_created_used_and_deleted(
    testbed: Testbed, engine: str, options: EncryptionOptions, ownership: str, grants: int
) -> None:
    before = inventory(testbed)
    request: CreateBroker = dataclasses.replace(
        testbed.request(engine, "ofaws"), encryption_options=options, tags={"stage": "test"}
    )
    broker = testbed.brokers.create(request)
    try:
        assert (broker.key_ownership, len(broker.grants), broker.broker_state) == (
            ownership,
            grants,
            "RUNNING",
        )
        shown: dict[str, Any] = {"UseAwsOwnedKey": True}
        if ownership == "AWS_MANAGED":
            shown = {"UseAwsOwnedKey": False, "KmsKeyId": broker.key_arn}
        assert describe(broker)["EncryptionOptions"] == shown
        assert describe(broker)["Tags"] == {"stage": "test"}
        created = MqBroker.existing(testbed, broker.broker_id)
        sent = publish(created, "ofaws", 3)
        created.reboot()
        assert consume(created, "ofaws", len(sent)) == sent
        listed = {
            row["KeyArn"] for row in testbed.kms.call(USER, "ListKeys", {"Limit": 1000})["Keys"]
        }
        assert (broker.key_arn in listed) == (ownership == "AWS_MANAGED"), (
            "the AWS owned key is in no account's listing"
        )
        if ownership == "AWS_MANAGED":
            described = testbed.kms.call(
                USER, "DescribeKey", {"KeyId": encryption.AWS_MANAGED_ALIAS}
            )["KeyMetadata"]
            assert (described["Arn"], described["KeyManager"]) == (broker.key_arn, "AWS")
    finally:
        testbed.brokers.delete(broker.broker_id)
    testbed.wait_out_delay()
    assert {**inventory(testbed), "grants": []} == before
    with pytest.raises(NotFoundException):
        testbed.brokers.delete(broker.broker_id)


def test_deletion_retires_the_grants_and_leaves_the_key(testbed: Testbed, kms_key: Key) -> None:
    before = inventory(testbed, kms_key.arn)
    with testbed.temporary_broker(testbed.request("RABBITMQ", "deleted", kms_key.arn)) as broker:
        assert len(inventory(testbed, kms_key.arn)["grants"]) == 2
        assert testbed.containers.has_volume(broker.nodes[0].volume.volume_id)
    testbed.wait_out_delay()
    assert inventory(testbed, kms_key.arn) == before
    assert kms_key.call("DescribeKey")["KeyMetadata"]["KeyState"] == "Enabled"


# Rebooted and lost


def test_a_reboot_keeps_ports_password_and_confirmed_messages(broker: MqBroker) -> None:
    before, sent = current(broker), publish(broker, "rebooted")
    broker.reboot()
    after = current(broker)
    assert after.endpoints == before.endpoints
    assert after.users == before.users
    assert after.broker_state == "RUNNING"
    assert after.nodes[0].volume.encrypted_data_key == before.nodes[0].volume.encrypted_data_key
    assert after.nodes[0].volume.attached == before.nodes[0].volume.attached + 1
    assert after.nodes[0].container_id != before.nodes[0].container_id
    assert consume(broker, "rebooted", len(sent)) == sent


def test_a_reboot_does_not_begin_while_kms_does_not_answer(rabbitmq_broker: MqBroker) -> None:
    testbed, before = rabbitmq_broker.testbed, current(rabbitmq_broker)
    [kms] = testbed.containers.find("kms")
    testbed.containers.kill(kms["id"])
    try:
        with pytest.raises(KmsError, match="KMSInternalException"):
            rabbitmq_broker.reboot()
    finally:
        testbed.kms_container.start()
        testbed.kms_container.wait_until_ready()
    after = current(rabbitmq_broker)
    assert (after.broker_state, after.nodes) == ("RUNNING", before.nodes), "it serves as before"
