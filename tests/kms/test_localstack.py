"""LocalStack's KMS in its image: what it answers, and that it remembers."""

import hashlib
import io
import tarfile
import threading
from dataclasses import replace

import boto3
import localstack_client.session
import pytest

from testbed.documented.regions import DEFAULT_REGION
from testbed.errors import KmsError
from testbed.kms.base import MQ, SERVICE_ACCOUNT, USER, Caller, is_outage
from testbed.kms.due_work import DESTROY
from testbed.kms.localstack import LocalStackKms
from testbed.kms.naming import key_arn
from tests.support.kms_container import Container, localstack

pytestmark = pytest.mark.containers

VOLUME = {"aws:ebs:id": "vol-0123456789abcdef0"}
SNAPSHOT = "/var/lib/testbed-kms/kms.snapshot"
WITHOUT_SCRIPT = {"tmpfs": {"/etc/localstack/init/start.d": ""}}


def new_key(kms: LocalStackKms, **parameters: object) -> str:
    key_id: str = kms.call(USER, "CreateKey", parameters)["KeyMetadata"]["KeyId"]
    return key_id


def encrypt(kms: LocalStackKms, key: str, plaintext: bytes = b"data key") -> bytes:
    blob: bytes = kms.call(
        USER, "Encrypt", {"KeyId": key, "Plaintext": plaintext, "EncryptionContext": VOLUME}
    )["CiphertextBlob"]
    return blob


def decrypt(kms: LocalStackKms, blob: bytes) -> bytes:
    plaintext: bytes = kms.call(
        USER, "Decrypt", {"CiphertextBlob": blob, "EncryptionContext": VOLUME}
    )["Plaintext"]
    return plaintext


def state(kms: LocalStackKms, key: str) -> str:
    key_state: str = kms.call(USER, "DescribeKey", {"KeyId": key})["KeyMetadata"]["KeyState"]
    return key_state


def key_ids(kms: LocalStackKms, caller: Caller = USER) -> set[str]:
    return {key["KeyId"] for key in kms.call(caller, "ListKeys", {"Limit": 1000})["Keys"]}


# What it answers


def test_keys_made_with_boto3_and_localstack_client_are_the_users(running: Container) -> None:
    session = {
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
        "region_name": DEFAULT_REGION,
    }
    plain = boto3.client("kms", endpoint_url=running.endpoint, **session)
    local = localstack_client.session.Session(
        localstack_host=running.endpoint.removeprefix("http://"), **session
    ).client("kms")

    keys = {client.create_key()["KeyMetadata"]["KeyId"] for client in (plain, local)}

    assert keys <= key_ids(running.kms)
    assert not keys & key_ids(running.kms, MQ), "and are not the service's"


def test_another_encryption_context_is_refused(running: Container) -> None:
    blob = encrypt(running.kms, new_key(running.kms))
    assert decrypt(running.kms, blob) == b"data key"

    for context in ({}, {"aws:ebs:id": "vol-other"}, {**VOLUME, "more": "x"}):
        with pytest.raises(KmsError) as refusal:
            running.kms.call(
                USER, "Decrypt", {"CiphertextBlob": blob, "EncryptionContext": context}
            )
        assert refusal.value.code == "InvalidCiphertextException"


def test_a_refusal_carries_kms_code_and_sentence(running: Container) -> None:
    key = new_key(running.kms)
    running.kms.call(USER, "DisableKey", {"KeyId": key})

    with pytest.raises(
        KmsError,
        match=rf"^DisabledException: {key_arn(DEFAULT_REGION, USER.account, key)} is disabled\.$",
    ) as refusal:
        encrypt(running.kms, key)

    assert refusal.value.status == 400
    assert not is_outage(refusal.value)


def test_bad_parameters_are_a_kms_error_too(running: Container) -> None:
    with pytest.raises(KmsError, match="Bogus") as refusal:
        running.kms.call(USER, "CreateKey", {"Bogus": 1})
    assert refusal.value.code == "ValidationException"


def test_no_answer_is_an_outage_with_a_hint() -> None:
    with pytest.raises(KmsError, match="does not answer at http://127.0.0.1:9") as outage:
        LocalStackKms("http://127.0.0.1:9").call(USER, "ListKeys", {})
    assert is_outage(outage.value)
    assert "testbed up" in outage.value.hint


def test_the_users_own_aws_settings_do_not_matter(
    running: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_PROFILE": "nowhere",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert (
        f":{DEFAULT_REGION}:"
        in LocalStackKms(running.endpoint).call(USER, "CreateKey", {})["KeyMetadata"]["Arn"]
    )


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1"])
def test_a_key_is_where_it_was_created(running: Container, region: str) -> None:
    caller = replace(USER, region=region)
    key = running.kms.call(caller, "CreateKey", {})["KeyMetadata"]
    assert f":kms:{region}:" in key["Arn"]
    elsewhere = replace(USER, region="eu-west-1")
    with pytest.raises(KmsError, match="NotFoundException"):
        running.kms.call(elsewhere, "DescribeKey", {"KeyId": key["KeyId"]})


def test_the_process_is_unprivileged_and_the_image_holds_no_build_input(running: Container) -> None:
    assert running.run("id -u") != "0"
    assert running.run("ls /tmp/ca.crt /tmp/requirements.txt 2>&1 | grep -c 'No such file'") == "2"
    assert running.run("find / -xdev -name 'server.test.pem*' 2>/dev/null || true") == "", (
        "LocalStack's TLS key is not made"
    )


# That it remembers


def assert_remembered(container: Container) -> None:
    """Create one of everything, kill, start, and check that it is all there."""
    kms = container.kms
    used, disabled, doomed, rotated = (
        new_key(kms, Description=name) for name in ("used", "disabled", "doomed", "rotated")
    )
    kms.call(
        USER, "TagResource", {"KeyId": used, "Tags": [{"TagKey": "team", "TagValue": "queues"}]}
    )
    kms.call(USER, "CreateAlias", {"AliasName": "alias/orders", "TargetKeyId": used})
    grant = {
        "KeyId": used,
        "GranteePrincipal": "mq.amazonaws.com",
        "Operations": ["Decrypt"],
        "Name": "mq_grant",
    }
    grant_id = kms.call(USER, "CreateGrant", grant)["GrantId"]
    policy = '{"Version":"2012-10-17","Statement":[]}'
    kms.call(USER, "PutKeyPolicy", {"KeyId": used, "PolicyName": "default", "Policy": policy})
    old = encrypt(kms, rotated, b"before the rotation")
    kms.call(USER, "RotateKeyOnDemand", {"KeyId": rotated})
    new = encrypt(kms, rotated, b"after the rotation")
    blob = encrypt(kms, "alias/orders")
    owned = kms.call(MQ, "CreateKey", {})["KeyMetadata"]["KeyId"]
    deletion = kms.call(USER, "ScheduleKeyDeletion", {"KeyId": doomed, "PendingWindowInDays": 7})[
        "DeletionDate"
    ]
    kms.call(USER, "DisableKey", {"KeyId": disabled})

    container.kill()
    container.start()

    assert decrypt(kms, blob) == b"data key"
    assert decrypt(kms, old) == b"before the rotation"
    assert decrypt(kms, new) == b"after the rotation"
    assert [state(kms, key) for key in (used, disabled, doomed, rotated)] == [
        "Enabled",
        "Disabled",
        "PendingDeletion",
        "Enabled",
    ]
    assert (
        kms.call(USER, "DescribeKey", {"KeyId": doomed})["KeyMetadata"]["DeletionDate"] == deletion
    )
    assert [
        alias["TargetKeyId"] for alias in kms.call(USER, "ListAliases", {"KeyId": used})["Aliases"]
    ] == [used]
    assert [g["GrantId"] for g in kms.call(USER, "ListGrants", {"KeyId": used})["Grants"]] == [
        grant_id
    ]
    assert kms.call(USER, "CreateGrant", grant)["GrantId"] == grant_id
    assert kms.call(USER, "ListResourceTags", {"KeyId": used})["Tags"] == [
        {"TagKey": "team", "TagValue": "queues"}
    ]
    assert (
        kms.call(USER, "GetKeyPolicy", {"KeyId": used, "PolicyName": "default"})["Policy"] == policy
    )
    assert owned in key_ids(kms, MQ)
    assert owned not in key_ids(kms)
    kms.call(USER, "EnableKey", {"KeyId": disabled})
    assert state(kms, disabled) == "Enabled"


def test_everything_acknowledged_survives_a_kill(running: Container) -> None:
    assert_remembered(running)


def test_control_without_the_script_everything_is_lost() -> None:
    with localstack(**WITHOUT_SCRIPT) as forgetful:
        forgetful.start()
        with pytest.raises(KmsError) as lost:
            assert_remembered(forgetful)
        assert lost.value.code == "NotFoundException"
        assert key_ids(forgetful.kms) == set()


def test_a_kill_under_concurrent_changes_loses_nothing_acknowledged(running: Container) -> None:
    acknowledged: list[bytes] = []
    enough = threading.Event()

    def create_until_the_kill() -> None:
        try:
            while True:
                acknowledged.append(encrypt(running.kms, new_key(running.kms)))
                if len(acknowledged) > 40:
                    enough.set()
        except KmsError as error:
            assert is_outage(error), error  # noqa: PT017 (in a thread)

    threads = [threading.Thread(target=create_until_the_kill) for _ in range(6)]
    for thread in threads:
        thread.start()
    assert enough.wait(30)
    running.kill()
    for thread in threads:
        thread.join(30)
    running.start()

    assert {decrypt(running.kms, blob) for blob in acknowledged} == {b"data key"}


def test_a_key_is_dropped_with_all_that_is_its_own_and_for_good(running: Container) -> None:
    kms = running.kms
    doomed, kept = new_key(kms), new_key(kms)
    lost, blob = encrypt(kms, doomed), encrypt(kms, kept)
    for key in (doomed, kept):
        kms.call(USER, "CreateAlias", {"AliasName": f"alias/of-{key}", "TargetKeyId": key})
        kms.call(
            USER,
            "CreateGrant",
            {"KeyId": key, "GranteePrincipal": "mq.amazonaws.com", "Operations": ["Decrypt"]},
        )
        kms.call(
            USER, "TagResource", {"KeyId": key, "Tags": [{"TagKey": "team", "TagValue": "queues"}]}
        )
    drop = {"KeyId": doomed, "Tags": [{"TagKey": DESTROY, "TagValue": doomed}]}
    for _ in range(2):  # a second time it is gone already
        kms.call(USER, "TagResource", drop)
    running.kill()
    running.start()

    for operation, parameters in (
        ("DescribeKey", {"KeyId": doomed}),
        ("DescribeKey", {"KeyId": f"alias/of-{doomed}"}),
        ("Decrypt", {"CiphertextBlob": lost}),
    ):
        with pytest.raises(KmsError, match="NotFoundException"):
            kms.call(USER, operation, parameters)
    assert decrypt(kms, blob) == b"data key"
    assert state(kms, f"alias/of-{kept}") == "Enabled"
    assert (
        len(kms.call(USER, "ListGrants", {"KeyId": kept})["Grants"])
        == len(kms.call(USER, "ListResourceTags", {"KeyId": kept})["Tags"])
        == 1
    )


def test_new_material_reaches_related_multi_region_keys_and_survives(running: Container) -> None:
    kms, west = running.kms, replace(USER, region="us-west-2")
    key = new_key(kms, MultiRegion=True)
    kms.call(USER, "ReplicateKey", {"KeyId": key, "ReplicaRegion": west.region})
    old = encrypt(kms, key)
    kms.call(USER, "RotateKeyOnDemand", {"KeyId": key})
    new = encrypt(kms, key)
    running.kill()
    running.start()
    for blob in (old, new):
        request = {"CiphertextBlob": blob, "EncryptionContext": VOLUME}
        assert kms.call(west, "Decrypt", request)["Plaintext"] == b"data key"


def test_how_often_a_key_is_rotated_is_not_decided_here(running: Container) -> None:
    key = new_key(running.kms)
    blob = encrypt(running.kms, key)
    for _ in range(12):  # LocalStack's own limit is 10
        running.kms.call(USER, "RotateKeyOnDemand", {"KeyId": key})
    assert decrypt(running.kms, blob) == b"data key"


def test_an_aws_managed_key_made_by_using_it_survives(running: Container) -> None:
    blob = encrypt(running.kms, "alias/aws/ebs")  # LocalStack makes the key on the first mention
    running.kill()
    running.start()
    assert decrypt(running.kms, blob) == b"data key"


def test_only_changes_are_written_and_only_the_owner_may_read_them(running: Container) -> None:
    key = new_key(running.kms)

    def written() -> str:
        return running.run(f"stat -c '%i %y' {SNAPSHOT}")  # each write is a new file

    before = written()
    blob = encrypt(running.kms, key)
    decrypt(running.kms, blob)
    running.kms.call(USER, "GenerateDataKeyWithoutPlaintext", {"KeyId": key, "KeySpec": "AES_256"})
    running.kms.call(USER, "DescribeKey", {"KeyId": key})
    assert written() == before

    running.kms.call(USER, "DisableKey", {"KeyId": key})
    assert written() != before
    assert running.run(f"stat -c %a {SNAPSHOT} /var/lib/testbed-kms").split() == ["600", "700"]


def test_what_cannot_be_written_is_not_acknowledged(running: Container) -> None:
    directory = SNAPSHOT.rsplit("/", 1)[0]
    key = new_key(running.kms)
    running.run(f"chmod 500 {directory}")
    try:
        with pytest.raises(KmsError) as failure:
            running.kms.call(USER, "DisableKey", {"KeyId": key})
        assert failure.value.status == 500
    finally:
        running.run(f"chmod 700 {directory}")
    running.kms.call(USER, "EnableKey", {"KeyId": key})


@pytest.mark.parametrize(
    "damage",
    ["printf x | dd of={0} bs=1 seek=200 conv=notrunc", "truncate -s 100 {0}", "truncate -s 0 {0}"],
)
def test_a_broken_snapshot_is_refused_and_left_alone(damage: str) -> None:
    with localstack() as container:
        container.start()
        new_key(container.kms)
        container.run(damage.format(SNAPSHOT))
        damaged = container.run(f"sha256sum {SNAPSHOT}")
        container.kill()

        container.container.start()
        assert container.container.wait(timeout=30)["StatusCode"] == 78
        assert (
            f"REFUSING TO START: {SNAPSHOT} cannot be used" in container.container.logs().decode()
        )

        archive = b"".join(container.container.get_archive(SNAPSHOT)[0])
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            file = members.extractfile("kms.snapshot")
            assert file
            assert hashlib.sha256(file.read()).hexdigest() == damaged.split()[0]


def test_a_half_written_draft_is_harmless() -> None:
    with localstack() as container:
        container.start()
        blob = encrypt(container.kms, new_key(container.kms))
        container.run("printf half > /var/lib/testbed-kms/kms.draft")
        container.kill()
        container.start()
        assert decrypt(container.kms, blob) == b"data key"


def test_the_callers_account_is_where_the_key_goes(running: Container) -> None:
    arn = running.kms.call(MQ, "CreateKey", {})["KeyMetadata"]["Arn"]
    assert f":{SERVICE_ACCOUNT}:" in arn


@pytest.mark.containers
def test_an_operation_that_localstack_has_not_is_refused_and_no_outage(running: Container) -> None:
    with pytest.raises(KmsError, match="DescribeCustomKeyStores is not supported here") as refused:
        running.kms.call(USER, "DescribeCustomKeyStores", {})
    assert refused.value.code == "UnsupportedOperationException"
    assert not is_outage(refused.value)
