"""SecureString parameters under a key of the customer's.

Parameter Store has KMS encrypt and decrypt them in the caller's name, with the parameter's ARN as
encryption context ("How AWS Systems Manager Parameter Store uses AWS KMS"). What is kept is the
ciphertext, so a parameter cannot be read without its key.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from testbed.account.moto_backends import MotoBackends
from testbed.account.neighbours import neighbour
from testbed.account.store import Place
from testbed.documented import regions
from testbed.errors import ApiError, KmsError
from testbed.kms.base import Caller, Kms, is_outage

MANAGED = "alias/aws/ssm"
_SERVICE = "ssm.amazonaws.com"
_SEALED = "testbed-ciphertext:"
_OTHER_TYPE = (
    "Parameter Store does not support changing a parameter type in a hierarchy. You must create a "
    "new, unique parameter."  # API reference
)


@dataclass(frozen=True)
class SecureStrings:
    """The parameters of a caller.

    ``read_secret`` returns the text of a secret by its ARN and what is kept of the text, for
    parameters that stand for one. It raises ``ApiError`` for who may not read it.
    """

    kms: Kms
    caller: Caller
    backends: MotoBackends
    read_secret: Callable[[str, str], str]

    def sealed(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Return a PutParameter request with the ciphertext, if it names a key.

        A new version without ``Type`` has that of the one before; without ``KeyId`` it is under
        the default key, whichever the one before was under. Raises ``ApiError`` where KMS refuses.
        """
        kind, pattern = self._stored(sent["Name"])
        sent = _with_pattern(sent, pattern)
        if kind and sent.get("Overwrite") and sent.get("Type", kind) != kind:  # moto changes it
            raise ApiError(_OTHER_TYPE, code="HierarchyTypeMismatchException", status=400)
        if sent.get("Type", kind) != "SecureString":
            return dict(sent)
        if sent.get("KeyId", MANAGED) == MANAGED:
            return {**sent, "KeyId": MANAGED}  # moto would keep the key of the version before
        answer = self._call(
            "Encrypt",
            KeyId=sent["KeyId"],
            Plaintext=str(sent["Value"]).encode(),
            EncryptionContext=self._context(sent["Name"]),
        )
        return {**sent, "Value": _SEALED + b64encode(answer["CiphertextBlob"]).decode()}

    def opened(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Return an answer with the plaintext of its parameters. Raises ``ApiError``."""
        opened = dict(answer)
        if "Parameter" in answer:
            opened["Parameter"] = self._opened(answer["Parameter"])
        if "Parameters" in answer:
            opened["Parameters"] = [self._opened(parameter) for parameter in answer["Parameters"]]
        return opened

    def _opened(self, parameter: Mapping[str, Any]) -> dict[str, Any]:
        value = str(parameter.get("Value", ""))
        if "SourceResult" in parameter:
            arn = json.loads(parameter["SourceResult"])["ARN"]
            return {**parameter, "Value": self.read_secret(arn, value)}
        if not value.startswith(_SEALED):
            return dict(parameter)
        answer = self._call(
            "Decrypt",
            CiphertextBlob=b64decode(value.removeprefix(_SEALED)),
            EncryptionContext=self._context(parameter["Name"]),
        )
        return {**parameter, "Value": answer["Plaintext"].decode()}

    def _stored(self, name: str) -> tuple[str, str]:
        """Return the type and the pattern of a parameter, empty for an unknown one."""

        def look(moto: Any) -> tuple[str, str]:
            parameters = moto._parameters  # noqa: SLF001 - moto has no other name for it
            versions = parameters.get(parameters.normalize_name(name))  # "/a" is kept as "a"
            if not versions:
                return "", ""
            return versions[-1].parameter_type, versions[-1].allowed_pattern or ""

        place = Place("ssm", self.caller.account, self.caller.region)
        return self.backends.read(neighbour("ssm"), place, look)

    def _context(self, name: str) -> dict[str, str]:
        resource = f"parameter/{name.lstrip('/')}"
        arn = regions.arn("ssm", self.caller.region, self.caller.account, resource)
        return {"PARAMETER_ARN": arn}

    def _call(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        try:
            return self.kms.call(self.caller.through(_SERVICE), operation, parameters)
        except KmsError as error:
            if is_outage(error):
                raise ApiError(
                    "KMS does not answer.", code="InternalServerError", status=500
                ) from error
            denied = error.code == "AccessDeniedException"
            raise ApiError(
                error.message, code=error.code if denied else "InvalidKeyId", status=400
            ) from error


def _with_pattern(sent: Mapping[str, Any], kept: str) -> Mapping[str, Any]:
    """Return the request with the pattern that counts: its own, or the one ``kept`` from before.

    Raises ``ApiError`` for a value that does not match it ("Creating Parameter Store parameters
    using the AWS CLI"); moto looks at none.
    """
    pattern = sent.get("AllowedPattern") or kept
    if not pattern:
        return sent
    try:
        fits = re.fullmatch(pattern, str(sent["Value"]))
    except re.error as error:
        sentence = f"The pattern {pattern} is not valid."
        raise ApiError(sentence, code="InvalidAllowedPatternException", status=400) from error
    if not fits:
        sentence = f"Parameter value, cannot be validated against allowedPattern: {pattern}"
        raise ApiError(sentence, code="ParameterPatternMismatchException", status=400)
    return {**sent, "AllowedPattern": pattern}
