"""The three kinds of key, and their policies.

================  ==========================  ==================================================================
kind              made by                     what its account can do with it
================  ==========================  ==================================================================
customer managed  a principal of the account  everything its policy says; by default everything
AWS managed       a service, in the account   look at it, and use it through that service; see ``policy.aws_managed``
AWS owned         a service, in its own       nothing: it is in another account
================  ==========================  ==================================================================

Policies are kept in the ledger; LocalStack keeps what a key was made with, and evaluates none.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from testbed.kms import policy, refusals
from testbed.kms.base import SERVICE_ACCOUNT, Caller, Kms
from testbed.kms.ledger import Ledger
from testbed.kms.states import Key

# What a key can be for, by the beginning of its KeySpec (API reference, CreateKey).
_USAGES = {
    "SYMMETRIC": ("ENCRYPT_DECRYPT",),
    "RSA": ("ENCRYPT_DECRYPT", "SIGN_VERIFY"),
    "ECC": ("SIGN_VERIFY", "KEY_AGREEMENT"),
    "HMAC": ("GENERATE_VERIFY_MAC",),
}


class OwnershipKms:
    """Answer for who made a key and what its policy is."""

    def __init__(self, kms: Kms, ledger: Ledger, now: Callable[[], float]) -> None:
        self._kms, self._ledger, self._now = kms, ledger, now

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``."""
        if operation == "CreateKey":
            return self._create(caller, parameters)
        if operation == "DescribeKey":
            return self._described(self._kms.call(caller, operation, parameters))
        if operation == "PutKeyPolicy":
            return self._put_policy(caller, parameters)
        if operation == "GetKeyPolicy":
            if parameters.get("PolicyName", "default") != "default":
                raise refusals.refusal("NotFoundException", "No such policy exists")
            return {"Policy": self._key(parameters["KeyId"]).policy, "PolicyName": "default"}
        if operation in ("CreateAlias", "UpdateAlias", "DeleteAlias"):
            _check_alias(caller, parameters["AliasName"])
        _check_tags(parameters)
        return self._kms.call(caller, operation, parameters)

    def _create(self, caller: Caller, parameters: Mapping[str, Any]) -> dict[str, Any]:
        _check_usage(parameters)
        _check_tags(parameters)
        for tag in parameters.get("Tags", ()):
            # LocalStack's way to choose the id of a key; it would put the new one in the old one's place.
            if tag["TagKey"] == "_custom_id_" and self._ledger.arns(tag["TagValue"]):
                raise refusals.refusal(
                    "AlreadyExistsException", f"Key {tag['TagValue']} already exists"
                )
        document = parameters.get("Policy")
        if document:
            policy.check(
                document,
                caller,
                "*",
                bypass_lockout_check=parameters.get("BypassPolicyLockoutSafetyCheck", False),
            )
        else:
            document = policy.default(caller.account)
        answer = self._kms.call(caller, "CreateKey", {**parameters, "Policy": document})
        key = replace(Key.described(answer["KeyMetadata"], document), created=self._now())
        if caller.kind == "AWSService" and caller.account != SERVICE_ACCOUNT:
            key = key.managed_by_service(caller.principal.removesuffix(".amazonaws.com"))
        with self._ledger.change():
            self._ledger.put_key(key)
        return self._described(answer)

    def _described(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        metadata = answer["KeyMetadata"]
        key = self._ledger.key(metadata["Arn"])
        if key is None:
            return dict(answer)
        manager = "AWS" if key.managed_by else "CUSTOMER"
        return {
            **answer,
            "KeyMetadata": {
                **metadata,
                "KeyManager": manager,
                "CreationDate": datetime.fromtimestamp(key.created, UTC),
            },
        }

    def _put_policy(self, caller: Caller, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if parameters.get("PolicyName", "default") != "default":
            raise refusals.refusal(
                "UnsupportedOperationException", "Only default policy is supported"
            )
        with self._ledger.change():
            key = self._key(parameters["KeyId"])
            policy.check(
                parameters["Policy"],
                caller,
                key.arn,
                bypass_lockout_check=parameters.get("BypassPolicyLockoutSafetyCheck", False),
            )
            self._ledger.put_key(replace(key, policy=parameters["Policy"]))
        return {}

    def _key(self, arn: str) -> Key:
        key = self._ledger.key(arn)
        if key is None:
            raise refusals.no_such_key(arn)
        return key


def _check_usage(parameters: Mapping[str, Any]) -> None:
    spec = (
        parameters.get("KeySpec") or parameters.get("CustomerMasterKeySpec") or "SYMMETRIC_DEFAULT"
    )
    usage = parameters.get("KeyUsage")
    usages = _USAGES.get(spec.partition("_")[0])
    if usage is None and not spec.startswith("SYMMETRIC"):
        raise refusals.invalid(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
        )
    if usage and usages and usage not in usages:
        raise refusals.invalid(f"KeyUsage {usage} is not compatible with KeySpec {spec}.")


def _check_alias(caller: Caller, name: str) -> None:
    if not name.startswith("alias/"):
        raise refusals.invalid(
            'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html'
        )
    if name.startswith("alias/aws/") and caller.kind != "AWSService":
        raise refusals.refusal("NotAuthorizedException")  # recorded by moto, with an empty message


def _check_tags(parameters: Mapping[str, Any]) -> None:
    if any(tag["TagKey"].lower().startswith("aws:") for tag in parameters.get("Tags", ())):
        raise refusals.refusal("TagException", "Tags beginning with aws: are reserved")
