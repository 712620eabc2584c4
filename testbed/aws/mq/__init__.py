"""Amazon MQ's API (REST-JSON, version 2017-11-27) over the testbed's brokers.

This package translates the wire: a request becomes an operation (``routes``), its parameters
(``parameters``), an answer (the files of the operations), and JSON again. The service and its
rules are ``testbed.broker``. Every call, refused or not, is one record in the trail.
"""

import json
from collections.abc import Mapping
from typing import Any

from testbed.account.authorization import Authorization
from testbed.aws import shapes
from testbed.aws.mq import (
    brokers,
    catalog,
    configurations,
    parameters,
    routes,
    tags,
    users,
)
from testbed.aws.mq.context import Call, Context, Operation, broker
from testbed.aws.mq.permissions import Permissions
from testbed.broker import refusals, strict_names
from testbed.errors import ApiError, BadRequestException, ForbiddenException, KmsError, MqError
from testbed.https.server import Request, Response
from testbed.kms.base import Caller, is_outage
from testbed.trail.recording import Recorder

OPERATIONS: Mapping[str, Operation] = {
    "CreateBroker": brokers.create,
    "DescribeBroker": brokers.describe,
    "ListBrokers": brokers.list_brokers,
    "UpdateBroker": brokers.update,
    "RebootBroker": brokers.reboot,
    "DeleteBroker": brokers.delete,
    "DescribeSharedResources": brokers.shared_resources,
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
    "DescribeBrokerEngineTypes": lambda context, call: catalog.engine_types(call.parameters),
    "DescribeBrokerInstanceOptions": lambda context, call: catalog.instance_options(
        call.parameters, call.caller.region
    ),
}
# Operations that take names, besides CreateBroker, whose names ``Brokers`` checks.
_NAMING = {"CreateUser", "CreateTags", "CreateConfiguration", "UpdateConfiguration"}


class Mq:
    """The service as ``dispatch`` calls it."""

    def __init__(self, context: Context, recorder: Recorder, authorization: Authorization) -> None:
        self._context, self._recorder = context, recorder
        self._permissions = Permissions(authorization, context)

    def answer(self, request: Request, caller: Caller) -> Response:
        """Perform the operation. Raises ``ApiError``, for ``refusal``."""
        route = routes.find(request.method, request.path)
        if route is None:
            raise ApiError(
                f"Amazon MQ has no {request.method} {request.path[:200]}.",
                code="UnknownOperationException",
                status=404,
            )
        answer = self._perform(route, request, caller)
        operation = route.operation
        status = operation.http.get("responseCode", 200)
        if operation.output_shape:
            return _response(status, shapes.render(operation.output_shape, answer))
        return _response(status, None if status == 204 else {})

    def refusal(self, error: ApiError, request_id: str) -> Response:
        """Return the answer for a refused request."""
        attribute = getattr(error, "error_attribute", "")
        document = {"errorAttribute": attribute} if attribute else {}
        document["message"] = error.message
        return _response(error.status, document, {"X-Amzn-ErrorType": error.code})

    def _perform(self, route: routes.Route, request: Request, caller: Caller) -> Mapping[str, Any]:
        name = route.operation.name
        try:
            sent = parameters.read(route, request)
        except MqError:
            with self._recorder.mq_call(caller, name, {}):
                raise
        with self._recorder.mq_call(caller, name, sent) as recorded:
            self._permissions.check(caller, name, sent)
            call = Call(caller, parameters.check(route.operation, sent), sent)
            if name not in OPERATIONS:
                broker(self._context, call)  # an unknown one is said first
                raise refusals.not_offered(name)
            if name in _NAMING and self._context.brokers.strict_names:
                strict_names.check_parameters(call.parameters)
            try:
                recorded.elements = OPERATIONS[name](self._context, call)
            except KmsError as error:
                raise _translate(error) from error
            return recorded.elements


def _translate(error: KmsError) -> MqError:
    """Return KMS's refusal as Amazon MQ's. The sentence is KMS's, the rest the testbed's own."""
    if is_outage(error):
        return MqError(str(error))
    if error.code == "AccessDeniedException":
        return ForbiddenException(str(error), error_attribute="encryptionOptions")
    return BadRequestException(str(error), error_attribute="encryptionOptions")


def _response(
    status: int, document: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None
) -> Response:
    body = b"" if document is None else json.dumps(document).encode()
    return Response(status, body, {"Content-Type": "application/json", **(headers or {})})
