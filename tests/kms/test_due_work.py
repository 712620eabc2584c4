"""The end of a key's window: key and material are gone for good, on LocalStack too."""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import KmsError
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER, Caller, is_outage
from tests.support.kms_authority import DAY, DELAY, GRANTEE, VIA_MQ, VOLUME, Authority, over
from tests.support.kms_container import Container, localstack

pytestmark = pytest.mark.containers


def doomed(aws: Authority, days: int = 7) -> tuple[str, bytes]:
    """Schedule a key with alias and grant for deletion; return it and a ciphertext under it."""
    key = aws.key()
    blob = aws.encrypt(key)
    aws.call(USER, "CreateAlias", AliasName=f"alias/{key[-12:]}", TargetKeyId=key)
    aws.grant(key, "mq.amazonaws.com", "Decrypt", by=VIA_MQ)
    aws.call(USER, "ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=days)
    return key, blob


def on_localstack(running: Container, key: str) -> str:
    try:
        state: str = running.kms.call(USER, "DescribeKey", {"KeyId": key})["KeyMetadata"][
            "KeyState"
        ]
    except KmsError as error:
        return error.code
    return state


def assert_gone(aws: Authority, key: str, blob: bytes) -> None:
    assert (
        str(aws.refusal(USER, "DescribeKey", KeyId=key))
        == f"NotFoundException: Key '{key}' does not exist"
    )
    assert aws.code(USER, "DescribeKey", KeyId=f"alias/{key[-12:]}") == "NotFoundException"
    assert key not in {entry["KeyArn"] for entry in aws.call(USER, "ListKeys", Limit=1000)["Keys"]}
    assert (
        aws.code(USER, "Decrypt", CiphertextBlob=blob, EncryptionContext=VOLUME)
        == "AccessDeniedException"
    )
    assert (
        aws.code(USER, "Decrypt", CiphertextBlob=blob, KeyId=key, EncryptionContext=VOLUME)
        == "NotFoundException"
    )
    for operation, parameters in (
        ("CancelKeyDeletion", {}),
        ("EnableKey", {}),
        ("ListGrants", {}),
        ("CreateGrant", {"GranteePrincipal": GRANTEE.principal, "Operations": ["Decrypt"]}),
    ):
        assert aws.code(USER, operation, KeyId=key, **parameters) == "NotFoundException"
    assert aws.ledger.count_grants(key) == 0
    assert on_localstack(aws.container, key) == "NotFoundException"


def test_at_the_end_of_the_window_the_key_is_gone_and_not_before(aws: Authority) -> None:
    key, blob = doomed(aws)
    aws.clock.turn(7 * DAY - 60)
    assert aws.shown(key) == "PendingDeletion"
    assert on_localstack(aws.container, key) == "Enabled"
    aws.clock.turn(60)
    assert_gone(aws, key, blob)
    assert [event[:2] for event in aws.happened] == [("DeleteKey", key)]
    assert abs(aws.happened[0][2] - aws.clock.now()) < 60


def test_the_last_moment_is_not_too_late(aws: Authority) -> None:
    key, blob = doomed(aws, 30)
    aws.clock.turn(30 * DAY - 60)
    aws.call(USER, "CancelKeyDeletion", KeyId=key)
    aws.call(USER, "EnableKey", KeyId=key)
    aws.clock.turn(365 * DAY)
    assert aws.decrypt(blob) == b"data"
    assert aws.call(USER, "DescribeKey", KeyId=f"alias/{key[-12:]}")["KeyMetadata"]["Arn"] == key


def test_due_work_is_done_without_a_call(aws: Authority) -> None:
    key, _ = doomed(aws)
    aws.clock.turn(7 * DAY)
    assert on_localstack(aws.container, key) == "Enabled"
    aws.kms.run_due_work()
    assert on_localstack(aws.container, key) == "NotFoundException"


def test_any_call_of_any_process_finds_it_gone_once(aws: Authority) -> None:
    keys = [doomed(aws) for _ in range(4)]
    others = [over(aws.container, aws.state.folder) for _ in range(3)]
    aws.clock.turn(7 * DAY)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda process: process.call(USER, "ListKeys"), [aws, *others] * 2))
    for key, blob in keys:
        assert_gone(others[0], key, blob)
    deleted = [
        arn
        for process in (aws, *others)
        for operation, arn, *_ in process.happened
        if operation == "DeleteKey"
    ]
    assert sorted(deleted) == sorted(key for key, _ in keys)


def test_destroyed_is_destroyed_on_disk_and_survives_a_kill(tmp_path: Path) -> None:
    with localstack() as running:
        running.start()
        aws = over(running, tmp_path / "s")
        (key, blob), kept = doomed(aws), aws.key()
        kept_blob = aws.encrypt(kept)
        assert key.rpartition("/")[2].encode() in snapshot(running), "control: it is on the disk"
        aws.clock.turn(7 * DAY)
        aws.kms.run_due_work()
        running.kill()
        running.start()
        assert_gone(aws, key, blob)
        assert key.rpartition("/")[2].encode() not in snapshot(running)
        assert aws.decrypt(kept_blob) == b"data"
        assert aws.key() != key


def snapshot(running: Container) -> bytes:
    archive = b"".join(running.container.get_archive("/var/lib/testbed-kms/kms.snapshot")[0])
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        file = members.extractfile("kms.snapshot")
        assert file
        content = file.read()
    assert hashlib.sha256(content[32:]).digest() == content[:32]
    return content


class Cut:
    """KMS that goes away at the ``n``-th call, before or after carrying it out."""

    def __init__(self, running: Container, n: int, after: bool) -> None:
        self.running, self.left, self.after = running, n, after

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.left -= 1
        if self.left == 0:
            if self.after:
                self.running.kms.call(caller, operation, parameters)
            raise KmsError("gone", code="KMSInternalException", status=500)
        return self.running.kms.call(caller, operation, parameters)


@pytest.mark.parametrize("after", [False, True])
def test_an_outage_at_the_end_puts_it_off_and_loses_nothing(aws: Authority, after: bool) -> None:
    key, blob = doomed(aws)
    rotating = aws.key()
    rotating_blob = aws.encrypt(rotating)
    aws.call(USER, "EnableKeyRotation", KeyId=rotating, RotationPeriodInDays=90)
    aws.clock.turn(90 * DAY)
    cut = KmsAuthority(Cut(aws.container, 1, after), aws.state, aws.clock, delay=DELAY)
    with pytest.raises(KmsError) as outage:
        cut.call(USER, "ListAliases", {})
    assert is_outage(outage.value)
    cut = KmsAuthority(Cut(aws.container, 2, after), aws.state, aws.clock, delay=DELAY)
    with pytest.raises(KmsError):
        cut.run_due_work()
    assert_gone(aws, key, blob)
    assert aws.decrypt(rotating_blob) == b"data"
    assert len(aws.call(USER, "ListKeyRotations", KeyId=rotating)["Rotations"]) == 1


def test_what_ended_is_cleared_away(aws: Authority) -> None:
    key = aws.key()
    grant = aws.grant(key, GRANTEE.principal, "Decrypt")
    aws.call(USER, "RevokeGrant", KeyId=key, GrantId=grant)
    aws.kms.run_due_work()
    assert aws.ledger.grant(grant)
    aws.clock.turn(DELAY)
    aws.kms.run_due_work()
    assert aws.ledger.grant(grant) is None
