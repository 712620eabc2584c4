"""The condition keys of a request on KMS: each has its value when a policy asks for it.

``testbed.policy.keys`` lists the keys, and says of those that are missing here why they are.
Sources: KMSAUTH, KMSKEYS and GLOBAL in ``testbed.policy``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from testbed.kms.base import Caller
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.key import DAY, Key
from testbed.kms.key_policy import via_service
from testbed.kms.naming import owner
from testbed.kms.principals import principal
from testbed.policy.evaluate import Context, Request

Found = str | Iterable[str] | None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a policy decides on: ``action`` is without ``kms:``; ``key`` is None for no key."""

    services: KmsServices
    call: KmsCall
    action: str
    key: Key | None = None

    @property
    def caller(self) -> Caller:
        return self.call.caller

    @property
    def by_service(self) -> bool:
        """Whether a service sends the request, for itself or with its user's session."""
        return self.caller.kind == "AWSService" or bool(self.caller.invoked_by)

    def parameter(self, name: str) -> Any:
        return self.call.parameters.get(name)


def request(subject: Subject, arn: str) -> Request:
    """Return the request that policies decide on. ``arn`` is the resource's, or ``*``."""
    account = subject.key.account if subject.key else subject.caller.account
    return Request(
        principal(subject.caller),
        f"kms:{subject.action}",
        arn,
        Context(partial(_find, subject)),
        account,
    )


def _find(subject: Subject, name: str) -> tuple[str, ...]:
    read = _BY_NAME.get(name)
    if read:
        found = read(subject)
    else:
        for family, read_member in _FAMILIES.items():
            if name.startswith(family):
                found = read_member(subject, name[len(family) :])
                break
        else:
            found = principal(subject.caller).context.get(name)
    if not found:
        return ()
    return (found,) if isinstance(found, str) else tuple(found)


# Of the key, or of the key that CreateKey is to create.


def _key_spec(subject: Subject) -> Found:
    if subject.key:
        return subject.key.spec
    spec = subject.parameter("KeySpec") or subject.parameter("CustomerMasterKeySpec")
    return spec or _created(subject, "SYMMETRIC_DEFAULT")


def _key_usage(subject: Subject) -> Found:
    if subject.key:
        return subject.key.usage
    return subject.parameter("KeyUsage") or _created(subject, "ENCRYPT_DECRYPT")


def _key_origin(subject: Subject) -> Found:
    if subject.key:
        return subject.key.origin
    return subject.parameter("Origin") or _created(subject, "AWS_KMS")


def _multi_region(subject: Subject) -> Found:
    if subject.key:
        return _text(subject.key.multi_region)
    return _created(subject, _text(subject.parameter("MultiRegion") or False))


def _multi_region_key_type(subject: Subject) -> Found:
    if _multi_region(subject) != "true":
        return None
    return "REPLICA" if subject.key and subject.key.is_replica else "PRIMARY"


def _created(subject: Subject, default: Found) -> Found:
    return default if subject.action == "CreateKey" else None


def _days_without_usage(subject: Subject) -> Found:
    """Return whole days since the last cryptographic operation, or since the key's creation."""
    if subject.key is None or subject.action not in ("DisableKey", "ScheduleKeyDeletion"):
        return None
    used = subject.services.last_usage(subject.key.arn).get("Timestamp")
    since = used.timestamp() if used else subject.key.created
    return str(max(0, int((subject.call.now - since) // DAY)))


def _resource_aliases(subject: Subject) -> Found:
    if subject.key is None:
        return None
    backend, key = subject.services.backend, subject.key
    aliases = backend.list_all(owner(key.arn), "ListAliases", "Aliases", KeyId=key.arn)
    return [alias["AliasName"] for alias in aliases]


def _resource_tag(subject: Subject, tag_key: str) -> Found:
    if subject.key is None:
        return None
    return [text for name, text in subject.key.tags.items() if name.lower() == tag_key]


def _resource_account(subject: Subject) -> Found:
    return subject.key.account if subject.key else subject.caller.account


# Of the request's parameters.


def _parameter(name: str, *operations: str, default: str = "") -> Callable[[Subject], Found]:
    """Return a function that reads a parameter of ``operations``."""

    def read(subject: Subject) -> Found:
        if subject.call.operation not in operations:
            return None
        value = subject.parameter(name)
        return default if value is None else _text(value)

    return read


def _text(value: Any) -> Found:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return str(int(value.timestamp()))
    return [str(member) for member in value] if isinstance(value, list | tuple) else str(value)


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
    return _text(subject.by_service) if about_grants else None


def _reencrypt_on_same_key(subject: Subject) -> Found:
    if subject.call.operation != "ReEncrypt":
        return None
    return _text(subject.parameter("SourceKeyId") == subject.parameter("DestinationKeyId"))


def _request_alias(subject: Subject) -> Found:
    members = {"ReEncryptFrom": "SourceKeyId", "ReEncryptTo": "DestinationKeyId"}
    named = subject.call.requested.get(members.get(subject.action, "KeyId")) or ""
    if named.startswith("arn:"):
        named = named.rpartition(":")[2]
    return named if named.startswith("alias/") else None


def _request_tag(subject: Subject, tag_key: str) -> Found:
    return _tagged(subject.parameter("Tags") or (), tag_key)


def _tag_keys(subject: Subject) -> Found:
    return subject.parameter("TagKeys") or [
        tag["TagKey"] for tag in subject.parameter("Tags") or ()
    ]


def _tagged(tags: Iterable[Mapping[str, str]], key: str) -> Found:
    return [tag["TagValue"] for tag in tags if tag["TagKey"].lower() == key]


# Of the caller and the connection.


def _via_service(subject: Subject) -> Found:
    caller = subject.caller
    service = caller.invoked_by.removesuffix(".amazonaws.com")
    return via_service(service, caller.region) if service else None


def _called_via(subject: Subject) -> Found:
    return subject.caller.invoked_by


def _source_ip(subject: Subject) -> Found:
    """Return the caller's address. For a service it is one of AWS's own, which is not public."""
    return None if subject.by_service else subject.caller.source_ip


def _user_agent(subject: Subject) -> Found:
    caller = subject.caller
    return (caller.invoked_by or caller.principal) if subject.by_service else caller.user_agent


def _caller_account(subject: Subject) -> Found:
    """Return the caller's account. A service's is that of the resource it calls for."""
    return _source_account(subject) or subject.caller.account


def _source_account(subject: Subject) -> Found:
    arn = subject.caller.source_arn
    return arn.split(":", 5)[4] if arn else None


def _user_id(subject: Subject) -> Found:
    return subject.caller.account if subject.caller.kind == "Root" else None


_READERS: Mapping[str, Callable[[Subject], Found]] = {
    "kms:BypassPolicyLockoutSafetyCheck": _parameter(
        "BypassPolicyLockoutSafetyCheck", "CreateKey", "PutKeyPolicy", "ReplicateKey"
    ),
    "kms:CallerAccount": _caller_account,
    "kms:CustomerMasterKeySpec": _key_spec,
    "kms:CustomerMasterKeyUsage": _key_usage,
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
    "kms:KeyOrigin": _key_origin,
    "kms:KeySpec": _key_spec,
    "kms:KeyUsage": _key_usage,
    "kms:MacAlgorithm": _parameter("MacAlgorithm", "GenerateMac", "VerifyMac"),
    "kms:MessageType": _parameter("MessageType", "Sign", "Verify", default="RAW"),
    "kms:MultiRegion": _multi_region,
    "kms:MultiRegionKeyType": _multi_region_key_type,
    "kms:PrimaryRegion": _parameter("PrimaryRegion", "UpdatePrimaryRegion"),
    "kms:ReEncryptOnSameKey": _reencrypt_on_same_key,
    "kms:ReplicaRegion": _parameter("ReplicaRegion", "ReplicateKey"),
    "kms:RequestAlias": _request_alias,
    "kms:ResourceAliases": _resource_aliases,
    "kms:RetiringPrincipal": _parameter("RetiringPrincipal", "CreateGrant"),
    "kms:RetiringServicePrincipal": _parameter("RetiringServicePrincipal", "CreateGrant"),
    "kms:RotationPeriodInDays": _parameter(
        "RotationPeriodInDays", "EnableKeyRotation", default="365"
    ),
    "kms:ScheduleKeyDeletionPendingWindowInDays": _parameter(
        "PendingWindowInDays", "ScheduleKeyDeletion", default="30"
    ),
    "kms:SigningAlgorithm": _parameter("SigningAlgorithm", "Sign", "Verify"),
    "kms:TrailingDaysWithoutKeyUsage": _days_without_usage,
    "kms:ValidTo": _parameter("ValidTo", "ImportKeyMaterial"),
    "kms:ViaService": _via_service,
    "kms:WrappingAlgorithm": _parameter("WrappingAlgorithm", "GetParametersForImport"),
    "kms:WrappingKeySpec": _parameter("WrappingKeySpec", "GetParametersForImport"),
    "aws:CalledVia": _called_via,
    "aws:CalledViaFirst": _called_via,
    "aws:CalledViaLast": _called_via,
    "aws:CurrentTime": lambda subject: datetime.fromtimestamp(subject.call.now, UTC).isoformat(),
    "aws:EpochTime": lambda subject: str(int(subject.call.now)),
    "aws:referer": lambda subject: subject.caller.referer,
    "aws:RequestedRegion": lambda subject: subject.caller.region,
    "aws:ResourceAccount": _resource_account,
    "aws:SecureTransport": lambda _: "true",  # AWS's endpoints, and the testbed's, speak TLS alone
    "aws:SourceAccount": _source_account,
    "aws:SourceArn": lambda subject: subject.caller.source_arn,
    "aws:SourceIp": _source_ip,
    "aws:TagKeys": _tag_keys,
    "aws:UserAgent": _user_agent,
    "aws:userid": _user_id,
    "aws:ViaAWSService": lambda subject: _text(bool(subject.caller.invoked_by)),
}
_BY_NAME = {name.lower(): read for name, read in _READERS.items()}
_FAMILIES: Mapping[str, Callable[[Subject, str], Found]] = {
    "kms:encryptioncontext:": _encryption_context,
    "aws:requesttag/": _request_tag,
    "aws:resourcetag/": _resource_tag,
}
