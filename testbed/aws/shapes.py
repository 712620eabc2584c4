"""JSON to and from boto3's shape by the service's model: the server's side of botocore.

Members that the model does not know are ignored, as AWS ignores them, and so are null ones.
"""

import base64
import binascii
import json
import math
from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape

_BITS = {"integer": 31, "long": 63}  # without the sign
_WITHOUT_LINES = str.maketrans("", "", " \t\r\n")  # MIME's base64, as ``base64 FILE`` writes it


class Malformed(Exception):
    """Part of a request has not the form of the model.

    ``member`` is its name on the wire, empty for the whole body.
    """

    def __init__(self, member: str, expected: str) -> None:
        super().__init__(f"{member or 'The body'} must be {expected}.")
        self.member = member


def wire_name(name: str, shape: Shape) -> str:
    """Return a member's name on the wire."""
    return str(shape.serialization.get("name", name))


class Walk:
    """One pass over a value by its shape, which returns a converted copy.

    ``enter`` sees each structure, list and map before its content; ``leaf`` converts all others.
    Both get the wire name of the member that they are in.
    """

    from_wire = to_wire = False  # whether the names of members are the wire's

    def __call__(self, shape: Shape, value: Any, member: str = "") -> Any:
        """Walk the value."""
        if shape.type_name not in ("structure", "list", "map"):
            return self.leaf(shape, value, member)
        self.enter(shape, value, member)
        if shape.type_name == "list":
            return [self(shape.member, item, member) for item in value]
        if shape.type_name == "map":
            return {
                self(shape.key, key, member): self(shape.value, item, member)
                for key, item in value.items()
            }
        result = {}
        for name, child in shape.members.items():
            wire = wire_name(name, child)
            item = value.get(wire if self.from_wire else name)
            if item is not None:
                result[wire if self.to_wire else name] = self(child, item, wire)
        return result

    def enter(self, shape: Shape, value: Any, member: str) -> None:
        """Check a structure, list or map."""

    def leaf(self, shape: Shape, value: Any, member: str) -> Any:
        """Convert a value without members."""
        return value


class _Parse(Walk):
    from_wire = True

    def enter(self, shape: Shape, value: Any, member: str) -> None:
        if shape.type_name == "list":
            _require(isinstance(value, list), member, "a list")
        else:
            _require(isinstance(value, dict), member, "an object")

    def leaf(self, shape: Shape, value: Any, member: str) -> Any:
        kind = shape.type_name
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if kind == "string":
            _require(isinstance(value, str) and _is_text(value), member, "a string")
        elif kind == "boolean":
            _require(isinstance(value, bool), member, "true or false")
        elif kind in _BITS:
            whole = number and isinstance(value, int)
            _require(whole and abs(value) < 2 ** _BITS[kind], member, "an integer")
        elif kind in ("float", "double"):
            _require(number, member, "a number")
        elif kind == "blob":
            return decoded(value, member)
        elif kind == "timestamp":
            return _time(value, member)
        else:
            raise Malformed(member, f"of the type {kind}")
        return value


class _Render(Walk):
    to_wire = True

    def leaf(self, shape: Shape, value: Any, member: str) -> Any:
        if shape.type_name == "blob":
            return base64.b64encode(value).decode()
        if shape.type_name == "timestamp":
            return _rendered_time(shape, value)
        return value


parse = _Parse()  # a value of JSON to boto3's shape; raises ``Malformed``
render = _Render()  # a value in boto3's shape to JSON


def read(body: bytes) -> dict[str, Any]:
    """Return the JSON object in ``body``, where nothing is an empty one. Raises ``Malformed``."""
    if not body.strip():
        return {}
    try:
        document = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or too long or deep for Python
        raise Malformed("", "a JSON object") from None
    if not isinstance(document, dict):
        raise Malformed("", "a JSON object")
    return document


def from_text(shape: Shape, text: str, member: str) -> Any:
    """Return a value from a path or query string in boto3's shape. Raises ``Malformed``."""
    if shape.type_name in _BITS:
        # int() accepts more than digits, and any number of them.
        _require(text.isascii() and text.isdigit() and len(text) < 20, member, "an integer")
        return parse(shape, int(text), member)
    return parse(shape, text, member)


def _require(sound: bool, member: str, expected: str) -> None:
    if not sound:
        raise Malformed(member, expected)


def _is_text(value: str) -> bool:
    """Whether the value has no lone surrogate: JSON can write one, and nothing can store it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def decoded(value: Any, member: str) -> bytes:
    """Return the content of a base64 text, which may be in lines. Raises ``Malformed``."""
    _require(isinstance(value, str), member, "base64")
    try:
        return base64.b64decode(value.translate(_WITHOUT_LINES), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(member, "base64") from None


def _time(value: Any, member: str) -> datetime:
    """Return the time of seconds since 1970, or of ISO 8601."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            time = datetime.fromisoformat(value)
            return time if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise Malformed(member, "a time")


def _rendered_time(shape: Shape, value: datetime | str) -> float | str:
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    if shape.serialization.get("timestampFormat") == "iso8601":
        return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return round(time.timestamp(), 3)


def _no_constant(constant: str) -> None:
    """Refuse Infinity and NaN, which Python reads and JSON lacks."""
    raise ValueError(constant)
