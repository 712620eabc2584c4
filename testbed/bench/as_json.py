"""A result as one JSON document and back: everything that is needed to read it, and to run it again.

Frozen dataclasses in, frozen dataclasses out; histograms stay what they are, compressed and in base64.
"""

import json
import types
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from testbed.bench.result import SCHEMA, Result, caveats
from testbed.errors import TestbedError


def render(result: Result) -> str:
    return json.dumps(
        {
            "schema": SCHEMA,
            "kind": "amazonmq-testbed benchmark",
            "caveats": caveats(result),
            **asdict(result),
        },
        indent=1,
        default=_plain,
    )


def read(path: Path) -> Result:
    """A document that ``render`` made. Raises ``TestbedError`` in one line for anything else."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise TestbedError(f"{path} cannot be read as a result: {error}.") from error
    if not isinstance(document, dict) or document.get("kind") != "amazonmq-testbed benchmark":
        raise TestbedError(f"{path} is not a benchmark's result.")
    if document.get("schema") != SCHEMA:
        raise TestbedError(
            f"{path} has schema {document.get('schema')}; this testbed reads schema {SCHEMA}.",
            hint="Run the benchmark again.",
        )
    try:
        return _build(
            Result, {name: document[name] for name in (each.name for each in fields(Result))}
        )
    except (KeyError, TypeError, ValueError) as error:
        raise TestbedError(f"{path} is a damaged result: {error!r}.") from error


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _build(kind: Any, value: Any) -> Any:
    """``value`` as JSON has it, as the type that a field declares."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        [inner] = [each for each in get_args(kind) if each is not type(None)]
        return None if value is None else _build(inner, value)
    if origin is tuple:
        inner = get_args(kind)
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_build(inner[0], each) for each in value)
        return tuple(_build(each, one) for each, one in zip(inner, value, strict=True))
    if origin is dict:
        return dict(value)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(
            **{each.name: _build(hints[each.name], value[each.name]) for each in fields(kind)}
        )
    if kind is datetime:
        return datetime.fromisoformat(value)
    return kind(value) if kind is float else value
