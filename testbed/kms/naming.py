"""The gate that finds which key is meant: ids, ARNs and aliases become key ARNs.

A ciphertext names its key too. Behind this gate keys are named by ARN only, under ``KeyId``,
``SourceKeyId``, ``DestinationKeyId`` and ``TargetKeyId``.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from testbed.arn import KEY_ID, Arn
from testbed.documented import regions
from testbed.documented.key_listings import PREDEFINED_ALIASES
from testbed.documented.key_states import CRYPTOGRAPHIC
from testbed.errors import KmsError
from testbed.kms import alias_names, refusals
from testbed.kms.backend import Backend
from testbed.kms.base import Caller, root
from testbed.kms.call import KmsCall
from testbed.kms.key import Key
from testbed.kms.ledger import Ledger, View

# Operations that take an alias for a key (API reference); all others take an id or an ARN.
_TAKES_ALIAS = frozenset((*CRYPTOGRAPHIC, "DescribeKey", "GetPublicKey"))
_KEYS = ("KeyId", "SourceKeyId", "DestinationKeyId", "TargetKeyId")
_NAMED_BY_CIPHERTEXT = {"Decrypt": "KeyId", "ReEncrypt": "SourceKeyId"}
_ARN = re.compile(r"(arn:aws[a-z-]*):kms:([a-z0-9-]+):(\d{12}):(?:key/(.+)|(alias/.+))")
_KEY_ID = re.compile(KEY_ID)
# LocalStack's ciphertext: the id of the key, then initialisation vector, tag and encrypted bytes.
_ID_LENGTH, _HEADER_LENGTH = 36, 36 + 16 + 16


def owner(arn: str) -> Caller:
    """Return the root user of the account that a key is in, calling in the key's Region."""
    key = Arn.parse(arn)
    return root(key.account, key.region)


def key_arn(region: str, account: str, key_id: str) -> str:
    return regions.arn("kms", region, account, f"key/{key_id}")


def alias_arn(region: str, account: str, alias: str) -> str:
    return regions.arn("kms", region, account, alias)


def key_id_in(blob: bytes) -> str:
    """Return the id of the key that made a ciphertext; empty if no symmetric key made it."""
    key_id = bytes(blob[:_ID_LENGTH]).decode("ascii", "replace")
    return key_id if len(blob) > _HEADER_LENGTH and _KEY_ID.fullmatch(key_id) else ""


class KeyNames:
    """Finds keys in the ledger, and on LocalStack those that are not in the ledger yet."""

    def __init__(self, backend: Backend, ledger: Ledger) -> None:
        self._backend, self._ledger = backend, ledger

    def resolve(self, call: KmsCall) -> KmsCall:
        """Return the call with ARNs in place of names.

        Raises ``NotFoundException`` for an unknown key or alias, ``InvalidCiphertextException``
        for a ciphertext that no key made.
        """
        alias_names.check(call)
        parameters: dict[str, Any] = {
            name: self._arn(call, value) if name in _KEYS else value
            for name, value in call.parameters.items()
        }
        member = _NAMED_BY_CIPHERTEXT.get(call.operation)
        if member is None or member in parameters:
            return replace(call, parameters=parameters, requested=call.parameters)
        arn = self._of_ciphertext(call, parameters.get("CiphertextBlob", b""))
        parameters[member] = arn
        return replace(call, parameters=parameters, requested=call.parameters, implied_key=arn)

    def target(self, region: str, account: str, alias: str) -> str:
        """Return the ARN of the key behind an alias of ``account``. Raises ``KmsError``."""
        owning = root(account, region)
        if alias in PREDEFINED_ALIASES:
            # LocalStack makes a key on the first mention, whoever it is that mentions it.
            kept = self._backend.list_all(owning, "ListAliases", "Aliases")
            if alias not in {entry["AliasName"] for entry in kept}:
                raise refusals.no_such_alias(alias_arn(region, account, alias))
        try:
            arn: str = self._describe(owning, alias)["Arn"]
        except KmsError as error:
            if error.code == "NotFoundException":
                raise refusals.no_such_alias(alias_arn(region, account, alias)) from error
            raise
        return arn

    def key(self, ledger: View, arn: str) -> Key:
        """Return what is known of a key. Raises ``KmsError`` for an unknown one."""
        known = ledger.key(arn)
        if known:
            return known
        try:
            return self._learn(arn)
        except KmsError as error:
            if error.code == "NotFoundException":
                raise refusals.no_such_key(arn) from error
            raise

    def _arn(self, call: KmsCall, name: str) -> str:
        own, region = call.caller.account, call.caller.region
        account, key_id, alias = _parse(call.caller, name)
        try:
            if alias and call.operation in _TAKES_ALIAS:
                return self._behind(call, account, alias)
            if not _KEY_ID.fullmatch(key_id):
                raise refusals.invalid_key_id(key_id or name)
        except KmsError as error:
            if error.code == "NotFoundException" and account != own:
                raise refusals.access_denied(
                    call.caller.principal, f"kms:{call.operation}", name, other_account=True
                ) from error
            raise
        return key_arn(region, account, key_id)

    def _behind(self, call: KmsCall, account: str, alias: str) -> str:
        """Return the ARN of the key behind an alias; the caller's predefined ones get one now."""
        region = call.caller.region
        try:
            return self.target(region, account, alias)
        except KmsError as error:
            own = account == call.caller.account
            if error.code != "NotFoundException" or alias not in PREDEFINED_ALIASES or not own:
                raise
        with self._ledger.change() as change:
            with suppress(KmsError):
                return self.target(region, account, alias)  # another process was faster
            service = alias.removeprefix("alias/aws/")
            owning = root(account, region)
            name = {"mq": "Amazon MQ"}.get(service, service)
            description = f"Default key that protects my {name} data when no other key is defined"
            metadata = self._backend.call(owning, "CreateKey", {"Description": description})
            key = Key.from_metadata(metadata["KeyMetadata"], "")
            change.put_key(replace(key, created=call.now).managed_by_service(service))
            target = {"AliasName": alias, "TargetKeyId": key.arn}
            self._backend.call(owning, "CreateAlias", target)
            change.put_alias(alias_arn(region, account, alias), call.now)
        return key.arn

    def _of_ciphertext(self, call: KmsCall, blob: bytes) -> str:
        """Return the ARN of the key that made a ciphertext.

        It is in the caller's Region, and in the caller's account or, if the ledger knows it there,
        in another.
        """
        key_id = key_id_in(blob)
        if not key_id:
            raise refusals.invalid_ciphertext()
        region = call.caller.region
        own = key_arn(region, call.caller.account, key_id)
        arns = [arn for arn in call.ledger.arns(key_id) if Arn.parse(arn).region == region]
        try:
            return self.key(call.ledger, arns[0] if arns and own not in arns else own).arn
        except KmsError as error:
            if error.code != "NotFoundException":
                raise
            action = "ReEncryptFrom" if call.operation == "ReEncrypt" else call.operation
            refusal = refusals.access_denied(
                call.caller.principal, f"kms:{action}", own, other_account=True
            )
            raise refusals.denied_for_ciphertext(refusal, own) from error

    def _learn(self, arn: str) -> Key:
        """Take a key into the ledger that LocalStack alone knows.

        It was made there directly, or its creation was cut short before the ledger had it.
        """
        caller = owner(arn)
        with self._ledger.change() as change:
            metadata = self._describe(caller, arn)
            policy = self._backend.call(
                caller, "GetKeyPolicy", {"KeyId": arn, "PolicyName": "default"}
            )["Policy"]
            aliases = self._backend.call(caller, "ListAliases", {"KeyId": arn})["Aliases"]
            services = [
                alias["AliasName"].removeprefix("alias/aws/")
                for alias in aliases
                if alias["AliasName"].startswith("alias/aws/")
            ]
            tags = self._backend.list_all(caller, "ListResourceTags", "Tags", KeyId=arn)
            key = replace(
                Key.from_metadata(metadata, policy),
                tags={tag["TagKey"]: tag["TagValue"] for tag in tags},
            )
            if services:
                key = key.managed_by_service(services[0])
            known = change.key(arn)  # another process may have been faster
            if known is None:
                change.put_key(key)
        return known or key

    def _describe(self, caller: Caller, name: str) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self._backend.call(caller, "DescribeKey", {"KeyId": name})[
            "KeyMetadata"
        ]
        return metadata


def _parse(caller: Caller, name: str) -> tuple[str, str, str]:
    """Return account, key id and alias of ``name``; one of the last two is empty."""
    if not name.startswith("arn:"):
        is_alias = name.startswith("alias/")
        return (caller.account, "", name) if is_alias else (caller.account, name, "")
    match = _ARN.fullmatch(name)
    if not match:
        raise refusals.invalid_arn(name)
    partition, region, account, key_id, alias = match.groups()
    if region != caller.region:
        raise refusals.other_region(region)
    if partition != f"arn:{regions.partition(region).name}":
        raise refusals.invalid_arn(name)
    return account, key_id or "", alias or ""
