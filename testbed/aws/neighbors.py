"""The services beside a broker: moto answers, after policies have decided and before the trail."""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.model import OperationModel
from botocore.parsers import create_parser

from testbed import api_models
from testbed.account.authorization import Authorization
from testbed.account.moto_backends import Answer, Message, MotoBackends
from testbed.account.store import Place
from testbed.aws import json_protocol, query_protocol
from testbed.aws.https import Request, Response
from testbed.documented import neighbors as documented
from testbed.documented import regions
from testbed.errors import ApiError
from testbed.kms.base import Caller
from testbed.trail.recording import Answer as Recorded
from testbed.trail.recording import Recorder

if TYPE_CHECKING:
    from testbed.account.neighbors import Neighbor as MotoNeighbor

_FORM = "application/x-www-form-urlencoded"


class Neighbor:
    """One of the services as ``dispatch`` calls it; ``name`` is botocore's."""

    def __init__(
        self, name: str, backends: MotoBackends, authorization: Authorization, recorder: Recorder
    ) -> None:
        self._name, self._backends = name, backends
        self._authorization, self._recorder = authorization, recorder

    def answer(self, request: Request, caller: Caller) -> Response:
        """Perform the operation. Raises ``ApiError``, for ``refusal``."""
        model = self._operation(request)
        sent = _parameters(model, request)
        recording = (
            nullcontext(Recorded())
            if model.name in documented.NOT_RECORDED
            else self._recorder.api_call(self._name, caller, model.name, sent)
        )
        with recording as recorded:
            self._check(caller, model.name, sent)
            answer = self._call(request, caller, model)
            parsed = self._parsed(request, model, answer)
            if answer.status >= 400:
                error = parsed.get("Error", {})
                raise ApiError(
                    str(error.get("Message", "")),
                    code=str(error.get("Code", "")),
                    status=answer.status,
                )
            recorded.elements = parsed
        content_type = "text/xml" if self._is_form(request) else json_protocol.CONTENT_TYPE
        return Response(200, answer.body, {"Content-Type": content_type})

    def refusal(self, error: ApiError, request_id: str) -> Response:
        """Return the answer for a refused request."""
        if self._name == "ec2":
            return query_protocol.ec2_refusal(error, request_id)
        return json_protocol.refusal(error)

    @cached_property
    def _moto(self) -> "MotoNeighbor":
        from testbed.account.neighbors import Neighbor as MotoNeighbor  # it loads moto

        return MotoNeighbor(self._name)

    def _is_form(self, request: Request) -> bool:
        return not request.header("x-amz-target")

    def _operation(self, request: Request) -> OperationModel:
        if self._is_form(request):
            return query_protocol.operation(request, self._name)
        name = request.header("x-amz-target").rpartition(".")[2]
        operations = api_models.operations(self._name)
        if name not in operations:
            raise ApiError("", code="UnknownOperationException", status=400)
        return operations[name]

    def _check(self, caller: Caller, operation: str, sent: Mapping[str, Any]) -> None:
        """Raise AWS's refusal unless the caller's policies allow the action."""
        if caller.credentials is None:
            return
        action = f"{documented.ACTIONS.get(self._name, self._name)}:{operation}"
        resource = self._resource(caller, sent)
        decision = self._authorization.decide(caller, action, resource)
        if not decision.allowed:
            sentence = decision.sentence(self._authorization.request(caller, action, resource))
            if self._name == "ec2":
                sentence = f"You are not authorized to perform this operation. {sentence}"
            code = "UnauthorizedOperation" if self._name == "ec2" else "AccessDeniedException"
            raise ApiError(sentence, code=code, status=403 if self._name == "ec2" else 400)

    def _resource(self, caller: Caller, sent: Mapping[str, Any]) -> str:
        for member, pattern in documented.RESOURCES.get(self._name, {}).items():
            value = sent.get(member)
            name = str(value[0] if isinstance(value, list) and value else value or "")
            if name.startswith("arn:"):
                return name
            if name:
                resource = pattern.format(name.removeprefix("/"))
                return regions.arn(self._name, caller.region, caller.account, resource)
        return "*"

    def _call(self, request: Request, caller: Caller, model: OperationModel) -> Answer:
        if not self._moto.has(model.name):
            raise ApiError(
                f"The testbed does not have {model.name} of {self._name}.",
                code="UnsupportedOperation",
                status=400,
            )
        suffix = regions.partition(caller.region).dns_suffix
        url = f"https://{documented.SIGNED_AS[self._name]}.{caller.region}.{suffix}/"
        if self._is_form(request):
            message = Message("POST", url, {"Content-Type": _FORM}, query_protocol.form(request))
        else:
            headers = {
                "Content-Type": json_protocol.CONTENT_TYPE,
                "X-Amz-Target": request.header("x-amz-target"),
            }
            message = Message("POST", url, headers, request.body)
        return self._backends.call(
            self._moto,
            Place(self._name, caller.account, caller.region),
            message,
            changes=not model.name.startswith(documented.READS),
            request_id=request.request_id,
        )

    def _parsed(self, request: Request, model: OperationModel, answer: Answer) -> dict[str, Any]:
        """Return an answer in boto3's shape."""
        protocol = ("ec2" if self._name == "ec2" else "query") if self._is_form(request) else "json"
        headers = {name.lower(): str(value) for name, value in answer.headers.items()}
        response = {"status_code": answer.status, "headers": headers, "body": answer.body}
        parsed: dict[str, Any] = create_parser(protocol).parse(response, model.output_shape)
        parsed.pop("ResponseMetadata", None)
        return parsed


def _parameters(model: OperationModel, request: Request) -> dict[str, Any]:
    """Return the parameters, as far as they can be read: moto says what is wrong with others."""
    if model.input_shape is None:
        return {}
    if not request.header("x-amz-target"):
        return query_protocol.loosely(request, model)
    try:
        document = json.loads(request.body or b"{}")
    except ValueError:
        raise ApiError("", code="SerializationException", status=400) from None
    return document if isinstance(document, dict) else {}
