"""Malformed requests are answered in AWS's sentences, and go no further."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import KmsError
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER, Caller
from testbed.kms.validation import check
from testbed.state.clock import Clock
from testbed.state.store import State

# Recorded from AWS in LocalStack's tests/aws/services/kms/test_kms.snapshot.json; comments have
# the ids of its tests.
RECORDED = [
    # TestKMS::test_generate_random_invalid_number_of_bytes[0], [1025]
    (
        "GenerateRandom",
        {"NumberOfBytes": 0},
        (
            "1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy "
            "constraint: Member must have value greater than or equal to 1"
        ),
    ),
    (
        "GenerateRandom",
        {"NumberOfBytes": 1025},
        (
            "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy "
            "constraint: Member must have value less than or equal to 1024"
        ),
    ),
    # TestKMS::test_plaintext_size_for_encrypt
    (
        "Encrypt",
        {"KeyId": "k", "Plaintext": b"p" * 4097},
        (
            "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "
            "Member must have length less than or equal to 4096"
        ),
    ),
]
# TestKMS::test_hmac_create_key_invalid_operations, TestKMS::test_invalid_generate_mac: the set
# has grown since.
RECORDED_BEGINNINGS = [
    (
        "CreateKey",
        {"KeySpec": "HMAC_random"},
        (
            "1 validation error detected: Value 'HMAC_random' at 'keySpec' failed to satisfy "
            "constraint: Member must satisfy enum value set: [RSA_2048, ECC_NIST_P384, "
            "ECC_NIST_P256, ECC_NIST_P521, HMAC_384, RSA_3072, ECC_SECG_P256K1, RSA_4096, "
            "SYMMETRIC_DEFAULT, HMAC_256, HMAC_224, HMAC_512"
        ),
    ),
    (
        "CreateKey",
        {"KeyUsage": "RANDOM"},
        (
            "1 validation error detected: Value 'RANDOM' at 'keyUsage' failed to satisfy "
            "constraint: Member must satisfy enum value set: [ENCRYPT_DECRYPT, SIGN_VERIFY, "
            "GENERATE_VERIFY_MAC"
        ),
    ),
    (
        "GenerateMac",
        {"KeyId": "k", "Message": b"m", "MacAlgorithm": "INVALID"},
        (
            "1 validation error detected: Value 'INVALID' at 'macAlgorithm' failed to "
            "satisfy constraint: Member must satisfy enum value set: [HMAC_SHA_384, "
            "HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]"
        ),
    ),
]
OURS = [
    ("GenerateDataKey", {"NumberOfBytes": 0, "KeyId": "k"}, "Value '0' at 'numberOfBytes'"),
    (
        "GenerateDataKey",
        {"KeySpec": "AES_512", "KeyId": "k"},
        "Value 'AES_512' at 'keySpec'.* enum value set: .*AES_256",
    ),
    (
        "GenerateDataKey",
        {"KeySpec": "AES_512"},
        "2 validation errors detected: .*null at 'keyId'.*; Value 'AES_512'",
    ),
    (
        "Decrypt",
        {"KeyId": "k"},
        "Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
    ),
    # The modifiers "only apply when DryRun is set to true" (API reference).
    (
        "Decrypt",
        {"KeyId": "k", "DryRunModifiers": ["IGNORE_CIPHERTEXT"]},
        "Value null at 'ciphertextBlob'",
    ),
    (
        "ReEncrypt",
        {"DestinationKeyId": "k", "DryRun": False, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]},
        "Value null at 'ciphertextBlob'",
    ),
    (
        "Decrypt",
        {"CiphertextBlob": b""},
        "Value at 'ciphertextBlob' .* length greater than or equal to 1",
    ),
    (
        "CreateGrant",
        {"KeyId": "k", "GranteePrincipal": "p", "Operations": ["Eat"]},
        "Value 'Eat' at 'operations.1.member'",
    ),
    (
        "CreateGrant",
        {"KeyId": "k", "GranteePrincipal": "a b", "Operations": []},
        "Value 'a b' at 'granteePrincipal' .* regular expression pattern",
    ),
    (
        "CreateGrant",
        {"KeyId": "k", "GranteePrincipal": "p", "Operations": [], "Name": "with blanks"},
        "Value 'with blanks' at 'name'",
    ),
    ("ListGrants", {"KeyId": "k", "Limit": 1001}, "Value '1001' at 'limit'"),
    # Wrong types: the messages of AWS's client, which would not send them.
    ("CreateKey", {"Bogus": 1}, 'Unknown parameter in input: "Bogus"'),
    ("DescribeKey", {"KeyId": 7}, "Invalid type for parameter KeyId"),
    (
        "CreateGrant",
        {"KeyId": "k", "GranteePrincipal": "p", "Operations": "Decrypt"},
        "Invalid type for parameter Operations",
    ),
    (
        "Encrypt",
        {"KeyId": "k", "Plaintext": b"p", "EncryptionContext": ["a"]},
        "Invalid type for parameter EncryptionContext",
    ),
    (
        "Encrypt",
        {"KeyId": "k", "Plaintext": b"p", "EncryptionContext": {"a": 1}},
        "Invalid type for parameter EncryptionContext.a",
    ),
    ("CreateKey", {"MultiRegion": "yes"}, "Invalid type for parameter MultiRegion"),
    (
        "ImportKeyMaterial",
        {"KeyId": "k", "ImportToken": b"t", "EncryptedKeyMaterial": b"m", "ValidTo": "2027-01-01"},
        "Invalid type for parameter ValidTo",
    ),
]


@pytest.mark.parametrize(("operation", "parameters", "sentence"), RECORDED)
def test_the_recorded_sentences(operation: str, parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(KmsError) as refusal:
        check(operation, parameters)
    assert (refusal.value.code, refusal.value.status, refusal.value.message) == (
        "ValidationException",
        400,
        sentence,
    )


@pytest.mark.parametrize(("operation", "parameters", "beginning"), RECORDED_BEGINNINGS)
def test_the_recorded_beginnings(
    operation: str, parameters: dict[str, Any], beginning: str
) -> None:
    with pytest.raises(KmsError) as refusal:
        check(operation, parameters)
    assert refusal.value.code == "ValidationException"
    assert refusal.value.message.startswith(beginning)


@pytest.mark.parametrize(("operation", "parameters", "sentence"), OURS)
def test_the_models_other_constraints(
    operation: str, parameters: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(KmsError, match=f"(?s)^ValidationException: .*{sentence}"):
        check(operation, parameters)


def test_what_is_no_operation_of_kms() -> None:
    with pytest.raises(KmsError, match="UnknownOperationException"):
        check("EatKey", {})


def test_a_secret_is_not_repeated() -> None:
    with pytest.raises(KmsError) as refusal:
        check("Encrypt", {"KeyId": "k", "Plaintext": b"secret" * 1000, "EncryptionAlgorithm": "x"})
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("ListKeys", {}),
        ("CreateKey", {"Tags": [{"TagKey": "team", "TagValue": ""}], "MultiRegion": False}),
        (
            "Encrypt",
            {
                "KeyId": "k",
                "Plaintext": bytearray(b"p"),
                "EncryptionContext": {"aws:ebs:id": "vol-1"},
            },
        ),
        ("Decrypt", {"KeyId": "k", "DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}),
    ],
)
def test_a_well_formed_request_passes(operation: str, parameters: dict[str, Any]) -> None:
    check(operation, parameters)


def test_a_malformed_request_goes_no_further(tmp_path: Path) -> None:
    state = State(tmp_path / "s")
    kms = KmsAuthority(Unreachable(), state, Clock(state))
    with pytest.raises(KmsError) as refusal:
        kms.call(USER, "Encrypt", {"KeyId": "k"})
    assert refusal.value.code == "ValidationException"


class Unreachable:
    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        raise AssertionError(operation)
