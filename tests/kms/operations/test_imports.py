"""Imported key material: import, the same again, another, expiry, deletion, and rotation.

The right answers are those of the API reference (ImportKeyMaterial, DeleteImportedKeyMaterial,
ListKeyRotations) and of the developer guide ("Importing key material").
"""

import secrets
from typing import Any

import pytest

from testbed.kms.base import USER
from tests.support.imports import (
    FOREVER,
    MATERIAL,
    OTHER,
    agreed,
    delete,
    external,
    imported,
    in_seconds,
    listed,
    metadata,
    refused,
    request,
)
from tests.support.kms_authority import DAY, VOLUME, Authority, over

pytestmark = pytest.mark.containers

# The same material


def test_the_first_import_enables_the_key(aws: Authority) -> None:
    key = external(aws)
    assert metadata(aws, key)["KeyState"] == "PendingImport"
    assert {"CurrentKeyMaterialId", "ExpirationModel", "ValidTo"}.isdisjoint(metadata(aws, key))
    identity = imported(aws, key, MATERIAL)
    shown = metadata(aws, key)
    assert (shown["KeyState"], shown["Enabled"]) == ("Enabled", True)
    assert (shown["CurrentKeyMaterialId"], shown["ExpirationModel"]) == (
        identity,
        FOREVER["ExpirationModel"],
    )
    assert "ValidTo" not in shown
    assert aws.decrypt(aws.encrypt(key)) == b"data"


def test_deleted_and_imported_again_it_opens_what_it_closed(aws: Authority) -> None:
    key = external(aws)
    identity = imported(aws, key, MATERIAL)
    blob = aws.encrypt(key)
    assert delete(aws, key) == {"KeyId": key, "KeyMaterialId": identity}
    assert metadata(aws, key)["KeyState"] == "PendingImport"
    pending = f"KMSInvalidStateException: {key} is pending import."
    requests: dict[str, dict[str, Any]] = {
        "Encrypt": {"Plaintext": b"p"},
        "Decrypt": {"CiphertextBlob": blob, "EncryptionContext": VOLUME},
        "CreateGrant": {"GranteePrincipal": USER.principal, "Operations": ["Decrypt"]},
        "DisableKey": {},
    }
    for operation, parameters in requests.items():
        assert str(aws.refusal(USER, operation, KeyId=key, **parameters)) == pending
    assert delete(aws, key) == {"KeyId": key, "KeyMaterialId": identity}, "no effect"

    assert imported(aws, key, MATERIAL) == identity
    assert metadata(aws, key)["KeyState"] == "Enabled"
    assert aws.decrypt(blob) == b"data"


def test_imported_a_third_time_it_only_changes_expiry(aws: Authority) -> None:
    key = external(aws)
    identity = imported(aws, key, MATERIAL, KeyMaterialDescription="of the HSM")
    blob = aws.encrypt(key)
    valid_to = in_seconds(aws, DAY)
    imports: list[dict[str, Any]] = [
        {"ValidTo": valid_to},
        {},
        {"ValidTo": valid_to, "KeyMaterialId": identity},
    ]
    for members in imports:
        assert imported(aws, key, MATERIAL, **members) == identity
        assert metadata(aws, key).get("ValidTo") == members.get("ValidTo")
        assert aws.decrypt(blob) == b"data"
    assert listed(aws, key) == [
        {
            "KeyMaterialId": identity,
            "KeyMaterialDescription": "of the HSM",
            "KeyMaterialState": "CURRENT",
            "ImportState": "IMPORTED",
            "ExpirationModel": "KEY_MATERIAL_EXPIRES",
            "ValidTo": valid_to,
        }
    ]


def test_the_same_material_has_another_id_in_another_key(aws: Authority) -> None:
    assert imported(aws, external(aws), MATERIAL) != imported(aws, external(aws), MATERIAL)


# Other material, tokens and wrappings


@pytest.mark.parametrize("members", [{}, {"ImportType": "EXISTING_KEY_MATERIAL"}])
@pytest.mark.parametrize("deleted", [False, True])
def test_other_material_is_refused(aws: Authority, deleted: bool, members: dict[str, str]) -> None:
    key = external(aws)
    imported(aws, key, MATERIAL)
    blob = aws.encrypt(key)
    if deleted:
        delete(aws, key)
    assert refused(aws, key, OTHER, **members) == "IncorrectKeyMaterialException"
    assert metadata(aws, key)["KeyState"] == ("PendingImport" if deleted else "Enabled")
    imported(aws, key, MATERIAL, **members)
    assert aws.decrypt(blob) == b"data"


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_material_of_another_length_is_refused(aws: Authority, length: int) -> None:
    key = external(aws)
    assert refused(aws, key, b"\0" * length) == "IncorrectKeyMaterialException"
    assert metadata(aws, key)["KeyState"] == "PendingImport"


def test_garbage_is_told_apart(aws: Authority) -> None:
    key, other = external(aws), external(aws)
    sound, foreign = request(aws, key, MATERIAL), request(aws, other, MATERIAL)
    wrapped_for_another = foreign["EncryptedKeyMaterial"]
    for changed, code in (
        ({"EncryptedKeyMaterial": b"garbage"}, "InvalidCiphertextException"),
        ({"EncryptedKeyMaterial": secrets.token_bytes(256)}, "InvalidCiphertextException"),
        ({"EncryptedKeyMaterial": wrapped_for_another}, "InvalidCiphertextException"),
        ({"ImportToken": foreign["ImportToken"]}, "InvalidImportTokenException"),
        ({"ImportToken": b"x"}, "InvalidImportTokenException"),
        ({"ImportToken": sound["ImportToken"][:-1] + b"?"}, "InvalidImportTokenException"),
    ):
        assert aws.code(USER, "ImportKeyMaterial", **{**sound, **changed}) == code, changed
    aws.call(USER, "ImportKeyMaterial", **sound)


def test_a_token_is_valid_for_a_day(aws: Authority) -> None:
    key = external(aws)
    parameters = agreed(aws, key)
    assert abs((parameters["ParametersValidTo"] - in_seconds(aws, DAY)).total_seconds()) < 60
    sound = request(aws, key, MATERIAL)
    aws.clock.turn(DAY - 60)
    aws.call(USER, "ImportKeyMaterial", **sound)
    aws.clock.turn(120)
    assert aws.code(USER, "ImportKeyMaterial", **sound) == "ExpiredImportTokenException"


def test_a_token_serves_another_process(aws: Authority) -> None:
    key = external(aws)
    sound = request(aws, key, MATERIAL)
    other = over(aws.container, aws.state.folder)
    other.call(USER, "ImportKeyMaterial", **sound)
    assert aws.decrypt(other.encrypt(key)) == b"data"


# Expiry


@pytest.mark.parametrize(
    ("seconds", "model"),
    [
        (-1, "KEY_MATERIAL_EXPIRES"),
        (366 * DAY, "KEY_MATERIAL_EXPIRES"),
        (DAY, "KEY_MATERIAL_DOES_NOT_EXPIRE"),
        (None, "KEY_MATERIAL_EXPIRES"),
        (None, None),
    ],
)
def test_expiry_out_of_range(aws: Authority, seconds: float | None, model: str | None) -> None:
    key = external(aws)
    sound = request(aws, key, MATERIAL)
    del sound["ExpirationModel"]
    if seconds is not None:
        sound["ValidTo"] = in_seconds(aws, seconds)
    if model is not None:
        sound["ExpirationModel"] = model
    assert aws.code(USER, "ImportKeyMaterial", **sound) == "ValidationException"
    assert metadata(aws, key)["KeyState"] == "PendingImport"


def test_expired_material_is_gone_until_it_is_imported_again(aws: Authority) -> None:
    key, valid_to = external(aws), in_seconds(aws, 365 * DAY - 60)
    identity = imported(aws, key, MATERIAL, ValidTo=valid_to)
    assert metadata(aws, key)["ValidTo"] == valid_to
    assert metadata(aws, key)["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"
    blob = aws.encrypt(key)
    aws.clock.turn(365 * DAY - 600)
    assert aws.decrypt(blob) == b"data"
    assert aws.happened == []
    aws.clock.turn(600)
    assert (
        str(aws.refusal(USER, "Decrypt", CiphertextBlob=blob, EncryptionContext=VOLUME))
        == f"KMSInvalidStateException: {key} is pending import."
    )
    [(event, arn, at, details)] = aws.happened
    assert (event, arn, details) == (
        "DeleteExpiredKeyMaterial",
        key,
        {"keyMaterialId": identity},
    )
    assert abs(at - valid_to.timestamp()) < 1
    shown = metadata(aws, key)
    assert shown["KeyState"] == "PendingImport"
    assert {"ExpirationModel", "ValidTo"}.isdisjoint(shown)
    [entry] = listed(aws, key)
    assert entry["ImportState"] == "PENDING_IMPORT"
    imported(aws, key, MATERIAL)
    assert aws.decrypt(blob) == b"data"


@pytest.mark.parametrize("how", ["deleted", "expired", "destroyed"])
def test_deleted_material_is_in_no_file(aws: Authority, how: str) -> None:
    def is_kept() -> bool:
        files = [path.read_bytes() for path in aws.state.folder.iterdir() if path.is_file()]
        return any(material in content for content in files)

    key, material = external(aws), secrets.token_bytes(32)
    imported(aws, key, material, ValidTo=in_seconds(aws, 30 * DAY))
    assert is_kept(), "control"
    if how == "deleted":
        delete(aws, key)
    elif how == "destroyed":
        aws.call(USER, "ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    aws.clock.turn(0 if how == "deleted" else 31 * DAY)
    aws.kms.run_due_work()
    assert not is_kept()


# Other states


def test_a_disabled_key_is_enabled_by_its_missing_material(aws: Authority) -> None:
    key = external(aws)
    imported(aws, key, MATERIAL)
    blob = aws.encrypt(key)
    aws.call(USER, "DisableKey", KeyId=key)
    imported(aws, key, MATERIAL)
    assert aws.shown(key) == "Disabled", "nothing was missing"
    delete(aws, key)
    assert aws.shown(key) == "PendingImport"
    assert aws.code(USER, "Decrypt", CiphertextBlob=blob, EncryptionContext=VOLUME) == (
        "KMSInvalidStateException"
    ), "at once, though the delay of DisableKey is not over"
    imported(aws, key, MATERIAL)
    assert aws.shown(key) == "Enabled"


def test_deleting_material_of_a_key_pending_deletion(aws: Authority) -> None:
    key = external(aws)
    imported(aws, key, MATERIAL)
    sound = request(aws, key, MATERIAL)
    aws.call(USER, "ScheduleKeyDeletion", KeyId=key)
    delete(aws, key)
    assert aws.shown(key) == "PendingDeletion"
    assert (
        aws.code(USER, "ImportKeyMaterial", **sound)
        == aws.code(USER, "Encrypt", KeyId=key, Plaintext=b"p")
        == "KMSInvalidStateException"
    )
    aws.call(USER, "CancelKeyDeletion", KeyId=key)
    assert aws.shown(key) == "PendingImport"
    imported(aws, key, MATERIAL)
    assert aws.shown(key) == "Enabled"


def test_import_types(aws: Authority) -> None:
    key = external(aws)
    existing, new = ({"ImportType": f"{kind}_KEY_MATERIAL"} for kind in ("EXISTING", "NEW"))
    assert refused(aws, key, MATERIAL, **existing) == "IncorrectKeyMaterialException"
    first = imported(aws, key, MATERIAL, **new)
    assert refused(aws, key, MATERIAL, **new) == "IncorrectKeyMaterialException"
    assert refused(aws, key, OTHER, **new, KeyMaterialId=first) == "ValidationException"
    second = imported(aws, key, OTHER, **new)
    assert refused(aws, key, MATERIAL, KeyMaterialId=second) == "IncorrectKeyMaterialException"
    assert aws.code(USER, "DeleteImportedKeyMaterial", KeyId=key, KeyMaterialId="0" * 64) == (
        "NotFoundException"
    )
