"""Every operation that reads or uses a key, on every kind of key that AWS KMS has here.

The operations that apply to some kinds only are those of "Key type reference" and "Rotate AWS KMS
keys" in the developer guide; the refusals are recorded from AWS in LocalStack's
tests/aws/services/kms/test_kms.snapshot.json (TestKMS::test_error_messaging_for_invalid_keys,
test_get_parameters_for_import) and in reports of users (GetKeyRotationStatus of imported keys).
"""

from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from testbed.kms.base import USER
from tests.support.kms_authority import Authority

pytestmark = pytest.mark.containers

KINDS: Mapping[str, Mapping[str, Any]] = {
    "symmetric": {},
    "imported": {"Origin": "EXTERNAL"},
    "rsa": {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
    "signing": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
    "edwards": {"KeySpec": "ECC_NIST_EDWARDS25519", "KeyUsage": "SIGN_VERIFY"},
    "agreement": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"},
    "mac": {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
}
# U: UnsupportedOperationException without a sentence; O: with "origin is ... which is not valid";
# K: InvalidKeyUsageException, "key usage is ..."; A: "Algorithm ... is incompatible with key spec
# ..."; I: "is pending import"; "-": answered. The columns are KINDS.
TABLE = {
    "DescribeKey": "-------",
    "GetKeyPolicy": "-------",
    "ListKeyPolicies": "-------",
    "ListGrants": "-------",
    "ListAliases": "-------",
    "ListResourceTags": "-------",
    "GetKeyLastUsage": "-------",
    "GetKeyRotationStatus": "-O-----",
    "ListKeyRotations": "--UUUUU",
    "EnableKeyRotation": "-OUUUUU",
    "DisableKeyRotation": "-OUUUUU",
    "GetPublicKey": "UI----U",
    "GetParametersForImport": "O-OOOOO",
    "Encrypt": "-IAKKKK",
    "GenerateDataKey": "-IAKKKK",
    "GenerateDataKeyWithoutPlaintext": "-IAKKKK",
    "GenerateDataKeyPair": "-IAKKKK",
    "GenerateDataKeyPairWithoutPlaintext": "-IAKKKK",
    "Sign": "KIK-AKK",
    "GenerateMac": "KIKKKK-",
    "DeriveSharedSecret": "KIKKK-K",
    "Encapsulate": "KIKKKKK",
}
PUBLIC_KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "GetParametersForImport": {
        "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
        "WrappingKeySpec": "RSA_2048",
    },
    "Encrypt": {"Plaintext": b"p"},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
    "GenerateDataKeyPair": {"KeyPairSpec": "ECC_NIST_P256"},
    "GenerateDataKeyPairWithoutPlaintext": {"KeyPairSpec": "ECC_NIST_P256"},
    "Sign": {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"},
    "GenerateMac": {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"},
    "DeriveSharedSecret": {"PublicKey": PUBLIC_KEY, "KeyAgreementAlgorithm": "ECDH"},
    "Encapsulate": {"EncapsulationAlgorithm": "ML_KEM"},
}
ALGORITHM = {"Sign": "ECDSA_SHA_256"}


def sentence(letter: str, operation: str, key: str, kind: Mapping[str, Any]) -> str:
    usage, spec = kind.get("KeyUsage", "ENCRYPT_DECRYPT"), kind.get("KeySpec", "SYMMETRIC_DEFAULT")
    origin = kind.get("Origin", "AWS_KMS")
    algorithm = ALGORITHM.get(operation, "SYMMETRIC_DEFAULT")
    return {
        "-": "",
        "U": "UnsupportedOperationException",
        "O": f"UnsupportedOperationException: {key} origin is {origin} which is not valid for this "
        "operation.",
        "K": f"InvalidKeyUsageException: {key} key usage is {usage} which is not valid for "
        f"{operation}.",
        "A": f"InvalidKeyUsageException: Algorithm {algorithm} is incompatible with key spec "
        f"{spec}.",
        "I": f"KMSInvalidStateException: {key} is pending import.",
    }[letter]


@pytest.mark.parametrize(("column", "kind"), [*enumerate(KINDS)])
def test_what_applies_to_each_kind_of_key(aws: Authority, column: int, kind: str) -> None:
    key, wrong = aws.key(**KINDS[kind]), {}
    for operation, row in TABLE.items():
        expected = sentence(row[column], operation, key, KINDS[kind])
        refusal = aws.refusal(USER, operation, KeyId=key, **PARAMETERS.get(operation, {}))
        if str(refusal or "") != expected:
            wrong[operation] = (str(refusal or ""), expected)
    assert wrong == {}
