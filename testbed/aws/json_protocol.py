"""AWS JSON 1.1, which KMS and CloudTrail speak: the operation in ``X-Amz-Target``, everything else in the body."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.model import OperationModel

from testbed.aws import models, shapes
from testbed.aws.message import Request, Response
from testbed.errors import ApiError
from testbed.kms.base import Caller

CONTENT_TYPE = "application/x-amz-json-1.1"
Call = Callable[[Caller, str, dict[str, Any]], Mapping[str, Any]]


class JsonService:
    """A service of this protocol: ``name`` is botocore's, ``target`` what stands before the operation, ``call`` performs one."""

    def __init__(self, name: str, target: str, call: Call) -> None:
        self._operations, self._target, self._call = models.operations(name), target, call

    def answer(self, request: Request, caller: Caller) -> Response:
        """Raises ``ApiError``, for ``refusal``."""
        operation = self._operation(request)
        try:
            parameters = (
                shapes.parse(operation.input_shape, shapes.read(request.body))
                if operation.input_shape
                else {}
            )
        except shapes.Malformed as error:
            raise ApiError(str(error), code="SerializationException", status=400) from error
        answer = self._call(caller, operation.name, parameters)
        if operation.output_shape is None:
            return Response(200, b"", {"Content-Type": CONTENT_TYPE})
        return _response(200, shapes.render(operation.output_shape, answer))

    def refusal(self, error: ApiError) -> Response:
        return refusal(error)

    def _operation(self, request: Request) -> OperationModel:
        prefix, _, name = request.header("x-amz-target").rpartition(".")
        # CloudTrail's clients write more before the target than its documentation does.
        if (
            request.method != "POST"
            or prefix.rpartition(".")[2] != self._target
            or name not in self._operations
        ):
            raise ApiError("", code="UnknownOperationException", status=400)
        return self._operations[name]


def refusal(error: ApiError) -> Response:
    """The header is for clients of REST-JSON, who do not look into the body for the code."""
    return _response(
        error.status,
        {"__type": error.code, "message": error.message},
        {"X-Amzn-ErrorType": error.code},
    )


def _response(
    status: int, document: Mapping[str, Any], headers: Mapping[str, str] = {}
) -> Response:
    return Response(
        status, json.dumps(document).encode(), {"Content-Type": CONTENT_TYPE, **headers}
    )
