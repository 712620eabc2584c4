"""Rotation on demand and by the clock: old ciphertexts open, and the lists have the dates."""

from datetime import UTC, datetime
from typing import Any

import pytest

from testbed.kms.base import USER
from testbed.kms.operations.rotation import ON_DEMAND_LIMIT
from tests.support.kms_authority import DAY, DELAY, SERVICE, VIA_MQ, Authority

pytestmark = pytest.mark.containers


def rotations(aws: Authority, key: str, **parameters: Any) -> list[dict[str, Any]]:
    answer = aws.call(USER, "ListKeyRotations", KeyId=key, **parameters)
    return list(answer["Rotations"])


def material(aws: Authority, key: str) -> str:
    return str(aws.call(USER, "DescribeKey", KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"])


def status(aws: Authority, key: str) -> dict[str, Any]:
    return aws.call(USER, "GetKeyRotationStatus", KeyId=key)


def test_rotated_on_demand_old_ciphertexts_open(aws: Authority) -> None:
    key = aws.key()
    first, before = material(aws, key), aws.encrypt(key, b"before")
    assert rotations(aws, key) == []
    assert aws.call(USER, "RotateKeyOnDemand", KeyId=key) == {"KeyId": key}
    [(event, arn, _, details)] = aws.happened
    assert (event, arn, details) == ("RotateKey", key, {"rotationType": "ON_DEMAND"})
    after = aws.encrypt(key, b"after")
    assert aws.decrypt(before) == b"before"
    assert aws.decrypt(after) == b"after"

    (rotation,) = rotations(aws, key)
    assert abs(rotation.pop("RotationDate").timestamp() - aws.clock.now()) < 60
    assert rotation == {
        "KeyId": key,
        "KeyMaterialId": material(aws, key),
        "RotationType": "ON_DEMAND",
        "KeyMaterialState": "CURRENT",
    }
    everything = rotations(aws, key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    assert [
        (rotation["KeyMaterialId"], rotation["KeyMaterialState"]) for rotation in everything
    ] == [
        (first, "NON_CURRENT"),
        (material(aws, key), "CURRENT"),
    ]


def test_rotated_by_the_clock_once_for_every_period(aws: Authority) -> None:
    key = aws.key()
    start, blobs = aws.clock.now(), [aws.encrypt(key, b"0")]
    aws.call(USER, "EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
    stored = aws.ledger.key(key)
    assert stored
    assert stored.rotates
    assert status(aws, key) == {
        "KeyId": key,
        "KeyRotationEnabled": True,
        "RotationPeriodInDays": 90,
        "NextRotationDate": datetime.fromtimestamp(stored.rotates, UTC),
    }
    aws.clock.turn(89 * DAY)
    assert rotations(aws, key) == []
    aws.clock.turn(DAY)
    blobs.append(aws.encrypt(key, b"1"))
    aws.clock.turn(3 * 90 * DAY)
    blobs.append(aws.encrypt(key, b"2"))
    assert [aws.decrypt(blob) for blob in blobs] == [b"0", b"1", b"2"]
    automatic = rotations(aws, key)
    assert [
        round((rotation["RotationDate"].timestamp() - start) / DAY) for rotation in automatic
    ] == [
        90,
        180,
        270,
        360,
    ]
    assert {rotation["RotationType"] for rotation in automatic} == {"AUTOMATIC"}
    assert len({rotation["KeyMaterialId"] for rotation in automatic}) == 4
    assert [operation for operation, arn, *_ in aws.happened if arn == key] == ["RotateKey"] * 4

    next_date = status(aws, key)["NextRotationDate"]
    aws.call(USER, "RotateKeyOnDemand", KeyId=key)
    assert status(aws, key)["NextRotationDate"] == next_date, (
        "a rotation on demand does not move the schedule"
    )
    aws.call(USER, "DisableKeyRotation", KeyId=key)
    aws.clock.turn(1000 * DAY)
    assert len(rotations(aws, key)) == 5
    assert status(aws, key) == {
        "KeyId": key,
        "KeyRotationEnabled": False,
    }


def test_a_disabled_key_is_not_rotated_and_makes_up_for_it_once(aws: Authority) -> None:
    key = aws.key()
    aws.call(USER, "EnableKeyRotation", KeyId=key)
    assert status(aws, key)["RotationPeriodInDays"] == 365
    aws.call(USER, "DisableKey", KeyId=key)
    aws.clock.turn(1000 * DAY)
    assert rotations(aws, key) == []
    assert status(aws, key)["KeyRotationEnabled"], "the status stays"
    aws.call(USER, "EnableKey", KeyId=key)
    (rotation,) = rotations(aws, key)
    assert abs(rotation["RotationDate"].timestamp() - aws.clock.now()) < 60
    assert abs(status(aws, key)["NextRotationDate"].timestamp() - aws.clock.now() - 365 * DAY) < 60


def test_a_key_that_waits_for_its_end_is_not_rotated_until_it_is_kept(aws: Authority) -> None:
    key = aws.key()
    aws.call(USER, "EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
    aws.clock.turn(85 * DAY)
    aws.call(USER, "ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=30)
    aws.clock.turn(20 * DAY)
    assert status(aws, key) == {"KeyId": key, "KeyRotationEnabled": False}
    assert rotations(aws, key) == []
    aws.call(USER, "CancelKeyDeletion", KeyId=key)
    assert status(aws, key)["KeyRotationEnabled"]
    aws.call(USER, "EnableKey", KeyId=key)
    assert len(rotations(aws, key)) == 1


def test_rotation_takes_no_part_in_the_delay(aws: Authority) -> None:
    key = aws.key()
    aws.call(USER, "DisableKey", KeyId=key)
    for operation in ("RotateKeyOnDemand", "EnableKeyRotation", "DisableKeyRotation"):
        assert (
            str(aws.refusal(USER, operation, KeyId=key)) == f"DisabledException: {key} is disabled."
        )


def test_limits_and_lists(aws: Authority) -> None:
    key = aws.key()
    blob = aws.encrypt(key)
    for _ in range(ON_DEMAND_LIMIT):
        aws.call(USER, "RotateKeyOnDemand", KeyId=key)
    refusal = aws.refusal(USER, "RotateKeyOnDemand", KeyId=key)
    assert refusal
    assert refusal.code == "LimitExceededException"
    assert key in refusal.message
    assert aws.decrypt(blob) == b"data"

    pages: list[int] = []
    marker: dict[str, str] = {}
    while True:
        page = aws.call(USER, "ListKeyRotations", KeyId=key, Limit=10, **marker)
        pages.append(len(page["Rotations"]))
        if not page["Truncated"]:
            break
        marker = {"Marker": page["NextMarker"]}
    assert pages == [10, 10, 5]
    assert aws.code(USER, "ListKeyRotations", KeyId=key, Marker="x") == "InvalidMarkerException"


def test_what_cannot_be_rotated(aws: Authority) -> None:
    signing, external = (
        aws.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"),
        aws.key(Origin="EXTERNAL"),
    )
    for operation in (
        "EnableKeyRotation",
        "DisableKeyRotation",
        "RotateKeyOnDemand",
        "ListKeyRotations",
    ):
        assert aws.code(USER, operation, KeyId=signing) == "UnsupportedOperationException"
    assert str(aws.refusal(USER, "EnableKeyRotation", KeyId=external)) == (
        f"UnsupportedOperationException: {external} origin is EXTERNAL which is not valid "
        "for this operation."
    )
    assert (
        aws.code(USER, "EnableKeyRotation", KeyId=aws.key(), RotationPeriodInDays=89)
        == "ValidationException"
    )
    key = aws.key()
    aws.grant(key, "mq.amazonaws.com", "Decrypt", by=VIA_MQ)
    assert aws.code(SERVICE, "RotateKeyOnDemand", KeyId=key) == "AccessDeniedException"


@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
    ],
)
def test_keys_that_the_clock_cannot_rotate_say_that_it_does_not(
    aws: Authority, spec: str, usage: str
) -> None:
    key = aws.key(KeySpec=spec, KeyUsage=usage)
    for _ in ("Enabled", "Disabled"):
        status = aws.call(USER, "GetKeyRotationStatus", KeyId=key)
        assert status == {"KeyId": key, "KeyRotationEnabled": False}
        aws.call(USER, "DisableKey", KeyId=key)


def test_a_data_key_of_before_opens_for_the_service_after(aws: Authority) -> None:
    key = aws.key()
    aws.grant(key, "mq.amazonaws.com", "Decrypt", "GenerateDataKeyWithoutPlaintext", by=VIA_MQ)
    blob = aws.call(SERVICE, "GenerateDataKeyWithoutPlaintext", KeyId=key, NumberOfBytes=64)[
        "CiphertextBlob"
    ]
    before = aws.decrypt(blob, {}, SERVICE)
    aws.call(USER, "EnableKeyRotation", KeyId=key)
    aws.clock.turn(3 * 365 * DAY + DELAY)
    assert aws.decrypt(blob, {}, SERVICE) == before
    assert len(rotations(aws, key)) == 3
