"""Which material closed a ciphertext, and what a ciphertext is bound to."""

from typing import Any

import pytest

from testbed.errors import KmsError
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER
from tests.support.imports import (
    MATERIAL,
    OTHER,
    external,
    imported,
    metadata,
)
from tests.support.kms_authority import VOLUME, Authority

pytestmark = pytest.mark.containers


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
