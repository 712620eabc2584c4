"""EC2's networks, CloudWatch, its Logs, Secrets Manager, Parameter Store and EventBridge.

moto answers, after the request was read, recorded and allowed by the caller's policies.
"""

from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel
from botocore.parsers import create_parser

from testbed import api_models, api_validation
from testbed.account import chosen_services, neighbour_limits
from testbed.account.authorization import Authorization
from testbed.account.moto_backends import Answer, Message, MotoBackends
from testbed.account.neighbour_permissions import Permissions
from testbed.account.neighbours import neighbour
from testbed.account.store import Place
from testbed.aws import json_protocol, query_protocol
from testbed.aws.https import Request, Response
from testbed.documented.neighbours import Neighbour
from testbed.errors import ApiError
from testbed.kms.base import Caller
from testbed.state.store import State
from testbed.trail.recording import Recorder, unrecorded

_READS = ("Batch", "Describe", "Filter", "Get", "List", "Test")
_QUERY = "application/x-www-form-urlencoded; charset=utf-8"


class NeighbourService:
    """One of the services as ``dispatch`` calls it."""

    def __init__(
        self,
        served: Neighbour,
        state: State,
        backends: MotoBackends,
        authorization: Authorization,
        recorder: Recorder,
    ) -> None:
        self._served, self._state, self._backends = served, state, backends
        self._permissions = Permissions(authorization, backends, served)
        self._recorder = recorder

    def answer(self, request: Request, caller: Caller) -> Response:
        """Perform the operation. Raises ``ApiError``, for ``refusal``."""
        served = self._served
        if not chosen_services.includes(self._state, served.name):
            raise ApiError(
                f"{served.called} is turned off; `testbed up --only` says what is served.",
                code="UnknownOperationException",
                status=404,
            )
        model = _operation(request, served.name)
        sent = _parameters(request, model)
        record = unrecorded if model.name in served.data else self._recorder.api_call
        with record(served.name, caller, model.name, sent) as recorded:
            self._permissions.check(caller, model.name, sent)
            self._check(model, sent)
            answer = self._call(request, caller, model)
            elements = _parsed(request, model, answer)
            if answer.status >= 400:
                error = elements["Error"]
                raise ApiError(error["Message"], code=error["Code"], status=answer.status)
            recorded.elements = elements
        return Response(200, answer.body, {"Content-Type": _content_type(request)})

    def refusal(self, error: ApiError, request_id: str) -> Response:
        """Return the answer for a refused request."""
        if self._served.name == "ec2":
            return query_protocol.ec2_refusal(error, request_id)
        return json_protocol.refusal(error)

    def _check(self, model: OperationModel, sent: Mapping[str, Any]) -> None:
        """Raise ``ApiError`` for what is not served, and for what breaks the model."""
        if model.name not in self._served.operations:
            raise ApiError(
                f"The testbed does not have {model.name} of {self._served.called}.",
                code="UnknownOperationException" if self._served.name != "ec2" else "InvalidAction",
                status=400,
            )
        errors = list(api_validation.errors(model.input_shape, sent)) if model.input_shape else []
        if errors:
            sentence = api_validation.sentence(errors)
            raise ApiError(sentence, code=self._served.invalid, status=400)
        neighbour_limits.check(self._served.name, model.name, sent)

    def _call(self, request: Request, caller: Caller, model: OperationModel) -> Answer:
        served, region = self._served, caller.region
        headers = {"Content-Type": _content_type(request)}
        if target := request.header("x-amz-target"):
            headers["X-Amz-Target"] = target
        host = api_models.service(served.name).endpoint_prefix
        return self._backends.call(
            neighbour(served.name),
            Place(served.name, caller.account, region),
            Message("POST", f"https://{host}.{region}.amazonaws.com/", headers, request.body),
            changes=not model.name.startswith(_READS),
            request_id=request.request_id,
            along=[(neighbour(name), Place(name, caller.account, region)) for name in served.along],
        )


def _is_json(request: Request) -> bool:
    return bool(request.header("x-amz-target"))


def _content_type(request: Request) -> str:
    return request.header("content-type") or (
        json_protocol.CONTENT_TYPE if _is_json(request) else _QUERY
    )


def _operation(request: Request, service: str) -> OperationModel:
    if not _is_json(request):
        return query_protocol.operation(request, service)
    target, _, name = request.header("x-amz-target").rpartition(".")
    model = api_models.service(service)
    if target != model.metadata.get("targetPrefix") or name not in api_models.operations(service):
        raise ApiError("", code="UnknownOperationException", status=400)
    return api_models.operations(service)[name]


def _parameters(request: Request, model: OperationModel) -> dict[str, Any]:
    if _is_json(request):
        return json_protocol.parsed(request, model)
    return query_protocol.parameters(request, model)


def _parsed(request: Request, model: OperationModel, answer: Answer) -> dict[str, Any]:
    """Return an answer in boto3's shape."""
    protocol = "json" if _is_json(request) else model.service_model.metadata["protocol"]
    response = {"status_code": answer.status, "headers": {}, "body": answer.body}
    parsed: dict[str, Any] = create_parser(protocol).parse(response, model.output_shape)
    parsed.pop("ResponseMetadata", None)
    return parsed
