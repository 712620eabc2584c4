"""Imported key material: import, the same again, another, expiry, deletion, and rotation.

The right answers are those of the API reference (ImportKeyMaterial, DeleteImportedKeyMaterial,
ListKeyRotations) and of the developer guide ("Importing key material").
"""

import secrets
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)

from testbed.errors import KmsError
from testbed.kms import material as materials
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER
from tests.support.imports import (
    FOREVER,
    KEY_WRAP,
    OAEP,
    agreed,
    imported,
    in_seconds,
    request,
)
from tests.support.kms_authority import DAY, DELAY, VOLUME, Authority, over

pytestmark = pytest.mark.containers

MATERIAL, OTHER = secrets.token_bytes(32), secrets.token_bytes(32)


def external(aws: Authority, spec: str = "", usage: str = "") -> str:
    kind: dict[str, Any] = {"KeySpec": spec, "KeyUsage": usage} if spec else {}
    return aws.key(Origin="EXTERNAL", **kind)


def metadata(aws: Authority, key: str) -> dict[str, Any]:
    described: dict[str, Any] = aws.call(USER, "DescribeKey", KeyId=key)["KeyMetadata"]
    return described


def delete(aws: Authority, key: str, **members: Any) -> dict[str, Any]:
    return aws.call(USER, "DeleteImportedKeyMaterial", KeyId=key, **members)


def listed(aws: Authority, key: str) -> list[dict[str, Any]]:
    """Return all materials of a key without its name and the dates of rotations."""
    answer = aws.call(USER, "ListKeyRotations", KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    left_out = ("KeyId", "RotationDate", "RotationType")
    return [
        {name: value for name, value in entry.items() if name not in left_out}
        for entry in answer["Rotations"]
    ]


def refused(aws: Authority, key: str, material: bytes, **members: Any) -> str:
    return aws.code(USER, "ImportKeyMaterial", **request(aws, key, material, **members))


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


# Several materials


def test_new_material_waits_for_its_rotation(aws: Authority) -> None:
    key = external(aws)
    assert aws.code(USER, "RotateKeyOnDemand", KeyId=key) == "KMSInvalidStateException"
    first = imported(aws, key, MATERIAL)
    before = aws.encrypt(key, b"before")
    assert str(aws.refusal(USER, "RotateKeyOnDemand", KeyId=key)) == (
        f"KMSInvalidStateException: No available key material pending rotation for the key: {key}."
    )
    second = imported(aws, key, OTHER, ImportType="NEW_KEY_MATERIAL")
    assert metadata(aws, key)["CurrentKeyMaterialId"] == first
    assert [entry["KeyMaterialState"] for entry in listed(aws, key)] == [
        "CURRENT",
        "PENDING_ROTATION",
    ]
    third = secrets.token_bytes(32)
    refusal = aws.refusal(
        USER,
        "ImportKeyMaterial",
        **request(aws, key, third, ImportType="NEW_KEY_MATERIAL"),
    )
    assert refusal
    assert refusal.code == "KMSInvalidStateException"
    assert second in refusal.message
    assert imported(aws, key, OTHER) == second, "its expiry can be changed"

    aws.call(USER, "RotateKeyOnDemand", KeyId=key)
    assert metadata(aws, key)["CurrentKeyMaterialId"] == second
    after = aws.encrypt(key, b"after")
    for blob, plaintext, identity in ((before, b"before", first), (after, b"after", second)):
        opened = aws.call(USER, "Decrypt", CiphertextBlob=blob, EncryptionContext=VOLUME)
        assert (opened["Plaintext"], opened["KeyMaterialId"]) == (plaintext, identity)
    assert [(entry["KeyMaterialId"], entry["KeyMaterialState"]) for entry in listed(aws, key)] == [
        (first, "NON_CURRENT"),
        (second, "CURRENT"),
    ]
    [rotation] = aws.call(USER, "ListKeyRotations", KeyId=key)["Rotations"]
    assert (rotation["KeyMaterialId"], rotation["RotationType"]) == (second, "ON_DEMAND")


def test_a_key_needs_all_that_were_ever_current(aws: Authority) -> None:
    key = external(aws)
    first = imported(aws, key, MATERIAL)
    before = aws.encrypt(key)
    second = imported(aws, key, OTHER, ImportType="NEW_KEY_MATERIAL")
    aws.call(USER, "RotateKeyOnDemand", KeyId=key)
    after = aws.encrypt(key)
    assert delete(aws, key, KeyMaterialId=first)["KeyMaterialId"] == first
    assert [entry["ImportState"] for entry in listed(aws, key)] == ["PENDING_IMPORT", "IMPORTED"]
    assert aws.shown(key) == "PendingImport"
    assert delete(aws, key)["KeyMaterialId"] == second, "by default the current one"
    imported(aws, key, MATERIAL)
    assert aws.shown(key) == "PendingImport", "one is still missing"
    imported(aws, key, OTHER)
    assert aws.decrypt(before) == aws.decrypt(after) == b"data"


def test_material_pending_rotation_may_be_deleted_and_replaced(aws: Authority) -> None:
    key = external(aws)
    first = imported(aws, key, MATERIAL)
    second = imported(aws, key, OTHER, ImportType="NEW_KEY_MATERIAL")
    delete(aws, key, KeyMaterialId=second)
    assert aws.shown(key) == "Enabled"
    assert [entry["KeyMaterialId"] for entry in listed(aws, key)] == [first]
    valid_to = in_seconds(aws, DAY)
    imported(aws, key, secrets.token_bytes(32), ImportType="NEW_KEY_MATERIAL", ValidTo=valid_to)
    assert "ValidTo" not in metadata(aws, key), "only of what belongs to the key for good"
    aws.clock.turn(DAY + 60)
    assert aws.shown(key) == "Enabled"
    assert [entry["KeyMaterialId"] for entry in listed(aws, key)] == [first]


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


# The id of the material in answers


@pytest.mark.parametrize("origin", ["AWS_KMS", "EXTERNAL"])
def test_answers_name_the_material(aws: Authority, origin: str) -> None:
    key = aws.key(Origin=origin)
    if origin == "EXTERNAL":
        imported(aws, key, MATERIAL)
    first, old = metadata(aws, key)["CurrentKeyMaterialId"], aws.encrypt(key)
    if origin == "EXTERNAL":
        imported(aws, key, OTHER, ImportType="NEW_KEY_MATERIAL")
    aws.call(USER, "RotateKeyOnDemand", KeyId=key)
    second = metadata(aws, key)["CurrentKeyMaterialId"]
    assert first != second
    for operation, parameters, blob in (
        ("GenerateDataKey", {"KeySpec": "AES_256"}, "CiphertextBlob"),
        ("GenerateDataKeyWithoutPlaintext", {"NumberOfBytes": 64}, "CiphertextBlob"),
        ("GenerateDataKeyPair", {"KeyPairSpec": "ECC_NIST_P256"}, "PrivateKeyCiphertextBlob"),
        (
            "GenerateDataKeyPairWithoutPlaintext",
            {"KeyPairSpec": "ECC_NIST_EDWARDS25519"},
            "PrivateKeyCiphertextBlob",
        ),
    ):
        answer = aws.call(USER, operation, KeyId=key, **parameters)
        assert answer["KeyMaterialId"] == second, operation
        opened = aws.call(USER, "Decrypt", CiphertextBlob=answer[blob])
        assert opened["KeyMaterialId"] == second, operation
    assert aws.call(USER, "Decrypt", CiphertextBlob=old, EncryptionContext=VOLUME)[
        "KeyMaterialId"
    ] == (first)
    again = aws.call(
        USER,
        "ReEncrypt",
        CiphertextBlob=old,
        SourceEncryptionContext=VOLUME,
        DestinationKeyId=key,
    )
    assert (again["SourceKeyMaterialId"], again["DestinationKeyMaterialId"]) == (first, second)
    assert "KeyMaterialId" not in aws.call(USER, "Encrypt", KeyId=key, Plaintext=b"p")


def test_a_damaged_ciphertext_and_another_context(aws: Authority) -> None:
    key = external(aws)
    imported(aws, key, MATERIAL)
    blob = aws.encrypt(key)
    damaged = [blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :] for place in (36, 60)]
    for garbage in (*damaged, blob[:-1], blob[:-1] + bytes([blob[-1] ^ 1]), blob[:60]):
        assert aws.code(
            USER, "Decrypt", CiphertextBlob=garbage, EncryptionContext=VOLUME, KeyId=key
        ) == ("InvalidCiphertextException")
    assert aws.code(USER, "Decrypt", CiphertextBlob=blob) == "InvalidCiphertextException"
    assert aws.decrypt(aws.encrypt(key, b"x" * 4096)) == b"x" * 4096


def test_an_outage_of_kms_is_one_for_imported_material(aws: Authority) -> None:
    class Unanswering:
        def call(self, *_: object) -> dict[str, Any]:
            raise KmsError("gone", code="KMSInternalException", status=500)

    key = external(aws)
    imported(aws, key, MATERIAL)
    blob = aws.encrypt(key)
    cut_off = KmsAuthority(Unanswering(), aws.state, aws.clock)
    for operation, parameters in (
        ("Encrypt", {"KeyId": key, "Plaintext": b"p"}),
        ("Decrypt", {"CiphertextBlob": blob, "EncryptionContext": VOLUME}),
    ):
        with pytest.raises(KmsError, match="KMSInternalException"):
            cut_off.call(USER, operation, parameters)
        aws.call(USER, operation, **parameters)


# HMAC and asymmetric keys


@pytest.mark.parametrize(
    ("spec", "usage", "operation", "algorithm"),
    [
        ("HMAC_256", "GENERATE_VERIFY_MAC", "GenerateMac", "HMAC_SHA_256"),
        ("ECC_NIST_P256", "SIGN_VERIFY", "Sign", "ECDSA_SHA_256"),
        ("RSA_2048", "SIGN_VERIFY", "Sign", "RSASSA_PKCS1_V1_5_SHA_256"),
    ],
)
def test_other_kinds_of_keys(
    aws: Authority, spec: str, usage: str, operation: str, algorithm: str
) -> None:
    key, material = external(aws, spec, usage), materials.generate(spec)
    wrapping = OAEP if spec.startswith("HMAC") else KEY_WRAP
    member = "MacAlgorithm" if operation == "GenerateMac" else "SigningAlgorithm"
    use = {"KeyId": key, "Message": b"m", member: algorithm}
    assert aws.code(USER, operation, **use) == "KMSInvalidStateException"
    assert imported(aws, key, material, wrapping, ValidTo=in_seconds(aws, DAY)) == ""
    made = aws.call(USER, operation, **use)
    assert "CurrentKeyMaterialId" not in metadata(aws, key)

    other = materials.generate(spec)
    assert refused(aws, key, other, algorithm=wrapping) == "IncorrectKeyMaterialException"
    assert refused(aws, key, b"\x30garbage", algorithm=wrapping) == (
        "IncorrectKeyMaterialException"
    )
    assert refused(aws, key, material, algorithm=wrapping, ImportType="EXISTING_KEY_MATERIAL") == (
        "ValidationException"
    )
    if operation == "Sign":
        shown = aws.call(USER, "GetPublicKey", KeyId=key)["PublicKey"]
        private = load_der_private_key(material, None)
        assert shown == private.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
    aws.clock.turn(DAY + DELAY)
    assert aws.code(USER, operation, **use) == "KMSInvalidStateException"
    if operation == "GenerateMac":
        on_localstack = aws.container.kms.call(USER, operation, use)
        assert on_localstack["Mac"] != made["Mac"], "the material is gone there too"
    assert aws.happened[-1][0] == "DeleteExpiredKeyMaterial"
    assert refused(aws, key, other, algorithm=wrapping) == "IncorrectKeyMaterialException"
    imported(aws, key, material, wrapping)
    if operation == "GenerateMac":
        assert aws.call(USER, operation, **use)["Mac"] == made["Mac"]
    else:
        verified = aws.call(USER, "Verify", **use, Signature=made["Signature"])
        assert verified["SignatureValid"]


@pytest.mark.parametrize(
    ("spec", "usage", "algorithm", "wrapping"),
    [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "RSAES_OAEP_SHA_1", "RSA_3072"),
        ("ECC_NIST_P521", "SIGN_VERIFY", "RSAES_OAEP_SHA_256", "RSA_4096"),
        ("ECC_SECG_P256K1", "SIGN_VERIFY", "RSAES_OAEP_SHA_1", "RSA_2048"),
        ("ECC_NIST_P384", "KEY_AGREEMENT", "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048"),
        ("RSA_3072", "ENCRYPT_DECRYPT", "RSA_AES_KEY_WRAP_SHA_1", "RSA_2048"),
    ],
)
def test_wrappings_that_kms_takes(
    aws: Authority, spec: str, usage: str, algorithm: str, wrapping: str
) -> None:
    key = external(aws, spec, usage)
    parameters = agreed(aws, key, algorithm, wrapping)
    wrapped = materials.wrap(materials.generate(spec), parameters["PublicKey"], algorithm)
    request = {"KeyId": key, "ImportToken": parameters["ImportToken"], **FOREVER}
    aws.call(USER, "ImportKeyMaterial", **request, EncryptedKeyMaterial=wrapped)
    assert aws.shown(key) == "Enabled"


@pytest.mark.parametrize(
    ("spec", "usage", "algorithm", "wrapping"),
    [
        ("", "", "RSAES_PKCS1_V1_5", "RSA_2048"),
        ("", "", "SM2PKE", "SM2"),
        ("", "", "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048"),
        ("RSA_2048", "SIGN_VERIFY", "RSAES_OAEP_SHA_256", "RSA_4096"),
        ("ECC_NIST_P521", "SIGN_VERIFY", "RSAES_OAEP_SHA_1", "RSA_2048"),
    ],
)
def test_wrappings_that_kms_does_not_take(
    aws: Authority, spec: str, usage: str, algorithm: str, wrapping: str
) -> None:
    assert (
        aws.code(
            USER,
            "GetParametersForImport",
            KeyId=external(aws, spec, usage),
            WrappingAlgorithm=algorithm,
            WrappingKeySpec=wrapping,
        )
        == "UnsupportedOperationException"
    )
