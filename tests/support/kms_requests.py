"""What a request of each operation of KMS needs to succeed, made anew for each request."""

from collections.abc import Mapping
from typing import Any

from botocore.client import BaseClient
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_SIGNING = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
_MAC = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
_IMPORTED = {"Origin": "EXTERNAL"}
# The keys that operations need, if not symmetric ones of KMS's own material.
_KEYS: Mapping[str, Mapping[str, Any]] = {
    "Sign": _SIGNING,
    "Verify": _SIGNING,
    "GetPublicKey": _SIGNING,
    "GenerateMac": _MAC,
    "VerifyMac": _MAC,
    "DeriveSharedSecret": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"},
    "GetParametersForImport": _IMPORTED,
    "ImportKeyMaterial": _IMPORTED,
    "DeleteImportedKeyMaterial": _IMPORTED,
    "ReplicateKey": {"MultiRegion": True},
    "UpdatePrimaryRegion": {"MultiRegion": True},
}
_PUBLIC_KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
_SIGN = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
_AUTHENTICATE = {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
# Members whose values matter, besides the key.
_VALUES: Mapping[str, Mapping[str, Any]] = {
    "CreateGrant": {"GranteePrincipal": "ec2.amazonaws.com", "Operations": ["Decrypt"]},
    "CreateKey": {"Description": ""},
    "DeriveSharedSecret": {"PublicKey": _PUBLIC_KEY, "KeyAgreementAlgorithm": "ECDH"},
    "GenerateDataKey": {"NumberOfBytes": 8},
    "GenerateDataKeyWithoutPlaintext": {"NumberOfBytes": 8},
    "GenerateDataKeyPair": {"KeyPairSpec": "ECC_NIST_P256"},
    "GenerateDataKeyPairWithoutPlaintext": {"KeyPairSpec": "ECC_NIST_P256"},
    "GenerateMac": _AUTHENTICATE,
    "GenerateRandom": {"NumberOfBytes": 8},
    "GetParametersForImport": {"WrappingAlgorithm": "RSAES_OAEP_SHA_256"},
    "ImportKeyMaterial": {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"},
    "ListRetirableGrants": {"RetiringPrincipal": "arn:aws:iam::000000000000:root"},
    "ReplicateKey": {"ReplicaRegion": "eu-west-1"},
    "ScheduleKeyDeletion": {"PendingWindowInDays": 7},
    "Sign": _SIGN,
    "Verify": _SIGN,
    "VerifyMac": _AUTHENTICATE,
}


def known(kms: BaseClient, operation: str, members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a request that succeeds, where not any legal value will do.

    ``members`` are those of the operation. Keys and what else it needs are created by ``kms``.
    """
    values = dict(_VALUES.get(operation, {}))
    if "AliasName" in members or {"KeyId", "TargetKeyId", "DestinationKeyId"} & members.keys():
        arn = kms.create_key(**_KEYS.get(operation, {}))["KeyMetadata"]["Arn"]
        values |= _about_key(kms, operation, arn)
    return values


def _about_key(kms: BaseClient, operation: str, arn: str) -> dict[str, Any]:
    alias = f"alias/{arn[-12:]}"
    match operation:
        case "ListAliases":
            return {}
        case "CreateAlias":
            return {"AliasName": alias, "TargetKeyId": arn}
        case "UpdateAlias":
            kms.create_alias(AliasName=alias, TargetKeyId=arn)
            return {"AliasName": alias, "TargetKeyId": arn}
        case "DeleteAlias":
            kms.create_alias(AliasName=alias, TargetKeyId=arn)
            return {"AliasName": alias}
        case "Decrypt":
            return {"CiphertextBlob": kms.encrypt(KeyId=arn, Plaintext=b"p")["CiphertextBlob"]}
        case "ReEncrypt":
            blob = kms.encrypt(KeyId=arn, Plaintext=b"p")["CiphertextBlob"]
            return {"CiphertextBlob": blob, "DestinationKeyId": arn}
        case "RetireGrant" | "RevokeGrant":
            grant = kms.create_grant(KeyId=arn, **_VALUES["CreateGrant"])
            if operation == "RetireGrant":
                return {"GrantToken": grant["GrantToken"]}
            return {"KeyId": arn, "GrantId": grant["GrantId"]}
        case "CancelKeyDeletion":
            kms.schedule_key_deletion(KeyId=arn)
        case "PutKeyPolicy":
            return {"KeyId": arn, "Policy": kms.get_key_policy(KeyId=arn)["Policy"]}
        case "Verify":
            return {"KeyId": arn, "Signature": kms.sign(KeyId=arn, **_SIGN)["Signature"]}
        case "VerifyMac":
            return {"KeyId": arn, "Mac": kms.generate_mac(KeyId=arn, **_AUTHENTICATE)["Mac"]}
    return {"KeyId": arn}
