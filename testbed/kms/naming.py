"""Which key is meant: ids, ARNs and aliases become key ARNs, and a ciphertext names its key.

Everything behind this wrapper sees key ARNs only, under the names ``KeyId``, ``SourceKeyId``, ``DestinationKeyId`` and
``TargetKeyId``.
"""

import re
from collections.abc import Mapping
from typing import Any

from testbed.documented.engines import REGION
from testbed.errors import KmsError
from testbed.kms import refusals
from testbed.kms.answers import KEY_ID, key_id_in
from testbed.kms.base import Caller, Kms
from testbed.kms.ledger import Ledger
from testbed.kms.states import Key

# Operations that take an alias for a key (API reference); all others take an id or an ARN.
_ALIAS_TOO = frozenset(
    [
        "DescribeKey",
        "Encrypt",
        "Decrypt",
        "ReEncrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GetPublicKey",
        "Sign",
        "Verify",
        "GenerateMac",
        "VerifyMac",
        "DeriveSharedSecret",
    ]
)
_KEYS = ("KeyId", "SourceKeyId", "DestinationKeyId", "TargetKeyId")
_SOURCE = {"Decrypt": "KeyId", "ReEncrypt": "SourceKeyId"}  # what a ciphertext names in its stead
_ARN = re.compile(r"arn:aws:kms:([a-z0-9-]+):(\d{12}):(?:key/(.+)|(alias/.+))")


def owner(account: str) -> Caller:
    return Caller(f"arn:aws:iam::{account}:root", account, "Root")


def key_arn(account: str, key_id: str) -> str:
    return f"arn:aws:kms:{REGION}:{account}:key/{key_id}"


def alias_arn(account: str, alias: str) -> str:
    return f"arn:aws:kms:{REGION}:{account}:{alias}"


class KeyNames:
    """Finds keys in the ledger, and on LocalStack those that the ledger does not know yet."""

    def __init__(self, backend: Kms, ledger: Ledger) -> None:
        self._backend, self._ledger = backend, ledger

    def arn(self, account: str, name: str, *, alias_too: bool = True) -> str:
        """The ARN of the key that a caller of ``account`` means by ``name``. Raises ``KmsError`` when it can mean none."""
        account, key_id, alias = _parsed(account, name)
        if alias and alias_too:
            return self.target(account, alias)
        if not KEY_ID.fullmatch(key_id):
            raise refusals.invalid_key_id(key_id or name)
        return key_arn(account, key_id)

    def target(self, account: str, alias: str) -> str:
        """The ARN of the key that an alias of ``account`` stands for; asked of LocalStack each time. Raises ``KmsError``."""
        try:
            return self._described(account, alias)["Arn"]
        except KmsError as error:
            if error.code == "NotFoundException":
                raise refusals.no_such_alias(alias_arn(account, alias)) from error
            raise

    def key(self, arn: str) -> Key:
        """What is known of a key. Raises ``KmsError`` when there is none of this ARN."""
        known = self._ledger.key(arn)
        if known:
            return known
        try:
            return self._learned(arn)
        except KmsError as error:
            if error.code == "NotFoundException":
                raise refusals.no_such_key(arn) from error
            raise

    def of_ciphertext(self, account: str, key_id: str) -> Key | None:
        """The key that a ciphertext was made with: in ``account`` or, if the ledger knows it there, in another."""
        arns = self._ledger.arns(key_id)
        own = key_arn(account, key_id)
        try:
            return self.key(arns[0] if arns and own not in arns else own)
        except KmsError as error:
            if error.code != "NotFoundException":
                raise
            return None

    def _learned(self, arn: str) -> Key:
        """A key that was made on LocalStack itself, or whose making was cut short before it came into the ledger."""
        account = arn.split(":")[4]
        with self._ledger.change():
            metadata = self._described(account, arn)
            document = self._backend.call(
                owner(account), "GetKeyPolicy", {"KeyId": arn, "PolicyName": "default"}
            )["Policy"]
            aliases = self._backend.call(owner(account), "ListAliases", {"KeyId": arn})["Aliases"]
            services = [
                alias["AliasName"].removeprefix("alias/aws/")
                for alias in aliases
                if alias["AliasName"].startswith("alias/aws/")
            ]
            found = Key.described(metadata, document)
            found = found.managed_by_service(services[0]) if services else found
            known = self._ledger.key(arn)
            if known is None:
                self._ledger.put_key(found)
        return known or found

    def _described(self, account: str, name: str) -> Mapping[str, Any]:
        return self._backend.call(owner(account), "DescribeKey", {"KeyId": name})["KeyMetadata"]


class NamingKms:
    """Put the ARN of the key that is meant in the place of its name."""

    def __init__(self, kms: Kms, names: KeyNames) -> None:
        self._kms, self._names = kms, names

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``; raises ``NotFoundException`` for a key that is not there, ``InvalidCiphertextException`` for what no key made."""
        named = {
            name: self._arn(caller, operation, value) if name in _KEYS else value
            for name, value in parameters.items()
        }
        source = _SOURCE.get(operation, "")
        if not source or source in named:
            return self._kms.call(caller, operation, named)
        key_id = key_id_in(named.get("CiphertextBlob", b""))
        if not key_id:
            raise refusals.invalid_ciphertext()
        key = self._names.of_ciphertext(caller.account, key_id)
        action = "kms:ReEncryptFrom" if operation == "ReEncrypt" else f"kms:{operation}"
        if key is None:
            arn = key_arn(caller.account, key_id)
            raise refusals.denied_for_ciphertext(
                refusals.access_denied(caller.principal, action, arn, other_account=True), arn
            )
        try:
            return self._kms.call(caller, operation, {**named, source: key.arn})
        except KmsError as error:
            if error.code == "AccessDeniedException":
                raise refusals.denied_for_ciphertext(error, key.arn) from error
            raise

    def _arn(self, caller: Caller, operation: str, name: str) -> str:
        try:
            return self._names.arn(caller.account, name, alias_too=operation in _ALIAS_TOO)
        except KmsError as error:
            if (
                error.code == "NotFoundException"
                and _account(caller.account, name) != caller.account
            ):
                raise refusals.access_denied(
                    caller.principal, f"kms:{operation}", name, other_account=True
                ) from error
            raise


def _parsed(account: str, name: str) -> tuple[str, str, str]:
    """The account, the id and the alias that ``name`` gives, as seen from ``account``; one of the last two is empty."""
    if not name.startswith("arn:"):
        return (account, "", name) if name.startswith("alias/") else (account, name, "")
    match = _ARN.fullmatch(name)
    if not match:
        raise refusals.invalid_arn(name)
    region, account, key_id, alias = match.groups()
    if region != REGION:
        raise refusals.other_region(region)
    return account, key_id or "", alias or ""


def _account(account: str, name: str) -> str:
    return _parsed(account, name)[0]
