"""Amazon MQ (REST-JSON, API version 2017-11-27) over the testbed's brokers.

A request becomes an operation (``routes``), its parameters (``parameters``), an answer (the files of the operations), and
JSON again; whatever comes of it is one record in the trail.
"""

import json
from collections.abc import Mapping
from typing import Any

from testbed.aws import shapes
from testbed.aws.message import Request, Response
from testbed.aws.mq import (
    brokers,
    catalog,
    configurations,
    creation,
    parameters,
    refusals,
    routes,
    tags,
    users,
)
from testbed.aws.mq.room import Asked, Operation, Room
from testbed.errors import ApiError, BadRequestException, ForbiddenException, KmsError, MqError
from testbed.kms.base import Caller, is_outage
from testbed.trail.recording import Recorder

_OPERATIONS: Mapping[str, Operation] = {
    "CreateBroker": creation.create,
    "DescribeBroker": brokers.describe,
    "ListBrokers": brokers.list_brokers,
    "UpdateBroker": brokers.update,
    "RebootBroker": brokers.reboot,
    "DeleteBroker": brokers.delete,
    "ListUsers": users.list_users,
    "DescribeUser": users.describe,
    "CreateUser": users.create,
    "UpdateUser": users.update,
    "DeleteUser": users.delete,
    "CreateTags": tags.create,
    "ListTags": tags.list_tags,
    "DeleteTags": tags.delete,
    "CreateConfiguration": configurations.create,
    "UpdateConfiguration": configurations.update,
    "DescribeConfiguration": configurations.describe,
    "DescribeConfigurationRevision": configurations.describe_revision,
    "ListConfigurations": configurations.list_configurations,
    "ListConfigurationRevisions": configurations.list_revisions,
    "DeleteConfiguration": configurations.delete,
    "DescribeBrokerEngineTypes": lambda room, asked: catalog.engine_types(asked.parameters),
    "DescribeBrokerInstanceOptions": lambda room, asked: catalog.instance_options(asked.parameters),
}


class Mq:
    """The service as ``dispatch`` wants it."""

    def __init__(self, room: Room, recorder: Recorder) -> None:
        self._room, self._recorder = room, recorder

    def answer(self, request: Request, caller: Caller) -> Response:
        """Raises ``ApiError``, for ``refusal``."""
        route = routes.find(request.method, request.path)
        if route is None:
            raise ApiError(
                f"Amazon MQ has no {request.method} {request.path[:200]}.",
                code="UnknownOperationException",
                status=404,
            )
        operation, answer = route.operation, self._perform(route, request, caller)
        body = shapes.render(operation.output_shape, answer) if operation.output_shape else None
        status = operation.http.get("responseCode", 200)
        return _response(status, {} if body is None and status != 204 else body)

    def refusal(self, error: ApiError) -> Response:
        document = {
            "errorAttribute": getattr(error, "error_attribute", "") or None,
            "message": error.message,
        }
        return _response(
            error.status,
            {name: value for name, value in document.items() if value is not None},
            {"X-Amzn-ErrorType": error.code},
        )

    def _perform(self, route: routes.Route, request: Request, caller: Caller) -> Mapping[str, Any]:
        name = route.operation.name
        given: Mapping[str, Any] = {}
        try:
            given = parameters.read(route, request)
        except MqError:
            with self._recorder.mq_call(caller, name, given):
                raise
        with self._recorder.mq_call(caller, name, given) as recorded:
            asked = Asked(caller, parameters.check(route.operation, given), given)
            if name not in _OPERATIONS:
                raise refusals.not_here(name)
            try:
                recorded.elements = _OPERATIONS[name](self._room, asked)
            except KmsError as error:
                raise _of_kms(error) from error
            return recorded.elements


def _of_kms(error: KmsError) -> MqError:
    """KMS's refusal, as the refusal of a request that needs KMS. The sentences are KMS's, the rest is the testbed's own."""
    if is_outage(error):
        return MqError(str(error))
    if error.code == "AccessDeniedException":
        return ForbiddenException(str(error), error_attribute="encryptionOptions")
    return BadRequestException(str(error), error_attribute="encryptionOptions")


def _response(
    status: int, document: Mapping[str, Any] | None, headers: Mapping[str, str] = {}
) -> Response:
    body = b"" if document is None else json.dumps(document).encode()
    return Response(status, body, {"Content-Type": "application/json", **headers})
