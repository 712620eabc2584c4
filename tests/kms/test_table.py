"""Every operation on a key, in every state of the key, for its owner, a grantee and a stranger.

The states and the codes are those of the key-state table in the KMS developer guide ("Key states
of AWS KMS keys"); the sentences of DisabledException, KMSInvalidStateException,
InvalidKeyUsageException and UnsupportedOperationException are also recorded from AWS in
LocalStack's tests/aws/services/kms/test_kms.snapshot.json: TestKMS::test_import_key_symmetric,
test_error_messaging_for_invalid_keys, test_get_parameters_for_import. Where the table leaves a
choice ("[2] or [3]" for a key pending deletion) it is KMSInvalidStateException, as in those
recordings.
"""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from testbed.kms import key_policy
from testbed.kms.base import USER, USER_ACCOUNT, Caller
from testbed.kms.grant import operations_for
from tests.support.kms_authority import ADMIN, DELAY, GRANTEE, STRANGER, VOLUME, Authority
from tests.support.models import operations_on_a_key

# The footnotes of the table.
FOOTNOTES = {
    "[1]": "DisabledException: {} is disabled.",
    "[3]": "KMSInvalidStateException: {} is pending deletion.",
    "[4]": "KMSInvalidStateException: {} is not pending deletion.",
    "[9]": "UnsupportedOperationException: "
    "{} origin is AWS_KMS which is not valid for this operation.",
    "ok": "",
}
# operation: Enabled, Disabled, PendingDeletion
TABLE = {
    "CancelKeyDeletion": ("[4]", "[4]", "ok"),
    "CreateAlias": ("ok", "ok", "[3]"),
    "CreateGrant": ("ok", "[1]", "[3]"),
    "Decrypt": ("ok", "[1]", "[3]"),
    "DeleteAlias": ("ok", "ok", "ok"),
    "DeleteImportedKeyMaterial": ("[9]", "[9]", "[9]"),
    "DescribeKey": ("ok", "ok", "ok"),
    "DisableKey": ("ok", "ok", "[3]"),
    "DeriveSharedSecret": ("ok", "[1]", "[3]"),
    "DisableKeyRotation": ("ok", "[1]", "[3]"),
    "EnableKey": ("ok", "ok", "[3]"),
    "EnableKeyRotation": ("ok", "[1]", "[3]"),
    "Encrypt": ("ok", "[1]", "[3]"),
    "GenerateDataKey": ("ok", "[1]", "[3]"),
    "GenerateDataKeyPair": ("ok", "[1]", "[3]"),
    "GenerateDataKeyPairWithoutPlaintext": ("ok", "[1]", "[3]"),
    "GenerateDataKeyWithoutPlaintext": ("ok", "[1]", "[3]"),
    "GenerateMac": ("ok", "[1]", "[3]"),
    "GetKeyLastUsage": ("ok", "ok", "ok"),
    "GetKeyPolicy": ("ok", "ok", "ok"),
    "GetKeyRotationStatus": ("ok", "ok", "ok"),
    "GetParametersForImport": ("[9]", "[9]", "[3]"),
    "GetPublicKey": ("ok", "ok", "[3]"),
    "ImportKeyMaterial": ("[9]", "[9]", "[3]"),
    "ListAliases": ("ok", "ok", "ok"),
    "ListGrants": ("ok", "ok", "ok"),
    "ListKeyPolicies": ("ok", "ok", "ok"),
    "ListKeyRotations": ("ok", "ok", "ok"),
    "ListResourceTags": ("ok", "ok", "ok"),
    "PutKeyPolicy": ("ok", "ok", "ok"),
    "ReEncrypt": ("ok", "[1]", "[3]"),
    "RetireGrant": ("ok", "ok", "ok"),
    "RevokeGrant": ("ok", "ok", "ok"),
    "RotateKeyOnDemand": ("ok", "[1]", "[3]"),
    "ScheduleKeyDeletion": ("ok", "ok", "[3]"),
    "Sign": ("ok", "[1]", "[3]"),
    "TagResource": ("ok", "ok", "[3]"),
    "UntagResource": ("ok", "ok", "[3]"),
    "UpdateAlias": ("ok", "ok", "[3]"),
    "UpdateKeyDescription": ("ok", "ok", "[3]"),
    "Verify": ("ok", "[1]", "[3]"),
    "VerifyMac": ("ok", "[1]", "[3]"),
}
# Operations that are unaffected within the delay.
USES = {operation for operation, row in TABLE.items() if row == ("ok", "[1]", "[3]")} - {
    "DisableKeyRotation",
    "EnableKeyRotation",
    "RotateKeyOnDemand",
}
CHANGES = {
    "CancelKeyDeletion",
    "CreateAlias",
    "DeleteAlias",
    "DisableKey",
    "EnableKey",
    "ScheduleKeyDeletion",
    "RetireGrant",
    "RevokeGrant",
}
SIGNING = {"Sign", "Verify", "GetPublicKey"}
MACS = {"GenerateMac", "VerifyMac"}
AGREEMENT = {"DeriveSharedSecret"}


def requests(aws: Authority, key: str, alias: str, grant: str) -> dict[str, dict[str, Any]]:
    """Return by operation a request that succeeds on an enabled symmetric key."""
    blob, data_key, pair = (
        aws.encrypt(key),
        {"KeyId": key, "NumberOfBytes": 64},
        {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"},
    )
    named = {operation: {"KeyId": key} for operation in TABLE}
    return {
        **named,
        "CreateAlias": {"AliasName": f"{alias}-2", "TargetKeyId": key},
        "CreateGrant": {
            "KeyId": key,
            "GranteePrincipal": ADMIN.principal,
            "Operations": ["DescribeKey"],
        },
        "Decrypt": {"CiphertextBlob": blob, "KeyId": key, "EncryptionContext": VOLUME},
        "DeleteAlias": {"AliasName": alias},
        "Encrypt": {"KeyId": key, "Plaintext": b"p"},
        "GenerateDataKey": data_key,
        "GenerateDataKeyPair": pair,
        "GenerateDataKeyPairWithoutPlaintext": pair,
        "GenerateDataKeyWithoutPlaintext": data_key,
        "GetParametersForImport": {
            "KeyId": key,
            "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
            "WrappingKeySpec": "RSA_2048",
        },
        "ImportKeyMaterial": {
            "KeyId": key,
            "ImportToken": b"token",
            "EncryptedKeyMaterial": b"material",
            "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        },
        "PutKeyPolicy": {
            "KeyId": key,
            "PolicyName": "default",
            "Policy": key_policy.default(USER_ACCOUNT),
        },
        "ReEncrypt": {
            "CiphertextBlob": blob,
            "SourceKeyId": key,
            "SourceEncryptionContext": VOLUME,
            "DestinationKeyId": key,
        },
        "RetireGrant": {"KeyId": key, "GrantId": grant},
        "RevokeGrant": {"KeyId": key, "GrantId": grant},
        "TagResource": {"KeyId": key, "Tags": [{"TagKey": "a", "TagValue": "b"}]},
        "UntagResource": {"KeyId": key, "TagKeys": ["a"]},
        "UpdateAlias": {"AliasName": alias, "TargetKeyId": key},
        "UpdateKeyDescription": {"KeyId": key, "Description": "d"},
    }


def of_signing_keys(aws: Authority, key: str) -> dict[str, dict[str, Any]]:
    request = {"KeyId": key, "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = aws.call(USER, "Sign", **request)["Signature"]
    return {
        "Sign": request,
        "Verify": {**request, "Signature": signature},
        "GetPublicKey": {"KeyId": key},
    }


def of_mac_keys(aws: Authority, key: str) -> dict[str, dict[str, Any]]:
    request = {"KeyId": key, "Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
    return {
        "GenerateMac": request,
        "VerifyMac": {**request, "Mac": aws.call(USER, "GenerateMac", **request)["Mac"]},
    }


def of_agreement_keys(aws: Authority, key: str) -> dict[str, dict[str, Any]]:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    request = {
        "KeyId": key,
        "KeyAgreementAlgorithm": "ECDH",
        "PublicKey": other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    }
    return {"DeriveSharedSecret": request}


class Keys:
    """Keys in a state: one for each operation that changes something, one for all others."""

    def __init__(self, aws: Authority, state: str, *, within_the_delay: bool) -> None:
        self.aws, self.state, self.within_the_delay = aws, state, within_the_delay
        self.kept: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {}

    def for_operation(self, operation: str) -> tuple[str, dict[str, Any]]:
        """Return the ARN of a key, and the request's parameters."""
        kind = (
            "signing"
            if operation in SIGNING
            else "mac"
            if operation in MACS
            else "agreement"
            if operation in AGREEMENT
            else operation
            if operation in CHANGES
            else "symmetric"
        )
        if kind not in self.kept or kind == "RetireGrant":
            self.kept[kind] = self._create(kind)
        key, parameters = self.kept[kind]
        return key, parameters[operation]

    def _create(self, kind: str) -> tuple[str, dict[str, dict[str, Any]]]:
        aws = self.aws
        spec = {
            "signing": ("ECC_NIST_P256", "SIGN_VERIFY"),
            "mac": ("HMAC_256", "GENERATE_VERIFY_MAC"),
            "agreement": ("ECC_NIST_P256", "KEY_AGREEMENT"),
        }.get(kind, ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"))
        key = aws.key(KeySpec=spec[0], KeyUsage=spec[1])
        grant = aws.grant(
            key,
            GRANTEE.principal,
            *operations_for(spec[1], symmetric=spec[0] == "SYMMETRIC_DEFAULT"),
        )
        alias = f"alias/{key[-12:]}"
        aws.call(USER, "CreateAlias", AliasName=alias, TargetKeyId=key)
        parameters = {
            "signing": lambda: of_signing_keys(aws, key),
            "mac": lambda: of_mac_keys(aws, key),
            "agreement": lambda: of_agreement_keys(aws, key),
        }.get(kind, lambda: requests(aws, key, alias, grant))()
        if self.state != "Enabled":
            aws.call(
                USER,
                {"Disabled": "DisableKey", "PendingDeletion": "ScheduleKeyDeletion"}[self.state],
                KeyId=key,
            )
        if not self.within_the_delay:
            aws.clock.turn(DELAY)
        return key, parameters

    def outcome(self, caller: Caller, operation: str, parameters: dict[str, Any]) -> str:
        return str(self.aws.refusal(caller, operation, **parameters) or "")


@pytest.mark.containers
@pytest.mark.parametrize(
    ("column", "state"), [(0, "Enabled"), (1, "Disabled"), (2, "PendingDeletion")]
)
def test_what_each_state_allows_to_whom(aws: Authority, column: int, state: str) -> None:
    granted = operations_for("ENCRYPT_DECRYPT", symmetric=True) | SIGNING | MACS | AGREEMENT
    granted |= {"ReEncrypt"}
    keys, wrong = Keys(aws, state, within_the_delay=False), {}
    for operation, row in TABLE.items():
        for who, caller in (
            ("stranger", STRANGER),
            ("grantee", GRANTEE),
            ("owner", USER),
        ):  # the owner last: its calls change the key
            key, parameters = keys.for_operation(operation)
            by_state = FOOTNOTES[row[column]].format(key)
            # An alias belongs to the account of the caller that names it.
            denied = (
                "NotFoundException: Alias"
                if operation == "DeleteAlias"
                else "AccessDeniedException: "
            )
            outcome = keys.outcome(caller, operation, parameters)
            if not (
                outcome == by_state
                if who == "owner" or (who == "grantee" and operation in granted)
                else outcome.startswith(denied)
            ):
                wrong[operation, who] = outcome
    assert wrong == {}


@pytest.mark.containers
@pytest.mark.parametrize(("column", "state"), [(1, "Disabled"), (2, "PendingDeletion")])
def test_what_each_state_allows_within_the_delay(aws: Authority, column: int, state: str) -> None:
    keys, wrong = Keys(aws, state, within_the_delay=True), {}
    for operation, row in TABLE.items():
        key, parameters = keys.for_operation(operation)
        expected = "" if operation in USES else FOOTNOTES[row[column]].format(key)
        outcome = keys.outcome(USER, operation, parameters)
        if outcome != expected:
            wrong[operation] = (outcome, expected)
    assert wrong == {}


def test_the_table_has_every_operation_on_a_key() -> None:
    """Except multi-Region keys, and ML-KEM keys, which cannot be made."""
    left_out = {
        "ReplicateKey",
        "UpdatePrimaryRegion",
    }
    assert operations_on_a_key() - set(TABLE) == left_out | {"Encapsulate", "Decapsulate"}
