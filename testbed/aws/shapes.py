"""JSON in and out of boto3's shape, by the service's model: the server's side of what botocore does for clients.

Members that the model does not know are left out, as AWS ignores them, and so are those that are null.
"""

import base64
import binascii
import json
import math
from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape

# The last bit that an integer of each kind has besides its sign.
_BITS = {"integer": 31, "long": 63}


class Malformed(Exception):
    """What is in a request has not the form that the model gives it. ``member`` is its wire name, empty for the whole."""

    def __init__(self, member: str, expected: str) -> None:
        super().__init__(f"{member or 'The body'} must be {expected}.")
        self.member = member


def read(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``; an empty body is an empty one. Raises ``Malformed``."""
    if not body.strip():
        return {}
    try:
        document = json.loads(body, parse_constant=_no_number)
    except (
        ValueError,
        RecursionError,
    ):  # not JSON, not UTF-8, a number without end, or nested without end
        raise Malformed("", "a JSON object") from None
    if not isinstance(document, dict):
        raise Malformed("", "a JSON object")
    return document


def parse(shape: Shape, value: Any, member: str = "") -> Any:
    """A value of JSON in boto3's shape. Raises ``Malformed``."""
    match shape.type_name:
        case "structure":
            _require(isinstance(value, dict), member, "an object")
            return {
                name: parse(each, value[wire], wire)
                for name, each in shape.members.items()
                if value.get(wire := wire_name(name, each)) is not None
            }
        case "list":
            _require(isinstance(value, list), member, "a list")
            return [parse(shape.member, each, member) for each in value]
        case "map":
            _require(isinstance(value, dict), member, "an object")
            return {
                parse(shape.key, name, member): parse(shape.value, each, member)
                for name, each in value.items()
            }
        case "string":
            _require(isinstance(value, str) and _is_text(value), member, "a string")
            return value
        case "boolean":
            _require(isinstance(value, bool), member, "true or false")
            return value
        case "integer" | "long":
            whole = isinstance(value, int) and not isinstance(value, bool)
            _require(whole and abs(value) < 2 ** _BITS[shape.type_name], member, "an integer")
            return value
        case "float" | "double":
            _require(
                isinstance(value, (int, float)) and not isinstance(value, bool), member, "a number"
            )
            return value
        case "blob":
            _require(isinstance(value, str), member, "base64")
            return _decoded(value, member)
        case "timestamp":
            return _time(value, member)
    raise Malformed(member, f"of the type {shape.type_name}")


def from_text(shape: Shape, text: str, member: str) -> Any:
    """A value out of a path or a query string in boto3's shape. Raises ``Malformed``."""
    if shape.type_name in _BITS:
        # int() takes more than digits, and as many of them as one likes.
        _require(text.isascii() and text.isdigit() and len(text) < 20, member, "an integer")
        return parse(shape, int(text), member)
    return parse(shape, text, member)


def render(shape: Shape, value: Any) -> Any:
    """A value in boto3's shape as JSON has it."""
    match shape.type_name:
        case "structure":
            return {
                wire_name(name, each): render(each, value[name])
                for name, each in shape.members.items()
                if value.get(name) is not None
            }
        case "list":
            return [render(shape.member, each) for each in value]
        case "map":
            return {name: render(shape.value, each) for name, each in value.items()}
        case "blob":
            return base64.b64encode(value).decode()
        case "timestamp":
            return _rendered_time(shape, value)
    return value


def wire_name(name: str, shape: Shape) -> str:
    return shape.serialization.get("name", name)


def _require(sound: bool, member: str, expected: str) -> None:
    if not sound:
        raise Malformed(member, expected)


def _is_text(value: str) -> bool:
    """JSON can write half of a character, which nothing can store."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _decoded(value: str, member: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(member, "base64") from None


def _time(value: Any, member: str) -> datetime:
    """Seconds since 1970, or ISO 8601."""
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


def _no_number(constant: str) -> None:
    """JSON has neither Infinity nor NaN, though Python reads them."""
    raise ValueError(constant)
