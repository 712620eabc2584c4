"""The first check: KMS's refusal of a malformed request, before anything else is examined.

The constraints are those of the service's own model, which botocore carries; the sentences are
AWS's (``1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint:
...``, recorded in LocalStack's snapshot as ``test_generate_random_invalid_number_of_bytes``,
``test_plaintext_size_for_encrypt`` and others).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator

from testbed import api_models
from testbed.documented.key_specs import ENUMERATIONS
from testbed.kms.refusals import invalid, refusal

_NULL = "Value null at '{}' failed to satisfy constraint: Member must not be null"


def check(operation: str, parameters: Mapping[str, Any]) -> None:
    """Raise the ``KmsError`` that a malformed request gets.

    It is a ``ValidationException``, or ``UnknownOperationException`` for an unknown operation.
    Operations can rely on the model's types and limits afterwards.
    """
    shape = _model(operation).input_shape
    try:
        errors = [] if shape is None else list(_errors(shape, parameters, ""))
    except (TypeError, AttributeError, KeyError):
        # Not even the right type: what AWS's own clients say then.
        raise invalid(ParamValidator().validate(parameters, shape).generate_report()) from None
    # The model does not require a ciphertext, because some dry runs omit it.
    if (
        operation in ("Decrypt", "ReEncrypt")
        and "CiphertextBlob" not in parameters
        and not parameters.get("DryRunModifiers")
    ):
        errors.append(_NULL.format("ciphertextBlob"))
    if errors:
        plural = "s" if len(errors) > 1 else ""
        raise invalid(f"{len(errors)} validation error{plural} detected: {'; '.join(errors)}")


def _errors(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """Yield a sentence for each constraint that ``value`` breaks.

    Raises ``TypeError``, ``AttributeError`` or ``KeyError`` for a value of another type.
    """
    check_kind = _KINDS.get(shape.type_name)
    return check_kind(shape, value, path) if check_kind else iter(())


def _structure(shape: Any, value: Any, path: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield _NULL.format(_member_path(path, name))
    for name, member in value.items():
        yield from _errors(shape.members[name], member, _member_path(path, name))


def _map(shape: Any, value: Any, path: str) -> Iterator[str]:
    for name, member in value.items():
        yield from _errors(shape.key, name, path)
        yield from _errors(shape.value, member, path)


def _list(shape: Any, value: Any, path: str) -> Iterator[str]:
    _require(not isinstance(value, str))
    yield from _range(shape, len(value), f"Value at '{path}'", "length")
    for position, member in enumerate(value, start=1):
        yield from _errors(shape.member, member, f"{path}.{position}.member")


def _string(shape: Any, value: Any, path: str) -> Iterator[str]:
    _require(isinstance(value, str))
    limits = shape.metadata
    if not limits:
        return
    # A secret is not repeated.
    place = f"Value at '{path}'" if limits.get("sensitive") else f"Value '{value}' at '{path}'"
    yield from _range(shape, len(value), place, "length")
    allowed, pattern = limits.get("enum"), limits.get("pattern")
    if allowed and value not in allowed:
        yield (
            f"{place} failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(_enumeration(shape.name))}]"
        )
    if pattern and not _compiled(pattern).fullmatch(value):
        yield (
            f"{place} failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {pattern.strip('^$')}"
        )


def _blob(shape: Any, value: Any, path: str) -> Iterator[str]:
    _require(isinstance(value, bytes | bytearray))
    yield from _range(shape, len(value), f"Value at '{path}'", "length")


def _integer(shape: Any, value: Any, path: str) -> Iterator[str]:
    _require(isinstance(value, int) and not isinstance(value, bool))
    yield from _range(shape, value, f"Value '{value}' at '{path}'", "value")


def _boolean(_shape: Any, value: Any, _path: str) -> Iterator[str]:
    _require(isinstance(value, bool))
    yield from ()


_KINDS: Mapping[str, Callable[[Any, Any, str], Iterator[str]]] = {
    "structure": _structure,
    "map": _map,
    "list": _list,
    "string": _string,
    "blob": _blob,
    "integer": _integer,
    "long": _integer,
    "boolean": _boolean,
}


def _range(shape: Any, number: int, place: str, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    sentence = f"{place} failed to satisfy constraint: Member must have {what}"
    if least is not None and number < least:
        yield f"{sentence} greater than or equal to {least}"
    if most is not None and number > most:
        yield f"{sentence} less than or equal to {most}"


def _require(fits: bool) -> None:
    if not fits:
        raise TypeError


@cache
def _member_path(path: str, name: str) -> str:
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name


@cache
def _enumeration(name: str) -> tuple[str, ...]:
    """Return the values of an enumeration in AWS's order, as far as it is known."""
    values = api_models.service("kms").shape_for(name).metadata["enum"]
    recorded = ENUMERATIONS.get(name, ())
    return (*recorded, *(value for value in values if value not in recorded))


@cache
def _model(operation: str) -> OperationModel:
    operations = api_models.operations("kms")
    if operation not in operations:
        raise refusal("UnknownOperationException")
    return operations[operation]


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
