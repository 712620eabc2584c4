"""LocalStack, called so that it behaves like AWS.

==========================  =========================================  ========================
subject                     LocalStack 2026.3                          here, as AWS
==========================  =========================================  ========================
encryption context          bound as concatenated text                 bound as pairs
keys of another account     some operations do not find them           found
target of UpdateAlias       kept as given; an ARN leads nowhere        id or ARN
malformed request           ``ValidationError``                        ``ValidationException``
garbage as ciphertext       a sentence of its own                      no sentence
- under an RSA key          ``InternalError``                          the same
what it did not expect      ``InternalError``                          ``KMSInternalException``
DryRun                      mostly ignored                             see ``operations``
==========================  =========================================  ========================
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from testbed.arn import Arn
from testbed.errors import KmsError
from testbed.kms import refusals
from testbed.kms.base import Caller, Kms

_CONTEXTS = ("EncryptionContext", "SourceEncryptionContext", "DestinationEncryptionContext")
_PAGE = 1000  # items that LocalStack returns at once
_FAILED = "InternalError"
_DRY_RUN = ("DryRun", "DryRunModifiers")


class Backend:
    """KMS at ``kms``, LocalStack. It does not ask whether the caller may."""

    def __init__(self, kms: Kms) -> None:
        self._kms = kms

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``. The call is made where the key is, if an ARN names it."""
        request: dict[str, Any] = {
            name: bind_context(value) if name in _CONTEXTS else value
            for name, value in parameters.items()
            if name not in _DRY_RUN
        }
        key: str = request.get("KeyId") or request.get("TargetKeyId") or ""
        if key.startswith("arn:"):
            arn = Arn.parse(key)
            if not caller.owns(arn.account, arn.region):
                caller = replace(caller, account=arn.account, region=arn.region)
        if "TargetKeyId" in request:
            request["TargetKeyId"] = request["TargetKeyId"].rpartition("/")[2]
        try:
            return self._kms.call(caller, operation, request)
        except KmsError as error:
            if error.code == "ValidationError":  # not one of KMS's codes
                raise refusals.invalid(error.message) from error
            # It reads a key's id in what an RSA key should open, and fails where there is none.
            by_rsa = operation == "Decrypt" and "EncryptionAlgorithm" in request
            garbage = ("IncorrectKeyException", _FAILED) if by_rsa else ()
            if error.code in ("InvalidCiphertextException", *garbage):
                raise refusals.invalid_ciphertext() from error
            if error.code == _FAILED:  # a full disk, for example: no refusal
                raise refusals.internal(error.message) from error
            raise

    def list_all(
        self, caller: Caller, operation: str, member: str, **parameters: Any
    ) -> list[Mapping[str, Any]]:
        """Return all pages of a list, which is the answer's ``member``."""
        request: dict[str, Any] = {**parameters, "Limit": _PAGE}
        items: list[Mapping[str, Any]] = []
        while True:
            answer = self.call(caller, operation, request)
            items += answer[member]
            if not answer.get("Truncated"):
                return items
            request["Marker"] = answer["NextMarker"]


def bind_context(context: Mapping[str, str] | None) -> dict[str, str]:
    """Return the encryption context to give to LocalStack instead of ``context``.

    LocalStack binds the text of the sorted pairs one after the other, so ``{"a": "bc"}`` opens
    what ``{"ab": "c"}`` closed. It is given one pair instead, whose value is the list of pairs in
    JSON: different contexts, different texts. An empty context stays empty, as on AWS.
    """
    return {"pairs": json.dumps(sorted(context.items()), separators=(",", ":"))} if context else {}
