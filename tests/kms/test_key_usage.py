"""Each algorithm on each key spec: only what AWS's documentation pairs is accepted."""

from typing import Any

import pytest

from testbed import api_models
from testbed.documented.key_specs import SPECS
from testbed.errors import KmsError
from testbed.kms import key_usage
from testbed.kms.key import Key

ARN = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OPERATIONS = {
    "ENCRYPT_DECRYPT": ("Encrypt", "EncryptionAlgorithm"),
    "SIGN_VERIFY": ("Sign", "SigningAlgorithm"),
    "GENERATE_VERIFY_MAC": ("GenerateMac", "MacAlgorithm"),
    "KEY_AGREEMENT": ("DeriveSharedSecret", "KeyAgreementAlgorithm"),
}
# "Key spec reference": the algorithms of each spec. R stands for all of RSA's.
RSA_SIGNING = [
    f"RSASSA_{kind}_SHA_{bits}" for kind in ("PSS", "PKCS1_V1_5") for bits in (256, 384, 512)
]
PAIRS = {
    "SYMMETRIC_DEFAULT": ["SYMMETRIC_DEFAULT"],
    "RSA_2048": ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", *RSA_SIGNING],
    "RSA_3072": ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", *RSA_SIGNING],
    "RSA_4096": ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", *RSA_SIGNING],
    "ECC_NIST_P256": ["ECDSA_SHA_256", "ECDH"],
    "ECC_NIST_P384": ["ECDSA_SHA_384", "ECDH"],
    "ECC_NIST_P521": ["ECDSA_SHA_512", "ECDH"],
    "ECC_SECG_P256K1": ["ECDSA_SHA_256"],
    "ECC_NIST_EDWARDS25519": ["ED25519_SHA_512", "ED25519_PH_SHA_512"],
    "HMAC_224": ["HMAC_SHA_224"],
    "HMAC_256": ["HMAC_SHA_256"],
    "HMAC_384": ["HMAC_SHA_384"],
    "HMAC_512": ["HMAC_SHA_512"],
}


def outcome(key: Key, usage: str, operation: str, algorithm: str) -> str:
    try:
        key_usage.check(key, usage, operation, algorithm)
    except KmsError as refusal:
        return str(refusal)
    return ""


@pytest.mark.parametrize("spec", SPECS)
def test_each_algorithm_on_each_spec(spec: str) -> None:
    for usage in SPECS[spec]:
        operation, member = OPERATIONS[usage]
        shape = api_models.operations("kms")[operation].input_shape
        for algorithm in shape.members[member].metadata["enum"]:
            incompatible = f"Algorithm {algorithm} is incompatible with key spec {spec}."
            assert outcome(Key(ARN, "", spec, usage), usage, operation, algorithm) == (
                "" if algorithm in PAIRS[spec] else f"InvalidKeyUsageException: {incompatible}"
            )


def test_a_key_of_another_usage() -> None:
    """Recorded from AWS: LocalStack's TestKMS::test_error_messaging_for_invalid_keys."""
    key = Key(ARN, "", "RSA_2048", "ENCRYPT_DECRYPT")
    assert outcome(key, "SIGN_VERIFY", "Sign", "RSASSA_PSS_SHA_256") == (
        f"InvalidKeyUsageException: {ARN} key usage is ENCRYPT_DECRYPT which is not valid for Sign."
    )


@pytest.mark.parametrize(
    ("algorithm", "kind", "length", "sentence"),
    [
        ("ECDSA_SHA_256", "RAW", 5, ""),
        ("ECDSA_SHA_256", "DIGEST", 32, ""),
        ("ECDSA_SHA_256", "DIGEST", 31, "Digest is invalid length for algorithm ECDSA_SHA_256."),
        ("RSASSA_PSS_SHA_384", "DIGEST", 48, ""),
        (
            "RSASSA_PKCS1_V1_5_SHA_512",
            "DIGEST",
            32,
            "Digest is invalid length for algorithm RSASSA_PKCS1_V1_5_SHA_512.",
        ),
        (
            "ED25519_PH_SHA_512",
            "RAW",
            5,
            "Message type RAW is incompatible with algorithm ED25519_PH_SHA_512.",
        ),
        (
            "ED25519_SHA_512",
            "DIGEST",
            64,
            "Message type DIGEST is incompatible with algorithm ED25519_SHA_512.",
        ),
        (
            "ECDSA_SHA_256",
            "EXTERNAL_MU",
            64,
            "Message type EXTERNAL_MU is incompatible with key spec SPEC.",
        ),
    ],
)
def test_the_message_has_the_stated_type(
    algorithm: str, kind: str, length: int, sentence: str
) -> None:
    parameters: dict[str, Any] = {
        "SigningAlgorithm": algorithm,
        "MessageType": kind,
        "Message": bytes(length),
    }
    key = Key(ARN, "", "SPEC", "SIGN_VERIFY")
    if not sentence:
        key_usage.check_message(key, parameters)
        return
    with pytest.raises(KmsError) as refusal:
        key_usage.check_message(key, parameters)
    assert str(refusal.value) == f"ValidationException: {sentence}"
