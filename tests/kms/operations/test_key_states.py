"""Disable, enable, schedule, cancel: when they take effect, and for whom."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER
from testbed.storage import volumes
from tests.support.kms_authority import (
    DAY,
    DELAY,
    GRANTEE,
    SERVICE,
    STRANGER,
    VIA_MQ,
    VOLUME,
    Authority,
    container,
    over,
)

pytestmark = pytest.mark.containers


def served(aws: Authority, key: str) -> tuple[str, bytes]:
    """Give Amazon MQ a grant on the key; return the key and a volume's encrypted data key."""
    aws.grant(
        key,
        "mq.amazonaws.com",
        "CreateGrant",
        "Decrypt",
        "GenerateDataKeyWithoutPlaintext",
        "DescribeKey",
        by=VIA_MQ,
    )
    return key, aws.call(
        SERVICE,
        "GenerateDataKeyWithoutPlaintext",
        KeyId=key,
        NumberOfBytes=64,
        EncryptionContext=VOLUME,
    )["CiphertextBlob"]


@pytest.mark.parametrize(
    ("step", "state", "sentence"),
    [
        ("DisableKey", "Disabled", "DisabledException: {} is disabled."),
        (
            "ScheduleKeyDeletion",
            "PendingDeletion",
            "KMSInvalidStateException: {} is pending deletion.",
        ),
    ],
)
def test_within_the_delay_nothing_changes_and_after_it_everything(
    aws: Authority, step: str, state: str, sentence: str
) -> None:
    key, blob = served(aws, aws.key())
    aws.call(USER, step, KeyId=key)
    assert aws.shown(key) == state, "its owner sees the requested state"
    assert aws.shown(key, SERVICE) == "Enabled", "a service sees the state in effect"
    for seconds in (0, DELAY - 60):
        aws.clock.turn(seconds)
        assert len(aws.decrypt(blob, caller=SERVICE)) == 64
        assert aws.encrypt(key)
    aws.clock.turn(60)
    assert aws.shown(key) == aws.shown(key, SERVICE) == state
    for caller, operation, parameters in (
        (SERVICE, "Decrypt", {"CiphertextBlob": blob, "EncryptionContext": VOLUME}),
        (SERVICE, "GenerateDataKeyWithoutPlaintext", {"KeyId": key, "NumberOfBytes": 64}),
        (USER, "Encrypt", {"KeyId": key, "Plaintext": b"p"}),
        (
            USER,
            "ReEncrypt",
            {
                "CiphertextBlob": blob,
                "SourceEncryptionContext": VOLUME,
                "DestinationKeyId": aws.key(),
            },
        ),
    ):
        assert str(aws.refusal(caller, operation, **parameters)) == sentence.format(key)
    assert (
        container().kms.call(USER, "DescribeKey", {"KeyId": key})["KeyMetadata"]["KeyState"]
        == "Enabled"
    ), "the ledger decides, not LocalStack"


def test_what_is_taken_back_within_the_delay_is_never_felt(aws: Authority) -> None:
    key, blob = served(aws, aws.key())
    aws.call(USER, "DisableKey", KeyId=key)
    aws.clock.turn(DELAY / 2)
    aws.call(USER, "EnableKey", KeyId=key)
    aws.clock.turn(DELAY * 3)
    assert aws.shown(key) == "Enabled"
    assert aws.decrypt(blob, caller=SERVICE)

    aws.call(USER, "ScheduleKeyDeletion", KeyId=key)
    aws.clock.turn(DELAY / 2)
    aws.call(USER, "CancelKeyDeletion", KeyId=key)
    assert aws.shown(key) == "Disabled"
    assert aws.decrypt(blob, caller=SERVICE)
    aws.call(USER, "EnableKey", KeyId=key)
    aws.clock.turn(DELAY * 3)
    assert aws.decrypt(blob, caller=SERVICE)


def test_cancelled_is_disabled_and_enabled_is_usable_at_once(aws: Authority) -> None:
    key, blob = served(aws, aws.key())
    aws.call(USER, "ScheduleKeyDeletion", KeyId=key)
    aws.clock.turn(DELAY)
    assert aws.call(USER, "CancelKeyDeletion", KeyId=key) == {"KeyId": key}
    metadata = aws.call(USER, "DescribeKey", KeyId=key)["KeyMetadata"]
    assert (metadata["KeyState"], metadata["Enabled"], "DeletionDate" in metadata) == (
        "Disabled",
        False,
        False,
    )
    assert (
        aws.code(SERVICE, "Decrypt", CiphertextBlob=blob, EncryptionContext=VOLUME)
        == "DisabledException"
    )
    aws.call(USER, "EnableKey", KeyId=key)
    assert len(aws.decrypt(blob, caller=SERVICE)) == 64


def test_cancelled_within_the_delay_and_not_enabled_it_is_unusable_when_it_would_have_been(
    aws: Authority,
) -> None:
    key, blob = served(aws, aws.key())
    aws.call(USER, "ScheduleKeyDeletion", KeyId=key)
    aws.clock.turn(DELAY - 60)
    aws.call(USER, "CancelKeyDeletion", KeyId=key)
    assert aws.decrypt(blob, caller=SERVICE)
    aws.clock.turn(60)
    assert (
        aws.code(SERVICE, "Decrypt", CiphertextBlob=blob, EncryptionContext=VOLUME)
        == "DisabledException"
    )


def test_the_answers_of_scheduling(aws: Authority) -> None:
    key = aws.key()
    expected = datetime.fromtimestamp(aws.clock.now() + 12 * DAY, UTC)
    answer = aws.call(
        USER, "ScheduleKeyDeletion", KeyId=key.rpartition("/")[2], PendingWindowInDays=12
    )
    assert abs((answer["DeletionDate"] - expected).total_seconds()) < 60
    assert {**answer, "DeletionDate": 0} == {
        "KeyId": key,
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": 12,
        "DeletionDate": 0,
    }
    metadata = aws.call(USER, "DescribeKey", KeyId=key)["KeyMetadata"]
    assert (metadata["DeletionDate"], metadata["Enabled"]) == (answer["DeletionDate"], False)
    assert aws.call(USER, "ScheduleKeyDeletion", KeyId=aws.key())["PendingWindowInDays"] == 30
    for days in (6, 31):
        assert (
            aws.code(USER, "ScheduleKeyDeletion", KeyId=aws.key(), PendingWindowInDays=days)
            == "ValidationException"
        )


def test_a_key_that_waits_for_its_material(aws: Authority) -> None:
    """TestKMS::test_import_key_symmetric, encrypt-before-import-error."""
    key = aws.key(Origin="EXTERNAL")
    assert aws.shown(key) == "PendingImport"
    pending = f"KMSInvalidStateException: {key} is pending import."
    for operation, parameters in (
        ("Encrypt", {"Plaintext": b"p"}),
        ("GenerateDataKey", {"KeySpec": "AES_256"}),
        ("DisableKey", {}),
        ("EnableKey", {}),
    ):
        assert str(aws.refusal(USER, operation, KeyId=key, **parameters)) == pending
    aws.call(USER, "ScheduleKeyDeletion", KeyId=key)
    assert aws.shown(key) == "PendingDeletion"


def test_several_processes_agree(aws: Authority, tmp_path: Path) -> None:
    """Each has a separate ``KMS`` over the same folder."""
    key, blob = served(aws, aws.key())
    other = over(container(), aws.state.folder)
    other.call(USER, "DisableKey", KeyId=key)
    assert aws.shown(key) == "Disabled"
    other.clock.turn(DELAY)
    assert (
        aws.code(SERVICE, "Decrypt", CiphertextBlob=blob, EncryptionContext=VOLUME)
        == "DisabledException"
    )
    other.call(USER, "EnableKey", KeyId=key)
    assert aws.decrypt(blob, caller=SERVICE)


def test_what_is_done_on_localstack_itself_is_seen_and_put_right(aws: Authority) -> None:
    raw = container().kms
    key, blob = served(aws, aws.key())
    raw.call(USER, "DisableKey", {"KeyId": key})
    assert aws.shown(key) == aws.shown(key, SERVICE) == "Disabled"
    assert (
        aws.code(SERVICE, "Decrypt", CiphertextBlob=blob, EncryptionContext=VOLUME)
        == "DisabledException"
    )
    aws.call(USER, "EnableKey", KeyId=key)
    assert aws.decrypt(blob, caller=SERVICE)
    raw.call(USER, "ScheduleKeyDeletion", {"KeyId": key, "PendingWindowInDays": 7})
    assert aws.shown(key) == "PendingDeletion"
    aws.call(USER, "CancelKeyDeletion", KeyId=key)
    assert aws.shown(key) == "Disabled"
    aws.call(USER, "EnableKey", KeyId=key)
    assert aws.decrypt(blob, caller=SERVICE)


def test_without_delay_it_is_felt_at_once(tmp_path: Path) -> None:
    aws = over(container(), tmp_path / "s", delay=0.0)
    key, blob = served(aws, aws.key())
    aws.call(USER, "DisableKey", KeyId=key)
    assert (
        aws.code(SERVICE, "Decrypt", CiphertextBlob=blob, EncryptionContext=VOLUME)
        == "DisabledException"
    )


@pytest.mark.parametrize("delay", [-1.0, 7 * DAY])
def test_a_delay_that_makes_no_sense(aws: Authority, delay: float) -> None:
    with pytest.raises(ValueError, match="delay"):
        KmsAuthority(aws.container.kms, aws.state, aws.clock, delay=delay)


def test_volumes_go_by_it(aws: Authority) -> None:
    """The calls of ``storage.volumes``."""
    key, _ = served(aws, aws.key())
    volume = volumes.create(aws.kms, key, volumes.new_id())
    assert len(volumes.open_data_key(aws.kms, volume) or b"") == 64
    aws.call(USER, "DisableKey", KeyId=key)
    assert volumes.open_data_key(aws.kms, volume)
    aws.clock.turn(DELAY)
    with pytest.raises(Exception, match="does not attach: DisabledException"):
        volumes.open_data_key(aws.kms, volume)


def test_only_the_owner_changes_a_state(aws: Authority) -> None:
    key = aws.key()
    aws.grant(key, GRANTEE.principal, "Decrypt", "DescribeKey")
    for operation in ("DisableKey", "EnableKey", "ScheduleKeyDeletion", "CancelKeyDeletion"):
        assert {
            aws.code(caller, operation, KeyId=key) for caller in (GRANTEE, STRANGER, SERVICE)
        } == {"AccessDeniedException"}
    assert aws.shown(key) == "Enabled"
