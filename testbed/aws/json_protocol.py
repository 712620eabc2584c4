"""AWS JSON 1.1, the protocol of KMS and CloudTrail: ``X-Amz-Target`` names the operation."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.model import OperationModel

from testbed import api_models
from testbed.aws import shapes
from testbed.errors import ApiError
from testbed.https.server import Request, Response
from testbed.kms.base import Caller

CONTENT_TYPE = "application/x-amz-json-1.1"
Call = Callable[[Caller, str, dict[str, Any]], Mapping[str, Any]]


class JsonService:
    """A service of this protocol.

    ``name`` is botocore's, ``target`` the prefix of the operation, and ``call`` performs one.
    """

    def __init__(self, name: str, target: str, call: Call) -> None:
        self._operations, self._target, self._call = api_models.operations(name), target, call

    def answer(self, request: Request, caller: Caller) -> Response:
        """Perform the operation. Raises ``ApiError``, for ``refusal``."""
        operation = self._operation(request)
        parameters = parsed(request, operation)
        answer = self._call(caller, operation.name, parameters)
        if operation.output_shape is None:
            return Response(200, b"", {"Content-Type": CONTENT_TYPE})
        return _response(200, shapes.render(operation.output_shape, answer))

    def refusal(self, error: ApiError, request_id: str) -> Response:
        """Return the answer for a refused request."""
        return refusal(error)

    def _operation(self, request: Request) -> OperationModel:
        prefix, _, name = request.header("x-amz-target").rpartition(".")
        # CloudTrail's clients write more before the target than its documentation does.
        target = prefix.rpartition(".")[2]
        if request.method != "POST" or target != self._target or name not in self._operations:
            raise ApiError("", code="UnknownOperationException", status=400)
        return self._operations[name]


def parsed(request: Request, operation: OperationModel) -> dict[str, Any]:
    """Return the parameters in boto3's shape. Raises ``ApiError`` if they cannot be read."""
    shape = operation.input_shape
    try:
        return dict(shapes.parse(shape, shapes.read(request.body))) if shape else {}
    except shapes.Malformed as error:
        raise ApiError(str(error), code="SerializationException", status=400) from error


def refusal(error: ApiError) -> Response:
    """Return the answer for a refused request, in the body and for REST-JSON in a header."""
    document = {"__type": error.code}
    if error.message:  # AWS leaves out an empty one
        document["message"] = error.message
    return _response(error.status, document, {"X-Amzn-ErrorType": error.code})


def _response(
    status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    headers = {"Content-Type": CONTENT_TYPE, **(headers or {})}
    return Response(status, json.dumps(document).encode(), headers)
