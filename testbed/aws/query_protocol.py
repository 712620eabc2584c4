"""The query protocol of IAM and STS: parameters in a form, answers in XML, by the service's model.

botocore has the client's side of it.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode
from xml.sax.saxutils import escape

from botocore.model import OperationModel, Shape

from testbed import api_models, api_validation
from testbed.aws import shapes
from testbed.errors import ApiError
from testbed.https.server import Request, Response

_NUMBERS = ("integer", "long", "float", "double")
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_FIELDS = 2000
_Tree = dict[str, Any]


def operation(request: Request, service: str) -> OperationModel:
    """Return the operation. Raises ``ApiError`` for an unknown one."""
    sent = _sent(request)
    action = next(iter(sent.get("Action", ())), "")[:100]
    operations = api_models.operations(service)
    if action not in operations:
        version = api_models.service(service).api_version
        raise ApiError(
            f"Could not find operation {action or '(none)'} for version {version}",
            code="InvalidAction",
            status=400,
        )
    return operations[action]


def parameters(request: Request, model: OperationModel) -> dict[str, Any]:
    """Return the parameters in boto3's shape. Raises ``ApiError`` if they cannot be read."""
    if model.input_shape is None:
        return {}
    tree: _Tree = {}
    for name, values in _sent(request).items():
        _plant(tree, name.split("."), values[0])
    is_ec2 = model.service_model.metadata["protocol"] == "ec2"
    try:
        read = (_read_ec2 if is_ec2 else _read)(model.input_shape, tree, "")
    except shapes.Malformed as error:
        raise ApiError(str(error), code="MalformedInput", status=400) from error
    return read if isinstance(read, dict) else {}


def check(model: OperationModel, sent: Mapping[str, Any]) -> None:
    """Raise ``ApiError`` in AWS's words for parameters that break the model's constraints."""
    errors = list(api_validation.errors(model.input_shape, sent)) if model.input_shape else []
    if errors:
        raise ApiError(api_validation.sentence(errors), code="ValidationError", status=400)


def answer(model: OperationModel, elements: Mapping[str, Any], request_id: str) -> Response:
    """Return the answer of an operation."""
    shape, result = model.output_shape, ""
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{model.name}Result")
        result = f"<{wrapper}>{_rendered(shape, elements)}</{wrapper}>"
    namespace = model.service_model.metadata["xmlNamespace"]
    metadata = f"<ResponseMetadata>{_request_id(request_id)}</ResponseMetadata>"
    return _xml(
        200,
        f'<{model.name}Response xmlns="{namespace}">{result}{metadata}</{model.name}Response>',
    )


def refusal(error: ApiError, request_id: str, service: str = "") -> Response:
    """Return the answer for a refused request; ``service`` is botocore's name, if it is known."""
    fault = "Sender" if error.status < 500 else "Receiver"
    namespace = api_models.service(service).metadata["xmlNamespace"] if service else ""
    attribute = f' xmlns="{namespace}"' if namespace else ""
    return _xml(
        error.status,
        f"<ErrorResponse{attribute}><Error><Type>{fault}</Type><Code>{escape(error.code)}</Code>"
        f"<Message>{_text(error.message)}</Message></Error>{_request_id(request_id)}"
        "</ErrorResponse>",
        {"X-Amzn-ErrorType": error.code},  # for clients of REST-JSON, should they be sent this
    )


def ec2_refusal(error: ApiError, request_id: str) -> Response:
    """Return the answer for a request that EC2 refuses, in a form of its own."""
    return _xml(
        error.status,
        f"<Response><Errors><Error><Code>{escape(error.code)}</Code>"
        f"<Message>{_text(error.message)}</Message></Error></Errors>"
        f"<RequestID>{escape(request_id)}</RequestID></Response>",
    )


def _sent(request: Request) -> Mapping[str, Sequence[str]]:
    body = request.body.decode("utf-8", "replace") if request.method == "POST" else ""
    try:
        form = parse_qs(body, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        raise ApiError(
            "The request has too many parameters.", code="MalformedQueryString", status=400
        ) from None
    return {**request.query, **form}


def _plant(tree: _Tree, path: list[str], value: str) -> None:
    """Put a value into the tree; what contradicts an earlier parameter is ignored."""
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            return
    tree.setdefault(path[-1], value)


def _read(shape: Shape, found: Any, member: str) -> Any:
    if shape.type_name == "structure":
        return {
            name: _read(child, found[wire], wire)
            for name, child in shape.members.items()
            if isinstance(found, dict) and (wire := shapes.wire_name(name, child)) in found
        }
    if shape.type_name == "list":
        items = found.get("member") if isinstance(found, dict) else None
        return [_read(shape.member, item, member) for item in _numbered(items)]
    if not isinstance(found, str):
        raise shapes.Malformed(member, f"of the type {shape.type_name}")
    if shape.type_name == "boolean":
        if found.lower() not in ("true", "false"):
            raise shapes.Malformed(member, "true or false")
        return found.lower() == "true"
    if shape.type_name in _NUMBERS and _NUMBER.fullmatch(found):
        whole = found.lstrip("+-").isdigit()
        return shapes.parse(shape, int(found) if whole else float(found), member)
    return shapes.from_text(shape, found, member)


def _read_ec2(shape: Shape, found: Any, member: str) -> Any:
    """Read EC2's variety of the protocol: other names, and lists without ``member``."""
    if shape.type_name == "structure" and isinstance(found, dict):
        return {
            name: _read_ec2(child, found[wire], wire)
            for name, child in shape.members.items()
            if (wire := _ec2_name(name, child)) in found
        }
    if shape.type_name == "list":
        return [_read_ec2(shape.member, item, member) for item in _numbered(found)]
    return _read(shape, found, member)


def _ec2_name(name: str, shape: Shape) -> str:
    """Return a member's name on the wire, as botocore's serializer chooses it."""
    wire = shapes.wire_name(name, shape)
    return str(shape.serialization.get("queryName", wire[:1].upper() + wire[1:]))


def _numbered(items: Any) -> list[Any]:
    """Return the items of a list in their order."""
    if not isinstance(items, dict):
        return []
    numbered = sorted((int(n), n) for n in items if n.isascii() and n.isdigit() and len(n) < 9)
    return [items[number] for _, number in numbered]


def _rendered(shape: Shape, value: Any) -> str:
    if shape.type_name == "structure":
        return "".join(
            f"<{wire}>{_rendered(child, value[name])}</{wire}>"
            for name, child in shape.members.items()
            if value.get(name) is not None and (wire := shapes.wire_name(name, child))
        )
    if shape.type_name == "list":
        return "".join(f"<member>{_rendered(shape.member, item)}</member>" for item in value)
    if shape.type_name == "timestamp":
        assert isinstance(value, datetime)
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if shape.type_name == "boolean":
        return str(value).lower()
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    return _text(str(value))


def _request_id(request_id: str) -> str:
    return f"<RequestId>{escape(request_id)}</RequestId>"


def _xml(status: int, document: str, headers: Mapping[str, str] | None = None) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{document}\n'.encode()
    return Response(status, body, {"Content-Type": "text/xml", **(headers or {})})


def _text(message: str) -> str:
    """Escape text, and replace the control characters that XML cannot write."""
    return escape(
        "".join(char if char.isprintable() or char in "\n\t" else "?" for char in message)
    )


def form(request: Request, added: Mapping[str, Any], names: Sequence[str]) -> bytes:
    """Return the parameters as the body of a POST, with those of ``added`` that have ``names``."""
    more = {name: [str(added[name])] for name in names if name in added}
    return urlencode({**_sent(request), **more}, doseq=True).encode()
