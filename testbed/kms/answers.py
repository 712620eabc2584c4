"""Cryptography as AWS does it, where LocalStack does it differently.

==============================  ===========================================  ======================================
asked                           LocalStack 2026.3                            here, as AWS
==============================  ===========================================  ======================================
size of a data key              32 bytes whatever is asked                   what is asked, or ValidationException
encryption context              bound as concatenated text                   bound as pairs, see ``context``
Decrypt of garbage              a sentence of its own                        InvalidCiphertextException, empty
Decrypt by an RSA key           with any EncryptionAlgorithm                 InvalidKeyUsageException
ReEncrypt                       HTTP 500 without SourceKeyId                 the ciphertext names its key
EncryptionAlgorithm             absent from answers                          SYMMETRIC_DEFAULT
DryRun                          mostly not heeded                            DryRunOperationException
public key of a symmetric key   an answer without one                        UnsupportedOperationException
==============================  ===========================================  ======================================
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from testbed.errors import KmsError
from testbed.kms import refusals
from testbed.kms.base import Caller, Kms
from testbed.kms.context import bound
from testbed.kms.ledger import Ledger

SYMMETRIC = "SYMMETRIC_DEFAULT"
_SIZES = {"AES_256": 32, "AES_128": 16}
_CONTEXTS = ("EncryptionContext", "SourceEncryptionContext", "DestinationEncryptionContext")
KEY_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|mrk-[0-9a-fA-F]{32}")
# LocalStack's ciphertext: the id of the key, then initialisation vector, tag and the encrypted bytes.
_ID, _HEADER = 36, 36 + 16 + 16


def key_id_in(blob: bytes) -> str:
    """The id of the key that made a ciphertext; empty for what no symmetric key made."""
    key_id = bytes(blob[:_ID]).decode("ascii", "replace")
    return key_id if len(blob) > _HEADER and KEY_ID.fullmatch(key_id) else ""


class FaithfulKms:
    """The innermost wrapper around LocalStack. Keys are named by ARN; whether the caller may is settled."""

    def __init__(self, kms: Kms, ledger: Ledger) -> None:
        self._kms, self._ledger = kms, ledger

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``."""
        asked = {
            name: bound(value) if name in _CONTEXTS else value
            for name, value in parameters.items()
            if name not in ("DryRun", "DryRunModifiers")
        }
        dry_run = parameters.get("DryRun", False)
        if dry_run and "IGNORE_CIPHERTEXT" in parameters.get("DryRunModifiers", ()):
            raise refusals.dry_run()
        if operation in ("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"):
            answer = self._data_key(caller, operation, asked)
        elif operation in ("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"):
            self._check(asked["KeyId"], operation, SYMMETRIC)
            answer = self._ask(caller, operation, asked)
        elif operation == "Encrypt":
            answer = self._encrypt(caller, asked)
        elif operation == "Decrypt":
            answer = self._decrypt(caller, asked)
        elif operation == "ReEncrypt":
            answer = self._reencrypt(caller, asked)
        elif operation == "GetPublicKey" and self._spec(asked["KeyId"]).startswith(
            ("SYMMETRIC", "HMAC")
        ):
            raise refusals.refusal("UnsupportedOperationException")
        else:
            answer = self._ask(caller, operation, asked)
        if dry_run:
            raise refusals.dry_run()
        return answer

    def _data_key(self, caller: Caller, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        if ("NumberOfBytes" in asked) == ("KeySpec" in asked):
            raise refusals.invalid("Please specify either number of bytes or key spec.")
        self._check(asked["KeyId"], operation, SYMMETRIC)
        plaintext = secrets.token_bytes(asked.get("NumberOfBytes") or _SIZES[asked["KeySpec"]])
        wrapped = self._ask(
            caller,
            "Encrypt",
            {
                "KeyId": asked["KeyId"],
                "Plaintext": plaintext,
                "EncryptionContext": asked.get("EncryptionContext", {}),
            },
        )
        answer = {"CiphertextBlob": wrapped["CiphertextBlob"], "KeyId": wrapped["KeyId"]}
        return (
            answer
            if operation == "GenerateDataKeyWithoutPlaintext"
            else {**answer, "Plaintext": plaintext}
        )

    def _encrypt(
        self, caller: Caller, asked: Mapping[str, Any], operation: str = "Encrypt"
    ) -> dict[str, Any]:
        algorithm = asked.get("EncryptionAlgorithm", SYMMETRIC)
        self._check(asked["KeyId"], operation, algorithm)
        return {**self._ask(caller, "Encrypt", asked), "EncryptionAlgorithm": algorithm}

    def _decrypt(
        self, caller: Caller, asked: Mapping[str, Any], operation: str = "Decrypt"
    ) -> dict[str, Any]:
        algorithm = asked.get("EncryptionAlgorithm", SYMMETRIC)
        if algorithm == SYMMETRIC:
            key_id = key_id_in(asked["CiphertextBlob"])
            if not key_id:
                raise refusals.invalid_ciphertext()
            if asked["KeyId"].rpartition("/")[2] != key_id:
                raise refusals.incorrect_key()
        self._check(asked["KeyId"], operation, algorithm)
        return {**self._ask(caller, "Decrypt", asked), "EncryptionAlgorithm": algorithm}

    def _reencrypt(self, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
        source = {
            "CiphertextBlob": asked["CiphertextBlob"],
            "KeyId": asked["SourceKeyId"],
            "EncryptionContext": asked.get("SourceEncryptionContext", {}),
            "EncryptionAlgorithm": asked.get("SourceEncryptionAlgorithm", SYMMETRIC),
        }
        opened = self._decrypt(caller, source, "ReEncrypt")
        destination = {
            "KeyId": asked["DestinationKeyId"],
            "Plaintext": opened["Plaintext"],
            "EncryptionContext": asked.get("DestinationEncryptionContext", {}),
            "EncryptionAlgorithm": asked.get("DestinationEncryptionAlgorithm", SYMMETRIC),
        }
        closed = self._encrypt(caller, destination, "ReEncrypt")
        return {
            "CiphertextBlob": closed["CiphertextBlob"],
            "SourceKeyId": opened["KeyId"],
            "KeyId": closed["KeyId"],
            "SourceEncryptionAlgorithm": opened["EncryptionAlgorithm"],
            "DestinationEncryptionAlgorithm": closed["EncryptionAlgorithm"],
        }

    def _check(self, arn: str, operation: str, algorithm: str) -> None:
        """Whether the key is one to encrypt with, by ``algorithm``."""
        key = self._ledger.key(arn)
        if key and key.usage != "ENCRYPT_DECRYPT":
            raise refusals.invalid_usage(arn, key.usage, operation)
        if key and key.symmetric != (algorithm == SYMMETRIC):
            raise refusals.incompatible(algorithm, key.spec)

    def _spec(self, arn: str) -> str:
        key = self._ledger.key(arn)
        return key.spec if key else ""

    def _ask(self, caller: Caller, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """LocalStack, in the account of the key: some of its operations look for keys in the caller's alone."""
        arn = asked.get("KeyId") or asked.get("TargetKeyId")
        account = arn.split(":")[4] if arn else caller.account
        if (
            "TargetKeyId" in asked
        ):  # UpdateAlias keeps it as it is given, and an alias of an ARN leads nowhere
            asked = {**asked, "TargetKeyId": asked["TargetKeyId"].rpartition("/")[2]}
        try:
            return self._kms.call(
                caller if account == caller.account else replace(caller, account=account),
                operation,
                asked,
            )
        except KmsError as error:
            if error.code == "ValidationError":  # not a code of KMS
                raise refusals.invalid(error.message) from error
            if error.code == "InvalidCiphertextException":
                raise refusals.invalid_ciphertext() from error
            raise
