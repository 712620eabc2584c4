"""The operation of a request by its method and path, as in the service's model (REST-JSON)."""

from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from botocore.model import OperationModel

from testbed import api_models


@dataclass(frozen=True)
class Route:
    """An operation, and the parameters in the path by their names on the wire."""

    operation: OperationModel
    path: dict[str, str]


def find(method: str, path: str) -> Route | None:
    """Return the route, or None for an unknown operation."""
    sent = path.split("/")
    for verb, parts, operation in _table():
        if verb == method and len(parts) == len(sent):
            values = _match(parts, sent)
            if values is not None:
                return Route(operation, values)
    return None


def _match(parts: list[str], sent: list[str]) -> dict[str, str] | None:
    values = {}
    for part, text in zip(parts, sent, strict=True):
        if part.startswith("{"):
            values[part[1:-1]] = unquote(text)
        elif part != text:
            return None
    return values if all(values.values()) else None


@cache
def _table() -> list[tuple[str, list[str], OperationModel]]:
    return [
        (operation.http["method"], operation.http["requestUri"].split("/"), operation)
        for operation in api_models.operations("mq").values()
    ]
