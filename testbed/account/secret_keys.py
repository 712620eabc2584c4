"""Secrets under a key of the customer's.

Secrets Manager has KMS make a data key for each version, and decrypt it for each reading, in the
caller's name ("Secret encryption and decryption in AWS Secrets Manager"). What is kept is the
ciphertext, so a secret cannot be read without its key.
"""

import json
import os
import secrets
import string
import threading
import uuid
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from testbed.account.moto_backends import MotoBackends
from testbed.account.neighbours import neighbour
from testbed.account.store import Place
from testbed.documented import regions
from testbed.errors import ApiError, KmsError
from testbed.kms.base import Caller, Kms, is_outage

MANAGED = "alias/aws/secretsmanager"
_SERVICE = "secretsmanager.amazonaws.com"
_SEALED = "testbed-ciphertext:"
_VALUES = ("SecretString", "SecretBinary")
_VALIDATE = "RequestToValidateKeyAccess"
_NONCE = 12  # bytes
# The sentences of the API reference.
_CANNOT_ENCRYPT = (
    "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check "
    "that the KMS key is available, enabled, and not in an invalid state."
)
_CANNOT_DECRYPT = (
    "Secrets Manager can't decrypt the protected secret text using the provided KMS key."
)
_DELETED = (
    "You can't perform this operation on the secret because it was marked for deletion."  # AWS's
)
_FAILURES = {
    "GenerateDataKey": ("EncryptionFailure", _CANNOT_ENCRYPT),
    "Decrypt": ("DecryptionFailure", _CANNOT_DECRYPT),
}
_BOTH = "You can't specify both a binary secret value and a string secret value in the same secret."
_NAMING = threading.Lock()  # the names that moto is given are those of the process
Body = dict[str, Any]


@dataclass(frozen=True)
class _Stored:
    """A secret as moto keeps it; ``versions`` are their texts by their ids."""

    arn: str = ""
    key: str = MANAGED
    is_deleted: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SecretKeys:
    """The secrets of a caller. Methods raise ``ApiError`` where KMS refuses.

    ``may_read`` raises it for the ARN of a secret, in a batch or behind a parameter, that the
    caller may not read.
    """

    kms: Kms
    caller: Caller
    backends: MotoBackends
    may_read: Callable[[str], None]

    @contextmanager
    def sealed(self, operation: str, body: bytes) -> Iterator[bytes]:
        """Yield a request with the ciphertext, if its secret has a key, for the call of moto."""
        sent: Body = json.loads(body or "{}")
        if operation not in ("CreateSecret", "PutSecretValue", "UpdateSecret"):
            yield body
            return
        if all(sent.get(member) is not None for member in _VALUES):  # moto keeps both
            raise ApiError(_BOTH, code="InvalidParameterException", status=400)
        creates = operation == "CreateSecret"
        stored = self._stored(str(sent.get("Name" if creates else "SecretId", "")))
        if operation == "PutSecretValue" and stored.is_deleted:  # moto keeps the value
            raise ApiError(_DELETED, code="InvalidRequestException", status=400)
        current = MANAGED if creates else stored.key
        key = str(sent.get("KmsKeyId") or current)
        if (key == MANAGED and current == MANAGED) or not (creates or stored.arn):
            yield body
            return
        value = next((member for member in _VALUES if sent.get(member) is not None), "")
        if operation == "UpdateSecret" and key != current and not value:
            raise ApiError(
                "The testbed changes a secret's key only together with its value.",
                code="InvalidRequestException",
                status=400,
            )
        if sent.get("KmsKeyId"):
            self._validate(key)
        if not value:
            yield body
        elif stored.arn:
            yield self._seal(sent, value, key, stored)
        else:
            name, suffix = str(sent["Name"]), _suffix()
            new = _Stored(self._arn(f"{name}-{suffix}"), key)
            sealed = self._seal(sent, value, key, new)
            with self._named(name, suffix):
                yield sealed

    def opened(self, answer: Mapping[str, Any]) -> Body:
        """Return an answer with the plaintext of its secrets."""
        opened = self._opened(answer)
        if "SecretValues" in answer:
            opened |= {"SecretValues": [], "Errors": list(answer.get("Errors", ()))}
            for secret in answer["SecretValues"]:
                try:
                    self.may_read(secret["ARN"])
                    opened["SecretValues"].append(self._opened(secret))
                except ApiError as error:
                    refused = {"ErrorCode": error.code, "Message": str(error)}
                    opened["Errors"].append({"SecretId": secret["ARN"], **refused})
        return opened

    def read(self, arn: str, text: str) -> str:
        """Return the text of a secret of which ``text`` is kept, to Parameter Store."""
        self.may_read(arn)
        versions = self._stored(arn).versions
        version = next((version for version, kept in versions.items() if kept == text), "")
        opened = self._opened({"ARN": arn, "VersionId": version, "SecretString": text})
        return str(opened.get("SecretString", ""))

    def _seal(self, sent: Body, value: str, key: str, secret: "_Stored") -> bytes:
        """Return a request in which a ciphertext is the value. Both kinds are kept as a string.

        A version that has this value already keeps its ciphertext: the request is one sent again.
        """
        if key == MANAGED:
            return json.dumps(sent).encode()
        version = str(sent.get("ClientRequestToken") or uuid.uuid4())
        others = {name: sent[name] for name in sent if name not in _VALUES}
        text = secret.versions.get(version, "")
        known = {"ARN": secret.arn, "VersionId": version, "SecretString": text}
        if not text or self._opened(known).get(value) != sent[value]:
            text = self._ciphertext({value: sent[value]}, key, _context(secret.arn, version))
        return json.dumps({**others, "SecretString": text, "ClientRequestToken": version}).encode()

    def _ciphertext(self, value: Body, key: str, context: Mapping[str, str]) -> str:
        data = self._call("GenerateDataKey", context, KeyId=key, KeySpec="AES_256")
        nonce, plain = os.urandom(_NONCE), json.dumps(value).encode()
        encrypted = nonce + AESGCM(data["Plaintext"]).encrypt(nonce, plain, None)
        parts = (b64encode(part).decode() for part in (data["CiphertextBlob"], encrypted))
        return _SEALED + ".".join(parts)

    def _opened(self, secret: Mapping[str, Any]) -> Body:
        text = str(secret.get("SecretString", ""))
        if not text.startswith(_SEALED):
            return dict(secret)
        blob, sealed = (b64decode(part) for part in text.removeprefix(_SEALED).split("."))
        context = _context(secret["ARN"], secret["VersionId"])
        data = self._call("Decrypt", context, CiphertextBlob=blob)
        plain = AESGCM(data["Plaintext"]).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        others = {name: secret[name] for name in secret if name != "SecretString"}
        return {**others, **json.loads(plain)}

    def _validate(self, key: str) -> None:
        """Try whether the caller may use a key, as the service does when it gets one."""
        if key == MANAGED:
            return
        context = _context(_VALIDATE, _VALIDATE)
        made = self._call("GenerateDataKey", context, KeyId=key, KeySpec="AES_256")
        self._call("Decrypt", context, CiphertextBlob=made["CiphertextBlob"])

    def _stored(self, name: str) -> "_Stored":
        """Return a secret by its name or ARN, which may lack its end; of an unknown one no ARN."""

        def look(moto: Any) -> _Stored:
            secret = moto.secrets.get(name)
            if secret is None:
                return _Stored()
            texts = {
                version: str(content.get("secret_string", ""))
                for version, content in secret.versions.items()
            }
            return _Stored(secret.arn, secret.kms_key_id or MANAGED, secret.is_deleted(), texts)

        place = Place("secretsmanager", self.caller.account, self.caller.region)
        return self.backends.read(neighbour("secretsmanager"), place, look)

    def _arn(self, name: str) -> str:
        caller = self.caller
        return regions.arn("secretsmanager", caller.region, caller.account, f"secret:{name}")

    @contextmanager
    def _named(self, name: str, suffix: str) -> Iterator[None]:
        """Let moto give this suffix to the ARN of a new secret within the block, to one alone."""
        from moto.secretsmanager.utils import SecretsManagerSecretIdentifier  # it loads moto
        from moto.utilities.id_generator import moto_id_manager

        identifier = SecretsManagerSecretIdentifier(self.caller.account, self.caller.region, name)
        with _NAMING:
            moto_id_manager.set_custom_id(identifier, suffix)
            try:
                yield
            finally:
                moto_id_manager.unset_custom_id(identifier)

    def _call(
        self, operation: str, context: Mapping[str, str], **parameters: Any
    ) -> Mapping[str, Any]:
        sent = {**parameters, "EncryptionContext": context}
        try:
            return self.kms.call(self.caller.through(_SERVICE), operation, sent)
        except KmsError as error:
            if is_outage(error):
                raise ApiError(
                    "KMS does not answer.", code="InternalServiceError", status=500
                ) from error
            code, sentence = _FAILURES[operation]
            if error.code == "AccessDeniedException":
                code, sentence = error.code, "Access to KMS is not allowed"
            raise ApiError(sentence, code=code, status=400) from error


def _suffix() -> str:
    """Return the characters in which the ARN of a new secret ends."""
    return "".join(secrets.choice(string.ascii_letters) for _ in range(6))


def _context(arn: str, version: str) -> dict[str, str]:
    return {"SecretARN": arn, "SecretVersionId": version}
