"""Condition keys about the key, or about the key that CreateKey is to create."""

from collections.abc import Mapping

from testbed.errors import KmsError
from testbed.kms.condition_keys.subject import Found, MemberReader, Reader, Subject, as_text
from testbed.kms.key import DAY
from testbed.kms.naming import owner


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
        return as_text(subject.key.multi_region)
    return _created(subject, as_text(subject.parameter("MultiRegion") or False))


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
    try:
        aliases = backend.list_all(owner(key.arn), "ListAliases", "Aliases", KeyId=key.arn)
    except KmsError as error:
        if error.code != "NotFoundException":
            raise
        return None  # CreateKey or ReplicateKey has still to make it
    return [alias["AliasName"] for alias in aliases]


def _resource_tag(subject: Subject, tag_key: str) -> Found:
    if subject.key is None:
        return None
    return [text for name, text in subject.key.tags.items() if name.lower() == tag_key]


def _resource_account(subject: Subject) -> Found:
    return subject.key.account if subject.key else subject.caller.account


READERS: Mapping[str, Reader] = {
    "kms:CustomerMasterKeySpec": _key_spec,
    "kms:CustomerMasterKeyUsage": _key_usage,
    "kms:KeyOrigin": _key_origin,
    "kms:KeySpec": _key_spec,
    "kms:KeyUsage": _key_usage,
    "kms:MultiRegion": _multi_region,
    "kms:MultiRegionKeyType": _multi_region_key_type,
    "kms:ResourceAliases": _resource_aliases,
    "kms:TrailingDaysWithoutKeyUsage": _days_without_usage,
    "aws:ResourceAccount": _resource_account,
}
FAMILIES: Mapping[str, MemberReader] = {"aws:ResourceTag/": _resource_tag}
