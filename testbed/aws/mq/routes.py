"""Which operation a request is for: method and path, as the service's model has them (REST-JSON)."""

from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from botocore.model import OperationModel

from testbed.aws import models


@dataclass(frozen=True)
class Route:
    """An operation, and what the path says: wire name -> value."""

    operation: OperationModel
    path: dict[str, str]


def find(method: str, path: str) -> Route | None:
    """None when there is no such operation."""
    given = path.split("/")
    for verb, parts, operation in _table():
        if verb == method and len(parts) == len(given):
            values = _match(parts, given)
            if values is not None:
                return Route(operation, values)
    return None


def _match(parts: list[str], given: list[str]) -> dict[str, str] | None:
    values = {}
    for part, text in zip(parts, given, strict=True):
        if part.startswith("{"):
            values[part[1:-1]] = unquote(text)
        elif part != text:
            return None
    return values if all(values.values()) else None


@cache
def _table() -> list[tuple[str, list[str], OperationModel]]:
    return [
        (each.http["method"], each.http["requestUri"].split("/"), each)
        for each in models.operations("mq").values()
    ]
