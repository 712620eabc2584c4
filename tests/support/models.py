"""Requests by AWS's models: legal ones, and malformed ones for every fault of every member.

Documents are JSON values as they go over the wire, by the members' names in the model; ``encode``
turns one into an HTTP request of the service's protocol (``json`` and ``rest-json``).
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal
from urllib.parse import quote, urlencode

from botocore.model import OperationModel, Shape

from testbed import api_models

Document = dict[str, Any]

# A value for each pattern of the models: the first that fits is used.
_TEXTS = (
    "abc",
    "123456789012",
    "abcdefghijklmnopqrst",
    "us-east-1",
    "cluster-abcdefghijk",
    "arn:aws:mq:us-east-1:123456789012:broker:b:b-1",
    "mq.us-east-1.amazonaws.com",
    "mq.amazonaws.com",
    "https://proxy.example",
    "/kms/xks/v1",
    "com.amazonaws.vpce.us-east-1.vpce-svc-abc",
    "ABCDEFGHIJKLMNOPQRST",
    "00000000-0000-4000-8000-000000000000",
    "s3://bucket",
    "00:00",
    "a" * 43,
    "a" * 64,
)
# What is no value of a type; JSON's null stands for an absent member.
_STRANGERS: tuple[Any, ...] = (7, 0.5, True, "text", ["x"], {"x": 1})
_PYTHON: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": bool,
    "list": list,
    "map": dict,
    "structure": dict,
    "blob": str,
}
_LONGEST = 10_000  # characters that a too long value may have: more is the limit of a body


@dataclass(frozen=True)
class Malformed:
    """A request in which only ``member``, a path such as ``Tags.0.TagKey``, is wrong.

    ``kind`` tells whether its type is wrong or a value of the right type.
    """

    operation: str
    member: str
    fault: str
    kind: Literal["type", "value"]
    document: Document

    def __str__(self) -> str:
        return f"{self.operation} {self.member}: {self.fault}"


@dataclass(frozen=True)
class HttpRequest:
    """What to send: ``path`` has the query."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]


def operations_on_a_key() -> set[str]:
    """Return the operations of KMS whose requests name a key or an alias."""
    named = {"KeyId", "TargetKeyId", "DestinationKeyId", "AliasName"}
    return {
        name
        for name, model in api_models.operations("kms").items()
        if model.input_shape and named & set(model.input_shape.members)
    }


def legal(
    operation: OperationModel, known: Mapping[str, Any], optional: Mapping[str, Any] | None = None
) -> Iterator[Document]:
    """Yield the request with required members only, then with each optional member added.

    ``known`` has values of members by their names, such as an existing key's id, for those of this
    operation; its members are in every request. Bytes become base64. ``optional`` has values for
    optional members, where one made by the model would not do.
    """
    shape = operation.input_shape
    if shape is None:
        yield {}
        return
    given = {name: _wire(value) for name, value in known.items()}
    least = given | {
        name: value(shape.members[name]) for name in shape.required_members if name not in given
    }
    yield least
    chosen = {name: _wire(value) for name, value in (optional or {}).items()}
    for name, member in shape.members.items():
        if name not in least:
            yield {**least, name: chosen[name] if name in chosen else value(member)}


def malformed(operation: OperationModel, known: Mapping[str, Any]) -> Iterator[Malformed]:
    """Yield a request for each fault that each member, nested ones included, can have.

    ``known`` is as for ``legal``.
    """
    shape = operation.input_shape
    if shape is None:
        return
    least = next(legal(operation, known))
    for name in shape.required_members:
        location = shape.members[name].serialization.get("location")
        if location == "uri":
            continue  # without it, the path is another operation's
        rest = {other: item for other, item in least.items() if other != name}
        yield Malformed(operation.name, name, "absent", "value", rest)
        if location is None:
            yield Malformed(operation.name, name, "null", "value", {**rest, name: None})
    for name, member in shape.members.items():
        text = member.serialization.get("location") in ("uri", "querystring")
        for path, fault, kind, wrong in _faults(member, name):
            if text and (kind == "type" or wrong in ("", [])):
                continue  # paths and queries have no types
            yield Malformed(operation.name, path, fault, kind, {**least, name: wrong})


def value(shape: Shape) -> Any:
    """Return a legal value of a shape."""
    limits = shape.metadata
    match shape.type_name:
        case "string":
            return _text(shape)
        case "blob":
            return base64.b64encode(b"a" * max(1, limits.get("min", 1))).decode()
        case "boolean":
            return False
        case "integer" | "long":
            return max(limits.get("min", 1), 1)
        case "float" | "double":
            return 0.5
        case "timestamp":
            return 1_700_000_000
        case "list":
            return [value(shape.member)] * max(1, limits.get("min", 1))
        case "map":
            return {value(shape.key): value(shape.value)}
    members = {name: shape.members[name] for name in shape.required_members}
    return {_on_wire(name, member): value(member) for name, member in members.items()}


def encode(operation: OperationModel, document: Document) -> HttpRequest:
    """Return the HTTP request for a document, without credentials."""
    metadata = operation.service_model.metadata
    if metadata["protocol"] == "json":
        target = f"{metadata['targetPrefix']}.{operation.name}"
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
        return HttpRequest("POST", "/", json.dumps(document).encode(), headers)
    path, query, body = operation.http["requestUri"], [], {}
    members = operation.input_shape.members if operation.input_shape else {}
    for name, item in document.items():
        wire = _on_wire(name, members[name])
        match members[name].serialization.get("location"):
            case "uri":
                path = path.replace(f"{{{wire}}}", quote(str(item), safe=""))
            case "querystring":
                query += [(wire, part) for part in (item if isinstance(item, list) else [item])]
            case _:
                body[wire] = item
    sent = json.dumps(body).encode() if operation.http["method"] in ("POST", "PUT") else b""
    return HttpRequest(
        operation.http["method"], f"{path}?{urlencode(query)}" if query else path, sent, {}
    )


def _faults(shape: Shape, path: str) -> Iterator[tuple[str, str, Literal["type", "value"], Any]]:
    """Yield path, description, kind and the wrong value of each fault of a shape."""
    kind, limits = shape.type_name, shape.metadata
    for stranger in _STRANGERS:
        if not is_of(kind, stranger):
            yield path, f"{stranger!r} for a {kind}", "type", stranger
    least, most = limits.get("min"), limits.get("max")
    match kind:
        case "string":
            if least:
                yield path, "too short", "value", "a" * (least - 1)
            if most and most <= _LONGEST:
                yield path, "too long", "value", "a" * (most + 1)
            if limits.get("enum"):
                yield path, "not in the enumeration", "value", "bogus"
            if wrong := next((text for text in ("\n\u20ac", "?") if not fits(shape, text)), None):
                yield path, "against the pattern", "value", wrong * max(1, least or 1)
            yield path, "half a surrogate pair", "type", "\ud800"
        case "blob":
            yield path, "no base64", "type", "****"
            if least:
                yield path, "empty", "value", ""
            if most and most <= _LONGEST:
                yield path, "too long", "value", base64.b64encode(b"a" * (most + 1)).decode()
        case "integer" | "long":
            if least is not None:
                yield path, "too small", "value", least - 1
            if most is not None:
                yield path, "too large", "value", most + 1
            yield path, "too large for its type", "type", 2**70
        case "list":
            if least:
                yield path, "empty", "value", []
            if most and most <= _LONGEST:
                yield path, "too many", "value", [value(shape.member)] * (most + 1)
            for inner, fault, what, wrong in _faults(shape.member, f"{path}.0"):
                yield inner, fault, what, [wrong]
        case "map":
            for inner, fault, what, wrong in _faults(shape.value, f"{path}.*"):
                yield inner, fault, what, {value(shape.key): wrong}
        case "structure":
            sound = value(shape)
            for name, member in shape.members.items():
                wire = _on_wire(name, member)
                if name in shape.required_members:
                    rest = {other: item for other, item in sound.items() if other != wire}
                    yield f"{path}.{name}", "absent", "value", rest
                for inner, fault, what, wrong in _faults(member, f"{path}.{name}"):
                    yield inner, fault, what, {**sound, wire: wrong}


def _on_wire(name: str, member: Shape) -> str:
    return str(member.serialization.get("name", name))


def is_of(kind: str, item: Any) -> bool:
    """Return whether a JSON value has the type of a shape."""
    if isinstance(item, bool):
        return kind == "boolean"
    return isinstance(item, _PYTHON.get(kind, (int, float)))


def _text(shape: Shape) -> str:
    limits = shape.metadata
    if limits.get("enum"):
        return str(limits["enum"][0])
    for text in (*_TEXTS, "a" * limits.get("min", 0)):
        if limits.get("min", 0) <= len(text) <= limits.get("max", len(text)) and fits(shape, text):
            return text
    raise LookupError(f"no text fits {shape.name} {limits}")


def fits(shape: Shape, text: str) -> bool:
    """Return whether a text matches its shape's pattern."""
    pattern = _compiled(shape.metadata.get("pattern", ""))
    return pattern is None or pattern.search(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Return the pattern, which has to match the whole text; None for one that Python lacks."""
    try:
        return re.compile(rf"\A(?:{pattern})\Z") if pattern else None
    except re.error:
        return None


def _wire(item: Any) -> Any:
    """Return a value with base64 in place of bytes."""
    if isinstance(item, bytes):
        return base64.b64encode(item).decode()
    if isinstance(item, Mapping):
        return {name: _wire(part) for name, part in item.items()}
    return [_wire(part) for part in item] if isinstance(item, list | tuple) else item
