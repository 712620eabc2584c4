"""Imported material of HMAC and asymmetric keys, and every kind of wrapping."""

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)

from testbed.kms import material as materials
from testbed.kms.base import USER
from tests.support.imports import (
    FOREVER,
    KEY_WRAP,
    OAEP,
    agreed,
    external,
    imported,
    in_seconds,
    metadata,
    refused,
)
from tests.support.kms_authority import DAY, DELAY, Authority

pytestmark = pytest.mark.containers


@pytest.mark.parametrize(
    ("spec", "usage", "operation", "algorithm"),
    [
        ("HMAC_256", "GENERATE_VERIFY_MAC", "GenerateMac", "HMAC_SHA_256"),
        ("ECC_NIST_P256", "SIGN_VERIFY", "Sign", "ECDSA_SHA_256"),
        ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "Sign", "ED25519_SHA_512"),
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
