"""Requests of the right shape: what KMS says of one that is not, before anything else is looked at.

The constraints are those of the service's own model, which botocore carries; the sentences are AWS's
(``1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: ...``, recorded in LocalStack's
snapshot as ``test_generate_random_invalid_number_of_bytes``, ``test_plaintext_size_for_encrypt`` and others).
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, OperationNotFoundError, ServiceModel, Shape
from botocore.validate import ParamValidator

from testbed.kms.base import Caller, Kms
from testbed.kms.refusals import invalid, refusal


class ValidatingKms:
    """Refuse what is malformed; everything behind this wrapper can rely on the model's types and limits."""

    def __init__(self, kms: Kms) -> None:
        self._kms = kms

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``; raises ``ValidationException``, or ``UnknownOperationException`` for what is no operation of KMS."""
        check(operation, parameters)
        return self._kms.call(caller, operation, parameters)


def check(operation: str, parameters: Mapping[str, Any]) -> None:
    """Raises the ``KmsError`` that a malformed request gets."""
    shape = _model(operation).input_shape
    errors: list[str] = []
    try:
        if shape is not None:
            _look(shape, parameters, "", errors)
        # The model does not require it, for there are dry runs without.
        if (
            operation in ("Decrypt", "ReEncrypt")
            and "CiphertextBlob" not in parameters
            and not parameters.get("DryRunModifiers")
        ):
            errors.append(
                "Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null"
            )
    except (
        TypeError,
        AttributeError,
        KeyError,
    ):  # not even the right type: what AWS's own clients say then
        raise invalid(ParamValidator().validate(parameters, shape).generate_report()) from None
    if errors:
        raise invalid(
            f"{len(errors)} validation error{'s' * (len(errors) > 1)} detected: {'; '.join(errors)}"
        )


def _look(shape: Shape, value: Any, path: str, errors: list[str]) -> None:
    kind = shape.type_name
    if kind == "string":
        if not isinstance(value, str):
            raise TypeError
        _text(shape, value, path, errors)
    elif kind == "structure":
        for name in shape.required_members:
            if name not in value:
                errors.append(
                    f"Value null at '{_at(path, name)}' failed to satisfy constraint: Member must not be null"
                )
        for name, member in value.items():
            _look(shape.members[name], member, _at(path, name), errors)
    elif kind == "map":
        for name, member in value.items():
            _look(shape.key, name, path, errors)
            _look(shape.value, member, path, errors)
    elif kind == "list":
        if isinstance(value, str):
            raise TypeError
        _range(shape, len(value), path, "length", errors)
        for position, member in enumerate(value, start=1):
            _look(shape.member, member, f"{path}.{position}.member", errors)
    elif kind == "blob":
        if not isinstance(value, bytes | bytearray):
            raise TypeError
        _range(shape, len(value), path, "length", errors)
    elif kind in ("integer", "long"):
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError
        _range(shape, value, path, "value", errors, f"Value '{value}'")
    elif kind == "boolean" and not isinstance(value, bool):
        raise TypeError


def _text(shape: Shape, value: str, path: str, errors: list[str]) -> None:
    limits = shape.metadata
    if not limits:
        return
    # A secret is not repeated.
    shown = "Value" if limits.get("sensitive") else f"Value '{value}'"
    _range(shape, len(value), path, "length", errors, shown)
    allowed, pattern = limits.get("enum"), limits.get("pattern")
    if allowed and value not in allowed:
        errors.append(
            f"{shown} at '{path}' failed to satisfy constraint: Member must satisfy enum value set: [{', '.join(allowed)}]"
        )
    if pattern and not _compiled(pattern).search(value):
        errors.append(
            f"{shown} at '{path}' failed to satisfy constraint: Member must satisfy regular expression pattern: {pattern.strip('^$')}"
        )


def _range(
    shape: Shape, number: int, path: str, what: str, errors: list[str], shown: str = "Value"
) -> None:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and number < least:
        errors.append(
            f"{shown} at '{path}' failed to satisfy constraint: Member must have {what} greater than or equal to {least}"
        )
    if most is not None and number > most:
        errors.append(
            f"{shown} at '{path}' failed to satisfy constraint: Member must have {what} less than or equal to {most}"
        )


@cache
def _at(path: str, name: str) -> str:
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name


@cache
def _model(operation: str) -> OperationModel:
    try:
        return _service().operation_model(operation)
    except OperationNotFoundError as error:
        raise refusal("UnknownOperationException") from error


@cache
def _service() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("kms", "service-2"), "kms")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
