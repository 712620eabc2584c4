"""What a request breaks of the constraints in a service's model, in AWS's sentences.

The constraints are those that botocore carries; the sentences are AWS's (``1 validation error
detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: ...``, recorded in LocalStack's
snapshot as ``test_generate_random_invalid_number_of_bytes``, ``test_plaintext_size_for_encrypt``
and others).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from botocore.model import Shape

from testbed.documented.key_specs import ENUMERATIONS

_NULL = "Value null at '{}' failed to satisfy constraint: Member must not be null"


def null(member: str) -> str:
    """Return the sentence for a required member that is missing."""
    return _NULL.format(member)


def sentence(errors: Sequence[str]) -> str:
    """Return the sentence for one or more broken constraints."""
    plural = "s" if len(errors) > 1 else ""
    return f"{len(errors)} validation error{plural} detected: {'; '.join(errors)}"


def errors(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """Yield a sentence for each constraint that ``value`` breaks.

    Raises ``TypeError``, ``AttributeError`` or ``KeyError`` for a value of another type.
    """
    check_kind = _KINDS.get(shape.type_name)
    return check_kind(shape, value, path) if check_kind else iter(())


def _structure(shape: Any, value: Any, path: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield null(_member_path(path, name))
    for name, member in value.items():
        yield from errors(shape.members[name], member, _member_path(path, name))


def _map(shape: Any, value: Any, path: str) -> Iterator[str]:
    for name, member in value.items():
        yield from errors(shape.key, name, path)
        yield from errors(shape.value, member, path)


def _list(shape: Any, value: Any, path: str) -> Iterator[str]:
    _require(not isinstance(value, str))
    yield from _range(shape, len(value), f"Value at '{path}'", "length")
    for position, member in enumerate(value, start=1):
        yield from errors(shape.member, member, f"{path}.{position}.member")


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
        values = ", ".join(_enumeration(shape.name, tuple(allowed)))
        yield (
            f"{place} failed to satisfy constraint: Member must satisfy enum value set: [{values}]"
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
def _enumeration(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values of an enumeration in AWS's order, as far as it is known."""
    recorded = ENUMERATIONS.get(name, ())
    return (*recorded, *(value for value in values if value not in recorded))


# Java's classes of characters, as far as Python has them. Those that both have are ASCII in Java.
_CLASSES = {
    r"\w": "a-zA-Z0-9_",
    r"\d": "0-9",
    r"\p{L}": r"\w",
    r"\p{M}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": r"\s",
    r"\p{S}": "$+<=>^`|~",
}
_IN_CLASS = re.compile(r"\[(?:\\.|[^\]\\])*\]|\\[wd]")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(_IN_CLASS.sub(_in_python, pattern))


def _in_python(found: re.Match[str]) -> str:
    part = found[0]
    if not part.startswith("["):
        part = f"[{part}]"
    for java, python in _CLASSES.items():
        part = part.replace(f"{java}-", rf"{python}\-").replace(java, python)
    return part
