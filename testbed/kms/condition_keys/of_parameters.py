"""Condition keys about the parameters of a request."""

from collections.abc import Mapping
from typing import Any

from testbed.kms.condition_keys.subject import Found, MemberReader, Reader, Subject, as_text


def _parameter(name: str, *operations: str, default: str = "") -> Reader:
    """Return a function that reads a parameter of ``operations``."""

    def read(subject: Subject) -> Found:
        if subject.call.operation not in operations:
            return None
        value = subject.parameter(name)
        return default if value is None else as_text(value)

    return read


def _encryption_algorithm(subject: Subject) -> Found:
    if subject.action.startswith("GenerateDataKey"):
        return "SYMMETRIC_DEFAULT"
    names = {
        "Encrypt": "EncryptionAlgorithm",
        "Decrypt": "EncryptionAlgorithm",
        "ReEncryptFrom": "SourceEncryptionAlgorithm",
        "ReEncryptTo": "DestinationEncryptionAlgorithm",
    }
    name = names.get(subject.action)
    return (subject.parameter(name) or "SYMMETRIC_DEFAULT") if name else None


def _context(subject: Subject) -> Mapping[str, str]:
    """Return the encryption context of the request, or of the constraints of a grant."""
    if subject.action == "CreateGrant":
        constraints = _constraints(subject)
        return {
            **(constraints.get("EncryptionContextSubset") or {}),
            **(constraints.get("EncryptionContextEquals") or {}),
        }
    names = {
        "ReEncryptFrom": "SourceEncryptionContext",
        "ReEncryptTo": "DestinationEncryptionContext",
    }
    return subject.parameter(names.get(subject.action, "EncryptionContext")) or {}


def _encryption_context(subject: Subject, key: str) -> Found:
    return [value for name, value in _context(subject).items() if name.lower() == key]


def _constraints(subject: Subject) -> Mapping[str, Any]:
    return subject.parameter("Constraints") or {}


def _grant_constraint_type(subject: Subject) -> Found:
    return [kind for kind, pairs in _constraints(subject).items() if pairs and kind != "SourceArn"]


def _grant_is_for_aws_resource(subject: Subject) -> Found:
    about_grants = subject.action in ("CreateGrant", "ListGrants", "RevokeGrant")
    return as_text(subject.by_service) if about_grants else None


def _policy_name(subject: Subject) -> Found:
    """Return the policy's name, also of the PutKeyPolicy that a new policy has to allow."""
    if subject.action not in ("GetKeyPolicy", "PutKeyPolicy"):
        return None
    return subject.parameter("PolicyName") or "default"


def _reencrypt_on_same_key(subject: Subject) -> Found:
    if subject.call.operation != "ReEncrypt":
        return None
    return as_text(subject.parameter("SourceKeyId") == subject.parameter("DestinationKeyId"))


def _request_alias(subject: Subject) -> Found:
    members = {"ReEncryptFrom": "SourceKeyId", "ReEncryptTo": "DestinationKeyId"}
    named = subject.call.requested.get(members.get(subject.action, "KeyId")) or ""
    if named.startswith("arn:"):
        named = named.rpartition(":")[2]
    return named if named.startswith("alias/") else None


def _request_tag(subject: Subject, tag_key: str) -> Found:
    tags = subject.parameter("Tags") or ()
    return [tag["TagValue"] for tag in tags if tag["TagKey"].lower() == tag_key]


def _tag_keys(subject: Subject) -> Found:
    return subject.parameter("TagKeys") or [
        tag["TagKey"] for tag in subject.parameter("Tags") or ()
    ]


READERS: Mapping[str, Reader] = {
    "kms:BypassPolicyLockoutSafetyCheck": _parameter(
        "BypassPolicyLockoutSafetyCheck", "CreateKey", "PutKeyPolicy", "ReplicateKey"
    ),
    "kms:DataKeyPairSpec": _parameter(
        "KeyPairSpec", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"
    ),
    "kms:EncryptionAlgorithm": _encryption_algorithm,
    "kms:EncryptionContextKeys": _context,
    "kms:ExpirationModel": _parameter("ExpirationModel", "ImportKeyMaterial"),
    "kms:GrantConstraintSourceArn": lambda subject: _constraints(subject).get("SourceArn"),
    "kms:GrantConstraintType": _grant_constraint_type,
    "kms:GrantIsForAWSResource": _grant_is_for_aws_resource,
    "kms:GrantOperations": _parameter("Operations", "CreateGrant"),
    "kms:GranteePrincipal": _parameter("GranteePrincipal", "CreateGrant"),
    "kms:GranteeServicePrincipal": _parameter("GranteeServicePrincipal", "CreateGrant"),
    "kms:KeyAgreementAlgorithm": _parameter("KeyAgreementAlgorithm", "DeriveSharedSecret"),
    "kms:MacAlgorithm": _parameter("MacAlgorithm", "GenerateMac", "VerifyMac"),
    "kms:MessageType": _parameter("MessageType", "Sign", "Verify", default="RAW"),
    "kms:PolicyName": _policy_name,
    "kms:PrimaryRegion": _parameter("PrimaryRegion", "UpdatePrimaryRegion"),
    "kms:ReEncryptOnSameKey": _reencrypt_on_same_key,
    "kms:ReplicaRegion": _parameter("ReplicaRegion", "ReplicateKey"),
    "kms:RequestAlias": _request_alias,
    "kms:RetiringPrincipal": _parameter("RetiringPrincipal", "CreateGrant"),
    "kms:RetiringServicePrincipal": _parameter("RetiringServicePrincipal", "CreateGrant"),
    "kms:RotationPeriodInDays": _parameter(
        "RotationPeriodInDays", "EnableKeyRotation", default="365"
    ),
    "kms:ScheduleKeyDeletionPendingWindowInDays": _parameter(
        "PendingWindowInDays", "ScheduleKeyDeletion", default="30"
    ),
    "kms:SigningAlgorithm": _parameter("SigningAlgorithm", "Sign", "Verify"),
    "kms:ValidTo": _parameter("ValidTo", "ImportKeyMaterial"),
    "kms:WrappingAlgorithm": _parameter("WrappingAlgorithm", "GetParametersForImport"),
    "kms:WrappingKeySpec": _parameter("WrappingKeySpec", "GetParametersForImport"),
    "aws:TagKeys": _tag_keys,
}
FAMILIES: Mapping[str, MemberReader] = {
    "kms:EncryptionContext:": _encryption_context,
    "aws:RequestTag/": _request_tag,
}
