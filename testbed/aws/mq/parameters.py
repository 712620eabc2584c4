"""A request's parameters in boto3's shape: out of path, query and body, and checked against the model.

Values of an enumeration are taken in any case of letters, as the service does, and come out as the model spells them.
"""

from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel, Shape

from testbed.aws import shapes
from testbed.aws.message import Request
from testbed.aws.mq.routes import Route
from testbed.broker import refusals


def read(route: Route, request: Request) -> dict[str, Any]:
    """Raises ``BadRequestException`` when they cannot be read; ``check`` looks at the rest."""
    shape = route.operation.input_shape
    if shape is None:
        return {}
    try:
        body = shapes.read(request.body) if request.method in ("POST", "PUT") else {}
        return {
            name: value
            for name, member in shape.members.items()
            if (value := _member(name, member, route, request, body)) is not None
        }
    except shapes.Malformed as error:
        raise refusals.bad(str(error), error.member) from error


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
                return [shapes.from_text(member.member, each, wire) for each in texts] or None
            return shapes.from_text(member, texts[0], wire) if texts else None
    return None if body.get(wire) is None else shapes.parse(member, body[wire], wire)


def check(operation: OperationModel, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, with enumerations spelled as in the model. Raises ``BadRequestException`` for the first that is wrong."""
    return _checked(operation.input_shape, parameters, "") if operation.input_shape else {}


def _checked(shape: Shape, value: Any, member: str) -> Any:
    if shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                raise refusals.missing(shapes.wire_name(name, shape.members[name]))
        return {
            name: _checked(shape.members[name], each, shapes.wire_name(name, shape.members[name]))
            for name, each in value.items()
        }
    if shape.type_name == "list":
        return [_checked(shape.member, each, member) for each in value]
    if shape.type_name == "string" and shape.metadata.get("enum"):
        return _enumerated(shape, value, member)
    if shape.type_name == "integer":
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if (least is not None and value < least) or (most is not None and value > most):
            raise refusals.out_of_range(member, value, least, most)
    return value


def _enumerated(shape: Shape, value: str, member: str) -> str:
    allowed: list[str] = shape.metadata["enum"]
    if value.upper() in allowed:
        return value.upper()
    if member == "engineType":
        raise refusals.unknown_engine(value)
    raise refusals.invalid(member, value, allowed)
