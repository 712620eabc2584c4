"""A request's parameters in boto3's shape: from path, query and body, and checked by the model.

Enumerations are accepted in any case, as the service does, and returned as the model spells them.
"""

from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel, Shape

from testbed.aws import shapes
from testbed.aws.mq.routes import Route
from testbed.broker import refusals
from testbed.https.server import Request


def read(route: Route, request: Request) -> dict[str, Any]:
    """Return the parameters as sent. Raises ``BadRequestException`` if they cannot be read."""
    shape = route.operation.input_shape
    if shape is None:
        return {}
    try:
        body = shapes.read(request.body) if request.method in ("POST", "PUT") else {}
        members = {
            name: _member(name, member, route, request, body)
            for name, member in shape.members.items()
        }
    except shapes.Malformed as error:
        raise refusals.bad(str(error), error.member) from error
    return {name: value for name, value in members.items() if value is not None}


def check(operation: OperationModel, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with enumerations as in the model.

    Raises ``BadRequestException`` for the first parameter that is wrong.
    """
    if operation.input_shape is None:
        return {}
    checked: dict[str, Any] = _Check()(operation.input_shape, parameters)
    return checked


def _member(
    name: str, member: Shape, route: Route, request: Request, body: Mapping[str, Any]
) -> Any:
    wire = shapes.wire_name(name, member)
    match member.serialization.get("location"):
        case "uri":
            return shapes.from_text(member, route.path[wire], wire)
        case "querystring":
            texts = request.query.get(wire, ())
            if member.type_name == "list":
                return [shapes.from_text(member.member, text, wire) for text in texts] or None
            return shapes.from_text(member, texts[0], wire) if texts else None
    return None if body.get(wire) is None else shapes.parse(member, body[wire], wire)


class _Check(shapes.Walk):
    def enter(self, shape: Shape, value: Any, member: str) -> None:
        for name in shape.required_members if shape.type_name == "structure" else ():
            if name not in value:
                raise refusals.missing(shapes.wire_name(name, shape.members[name]))

    def leaf(self, shape: Shape, value: Any, member: str) -> Any:
        if shape.type_name == "string" and shape.metadata.get("enum"):
            return _enumerated(value, member, shape.metadata["enum"])
        if shape.type_name == "integer":
            least, most = shape.metadata.get("min"), shape.metadata.get("max")
            if (least is not None and value < least) or (most is not None and value > most):
                raise refusals.out_of_range(member, value, least, most)
        return value


def _enumerated(value: str, member: str, allowed: list[str]) -> str:
    if value.upper() in allowed:
        return value.upper()
    if member == "engineType":
        raise refusals.unknown_engine(value)
    raise refusals.invalid(member, value, allowed)
