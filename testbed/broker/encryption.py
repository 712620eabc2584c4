"""The key that encrypts a broker: Amazon MQ's ``EncryptionOptions`` and the KMS key they mean.

============================  ==========================================================
request                       key (API; TF, ``encryption_options``)
============================  ==========================================================
omitted, or UseAwsOwnedKey    AWS owned key: in the service's account, not in the user's
neither                       AWS managed key: ``alias/aws/mq`` in the user's account
KmsKeyId                      the customer's key, symmetric only (DP); of another account
                              if its policy, or a grant, lets the caller make grants on it
============================  ==========================================================

Amazon MQ's sentences for an unsuitable key are not documented: those here are the testbed's own,
and quote KMS's where KMS gives one.
"""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from testbed.arn import KEY_ID
from testbed.documented.grants import MQ_PRINCIPAL
from testbed.errors import BadRequestException, KmsError
from testbed.kms.base import MQ, Caller, Kms, is_outage

AWS_MANAGED_ALIAS = "alias/aws/mq"
AWS_OWNED_ALIAS = "alias/owned-by-aws/mq"  # the testbed's own name; AWS's is not public

_ALIAS = r"alias/[a-zA-Z0-9/_-]{1,250}"
_KEY_ID = re.compile(
    rf"{KEY_ID}|{_ALIAS}|arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{{12}}:(key/{KEY_ID}|{_ALIAS})"
)
_creating = threading.Lock()


@dataclass(frozen=True)
class EncryptionOptions:
    """Amazon MQ's structure of that name; the default is what an omitted one means (API)."""

    use_aws_owned_key: bool = True
    kms_key_id: str = ""


@dataclass(frozen=True)
class BrokerKey:
    """The key that a broker's volumes are created under."""

    arn: str
    ownership: Literal["AWS_OWNED", "AWS_MANAGED", "CUSTOMER_MANAGED"]


def resolve(kms: Kms, caller: Caller, options: EncryptionOptions) -> BrokerKey:
    """Return the key for a broker that ``caller`` creates with ``options``.

    Creates the AWS owned and the AWS managed key on first use. Raises ``BadRequestException``
    when the key cannot encrypt a broker, and ``KmsError`` when KMS is unavailable.
    """
    if options.use_aws_owned_key and options.kms_key_id:
        raise _refusal(
            "KmsKeyId was given together with UseAwsOwnedKey.",
            "Set UseAwsOwnedKey to false to use your own key.",
        )
    if options.use_aws_owned_key:
        service = replace(MQ, region=caller.region)
        key = _service_key(kms, service, AWS_OWNED_ALIAS, "AWS owned key of Amazon MQ")
        return BrokerKey(_usable(kms, service, key), "AWS_OWNED")
    if not options.kms_key_id:
        # Amazon MQ, at work in the user's account. KMS makes the key on first use.
        service = replace(MQ, account=caller.account, region=caller.region)
        key = _describe(kms, service, AWS_MANAGED_ALIAS)
        return BrokerKey(_usable(kms, service, key), "AWS_MANAGED")
    session = caller.through(MQ_PRINCIPAL)
    check_key_id(options.kms_key_id)
    try:
        key = _describe(kms, session, options.kms_key_id)
    except KmsError as error:
        if is_outage(error):
            raise
        raise _refusal(f"The KMS key {options.kms_key_id} cannot be used: {error}") from error
    arn = _usable(kms, session, key)
    return BrokerKey(arn, "AWS_MANAGED" if key["KeyManager"] == "AWS" else "CUSTOMER_MANAGED")


def check_key_id(key_id: str) -> None:
    """Raise ``BadRequestException`` for what cannot be the name of any key."""
    if not _KEY_ID.fullmatch(key_id):
        raise _refusal(
            f"KmsKeyId '{key_id}' is not a KMS key id, key ARN, alias name or alias ARN."
        )


def _usable(kms: Kms, caller: Caller, key: Mapping[str, Any]) -> str:
    """Return the ARN of ``key``, KMS's metadata of one, if it can encrypt a broker."""
    arn = str(key["Arn"])
    if key["KeySpec"] != "SYMMETRIC_DEFAULT" or key["KeyUsage"] != "ENCRYPT_DECRYPT":
        raise _refusal(
            f"The KMS key {arn} cannot be used: Amazon MQ supports symmetric encryption keys only, "
            f"and its KeySpec is {key['KeySpec']} with KeyUsage {key['KeyUsage']}.",
            "Create a key with KeySpec SYMMETRIC_DEFAULT, which is the default.",
        )
    if key["KeyState"] != "Enabled":
        hint = {
            "Disabled": "EnableKey makes it usable.",
            "PendingDeletion": "CancelKeyDeletion and then EnableKey make it usable.",
            "PendingImport": "ImportKeyMaterial makes it usable.",
        }
        reason = _reason(kms, caller, arn)
        raise _refusal(
            f"The KMS key {arn} cannot be used: its state is {key['KeyState']}{reason}.",
            hint.get(key["KeyState"], ""),
        )
    return arn


def _reason(kms: Kms, caller: Caller, arn: str) -> str:
    """Return KMS's own reason for refusing to use a key, asked with DryRun."""
    try:
        kms.call(
            caller,
            "GenerateDataKeyWithoutPlaintext",
            {"KeyId": arn, "KeySpec": "AES_256", "DryRun": True},
        )
    except KmsError as error:
        if error.code != "DryRunOperationException":  # else the state is not yet in effect
            return f" ({str(error).rstrip('.')})"
    return ""


def _service_key(kms: Kms, service: Caller, alias: str, description: str) -> dict[str, Any]:
    """Return the key of Amazon MQ's ``alias`` in ``service.account``, created on first use."""
    with _creating:
        try:
            return _describe(kms, service, alias)
        except KmsError as error:
            if error.code != "NotFoundException":
                raise
        answer = kms.call(service, "CreateKey", {"Description": description})
        created: dict[str, Any] = answer["KeyMetadata"]
        try:
            kms.call(service, "CreateAlias", {"AliasName": alias, "TargetKeyId": created["KeyId"]})
        except KmsError as error:
            # Another process was faster, or KMS is gone: the key without an alias must not stay.
            kms.call(
                service,
                "ScheduleKeyDeletion",
                {"KeyId": created["KeyId"], "PendingWindowInDays": 7},
            )
            if error.code != "AlreadyExistsException":
                raise
            return _describe(kms, service, alias)
        return created


def _describe(kms: Kms, caller: Caller, key_id: str) -> dict[str, Any]:
    metadata: dict[str, Any] = kms.call(caller, "DescribeKey", {"KeyId": key_id})["KeyMetadata"]
    return metadata


def _refusal(sentence: str, hint: str = "") -> BadRequestException:
    return BadRequestException(sentence, error_attribute="encryptionOptions", hint=hint)
