"""What differs between an answer and AWS's model of it."""

import base64
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.model import Shape

from tests.support.models import fits, is_of


def differences(shape: Shape | None, answer: Any, path: str = "") -> Iterator[str]:
    """Yield in what an answer, a JSON value, differs from its shape."""
    if shape is None:
        if answer:
            yield f"{path or 'the answer'} should be empty"
        return
    kind, limits = shape.type_name, shape.metadata
    if shape.serialization.get("timestampFormat") == "iso8601":
        if not _is_iso(answer):
            yield f"{path} is no time in ISO 8601: {answer!r}"
        return
    if not is_of(kind, answer):
        yield f"{path} is no {kind}: {answer!r}"
        return
    match kind:
        case "structure":
            wired = {m.serialization.get("name", n): (n, m) for n, m in shape.members.items()}
            for name in answer.keys() - wired.keys():
                yield f"{path}.{name} is unknown"
            for wire, (name, member) in wired.items():
                if answer.get(wire) is not None:
                    yield from differences(member, answer[wire], f"{path}.{wire}")
                elif wire in answer or name in shape.required_members:
                    yield f"{path}.{wire} is missing or null"
        case "list":
            for item in answer:
                yield from differences(shape.member, item, f"{path}[]")
        case "map":
            for name, item in answer.items():
                yield from differences(shape.key, name, f"{path} key")
                yield from differences(shape.value, item, f"{path}.{name}")
        case "string" if limits.get("enum") and answer not in limits["enum"]:
            yield f"{path} is not in the enumeration: {answer!r}"
        case "string" if not fits(shape, answer):
            yield f"{path} does not match its pattern: {answer!r}"
    size = _size(kind, answer)
    if size is not None and not limits.get("min", size) <= size <= limits.get("max", size):
        yield f"{path} is out of range: {size}"


def _size(kind: str, answer: Any) -> int | None:
    if kind in ("string", "list", "map"):
        return len(answer)
    if kind == "blob":
        return len(base64.b64decode(answer))
    return answer if kind in ("integer", "long") else None


def _is_iso(answer: Any) -> bool:
    try:
        return datetime.fromisoformat(answer).tzinfo is not None
    except (TypeError, ValueError):
        return False
