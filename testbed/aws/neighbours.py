"""EC2's networks, CloudWatch, its Logs, Secrets Manager, Parameter Store and EventBridge.

moto answers, after the request was read, recorded and allowed by the caller's policies.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.model import OperationModel
from botocore.parsers import create_parser

from testbed import api_models, api_validation
from testbed.account import chosen_services, neighbour_limits
from testbed.account.authorization import Authorization
from testbed.account.log_groups import by_name
from testbed.account.log_retention import expire, has_expired
from testbed.account.moto_backends import Answer, Message
from testbed.account.neighbour_permissions import Permissions
from testbed.account.neighbours import neighbour
from testbed.account.secret_keys import SecretKeys
from testbed.account.secure_strings import SecureStrings
from testbed.account.store import Place
from testbed.aws import json_protocol, query_protocol
from testbed.documented.metrics import NAMESPACE
from testbed.documented.neighbours import NEIGHBOURS, Neighbour
from testbed.errors import ApiError
from testbed.https.server import Request, Response
from testbed.kms.base import Caller
from testbed.testbed import Testbed
from testbed.trail.recording import unrecorded

_READS = ("Batch", "Describe", "Filter", "Get", "List", "Test")
_QUERIED = {"query", "ec2"}  # protocols
_QUERY = "application/x-www-form-urlencoded; charset=utf-8"


class NeighbourService:
    """One of the services as ``dispatch`` calls it."""

    def __init__(self, served: Neighbour, testbed: Testbed, authorization: Authorization) -> None:
        self._served, self._testbed = served, testbed
        self._backends = testbed.services.backends
        self._permissions = Permissions(authorization, self._backends, served)
        of_secrets = NEIGHBOURS["secretsmanager"]
        self._on_secrets = Permissions(authorization, self._backends, of_secrets)

    def answer(self, request: Request, caller: Caller) -> Response:
        """Perform the operation. Raises ``ApiError``, for ``refusal``."""
        served = self._served
        if not chosen_services.includes(self._testbed.state, served.name):
            raise ApiError(
                f"{served.called} is turned off; `testbed up --only` says what is served.",
                code="UnknownOperationException",
                status=404,
            )
        model = _operation(request, served.name)
        sent = _parameters(request, model)
        record = (
            unrecorded if model.name in served.data else self._testbed.services.recorder.api_call
        )
        with record(served.name, caller, model.name, sent) as recorded:
            meant = self._meant(caller, model.name, sent)
            self._permissions.check(caller, model.name, meant)
            self._check(model, sent)
            if served.name == "logs" and meant is not sent:
                request = replace(request, body=json.dumps(meant).encode())
            if served.name == "ec2" and model.name.startswith("Delete"):
                self._check_unused(caller, meant)
            if served.name == "logs" and model.name.startswith(_READS):
                self._bring_up_to_date(caller)
            if served.name == "cloudwatch" and _is_about_brokers(model.name, sent):
                self._testbed.upkeep.measure(caller)
            if model.name == "PutParameter":
                request = replace(
                    request, body=json.dumps(self._secure(caller).sealed(sent)).encode()
                )
            if served.name == "secretsmanager":
                answer = self._of_secrets(request, caller, model)
            else:
                answer = self._call(request, caller, model)
            elements = _parsed(request, model, answer)
            if answer.status >= 400:
                error = elements["Error"]
                # Of a secret that is missing moto's status is 404, which AWS JSON does not have.
                status = 400 if _is_json(request) and answer.status < 500 else answer.status
                raise ApiError(error["Message"], code=error["Code"], status=status)
            recorded.elements = elements
            if served.name in ("secretsmanager", "ssm"):
                keys = self._secure(caller) if served.name == "ssm" else self._secrets(caller)
                opened = keys.opened(json.loads(answer.body or "{}"))
                answer = replace(answer, body=json.dumps(opened).encode())
        return Response(200, answer.body, {"Content-Type": _content_type(request)})

    def refusal(self, error: ApiError, request_id: str) -> Response:
        """Return the answer for a refused request."""
        if self._served.name == "ec2":
            return query_protocol.ec2_refusal(error, request_id)
        return json_protocol.refusal(error)

    def _meant(self, caller: Caller, operation: str, sent: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the request with each thing named in one way, however the caller names it."""
        if self._served.name == "logs":
            return by_name(caller, sent)
        name = sent.get("GroupName")
        # A security group of the default VPC may be named; CreateSecurityGroup names a new one.
        if self._served.name != "ec2" or name is None or operation == "CreateSecurityGroup":
            return sent
        place = Place("ec2", caller.account, caller.region)
        group = self._backends.read(neighbour("ec2"), place, lambda moto: moto.group_by_name(name))
        return {"GroupId": group.id, **sent} if group else sent

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
        if sent.get("DryRun"):  # of EC2; moto does some of these all the same
            sentence = "Request would have succeeded, but DryRun flag is set."
            raise ApiError(sentence, code="DryRunOperation", status=412)

    def _secure(self, caller: Caller) -> SecureStrings:
        read_secret = self._secrets(caller).read
        return SecureStrings(self._testbed.kms, caller, self._backends, read_secret)

    def _secrets(self, caller: Caller) -> SecretKeys:
        def may_read(arn: str) -> None:
            """Decide on a secret and record it: one of a batch, or one behind a parameter."""
            sent = {"SecretId": arn}
            self._on_secrets.check(caller, "GetSecretValue", sent)
            record = self._testbed.services.recorder.call_within
            record("secretsmanager", caller, "GetSecretValue", sent, {})

        return SecretKeys(self._testbed.kms, caller, self._backends, may_read)

    def _of_secrets(self, request: Request, caller: Caller, model: OperationModel) -> Answer:
        with self._secrets(caller).sealed(model.name, request.body) as body:
            return self._call(replace(request, body=body), caller, model)

    def _bring_up_to_date(self, caller: Caller) -> None:
        """Deliver what brokers have written, and remove the events whose time is over."""
        self._testbed.upkeep.deliver_logs(caller)
        place, now = Place("logs", caller.account, caller.region), self._testbed.clock.now()
        logs = neighbour("logs")
        if self._backends.read(logs, place, lambda moto: has_expired(moto, now)):
            self._backends.change(logs, place, lambda moto: expire(moto, now))

    def _check_unused(self, caller: Caller, sent: Mapping[str, Any]) -> None:
        """Raise EC2's refusal to delete what has a network interface of a broker."""
        used = {
            name
            for broker in self._testbed.brokers.peek_all(caller)
            for member in ("SubnetIds", "SecurityGroups")
            for name in broker.settings[member]
        }
        if (subnet := sent.get("SubnetId")) in used:
            sentence = f"The subnet '{subnet}' has dependencies and cannot be deleted."
        elif (group := sent.get("GroupId")) in used:
            sentence = f"resource {group} has a dependent object"
        else:
            return
        raise ApiError(sentence, code="DependencyViolation", status=400)

    def _call(self, request: Request, caller: Caller, model: OperationModel) -> Answer:
        served, region = self._served, caller.region
        headers = {"Content-Type": _content_type(request)}
        if target := request.header("x-amz-target"):
            headers["X-Amz-Target"] = target
        host = api_models.service(served.name).endpoint_prefix
        try:
            return self._backends.call(
                neighbour(served.name),
                Place(served.name, caller.account, region),
                Message("POST", f"https://{host}.{region}.amazonaws.com/", headers, request.body),
                changes=not model.name.startswith(_READS),
                request_id=request.request_id,
                along=[
                    (neighbour(name), Place(name, caller.account, region)) for name in served.along
                ],
            )
        except NotImplementedError as error:  # such as "The filter 'x' for DescribeVpcs has not"
            lacking, _, rest = str(error).partition(" has not been implemented")
            what = f"{lacking[0].lower()}{lacking[1:]}" if rest else f"all of {model.name}"
            sentence = f"The testbed does not have {what}."
            code = "InvalidParameterValue" if served.name == "ec2" else served.invalid
            raise ApiError(sentence, code=code, status=400) from error


def _is_about_brokers(operation: str, sent: Mapping[str, Any]) -> bool:
    """Return whether a request of CloudWatch reads metrics of brokers, and not a further page."""
    if operation == "ListMetrics":
        return "NextToken" not in sent and sent.get("Namespace", NAMESPACE) == NAMESPACE
    queries = (query.get("MetricStat", {}) for query in sent.get("MetricDataQueries", ()))
    namespaces = {query.get("Metric", {}).get("Namespace") for query in queries}
    return operation.startswith("Get") and NAMESPACE in {sent.get("Namespace"), *namespaces}


def _is_json(request: Request) -> bool:
    return bool(request.header("x-amz-target"))


def _content_type(request: Request) -> str:
    return request.header("content-type") or (
        json_protocol.CONTENT_TYPE if _is_json(request) else _QUERY
    )


def _operation(request: Request, service: str) -> OperationModel:
    model = api_models.service(service)
    if not _is_json(request) and not _QUERIED.isdisjoint(model.metadata["protocols"]):
        return query_protocol.operation(request, service)
    target, _, name = request.header("x-amz-target").rpartition(".")
    if target != model.metadata.get("targetPrefix") or name not in api_models.operations(service):
        raise ApiError("", code="UnknownOperationException", status=400)
    return api_models.operations(service)[name]


def _parameters(request: Request, model: OperationModel) -> dict[str, Any]:
    if _is_json(request):
        return json_protocol.parsed(request, model)
    return query_protocol.parameters(request, model)


def _parsed(request: Request, model: OperationModel, answer: Answer) -> dict[str, Any]:
    """Return an answer in boto3's shape."""
    in_xml = "ec2" if model.service_model.service_name == "ec2" else "query"
    protocol = "json" if _is_json(request) else in_xml
    response = {"status_code": answer.status, "headers": {}, "body": answer.body}
    parsed: dict[str, Any] = create_parser(protocol).parse(response, model.output_shape)
    parsed.pop("ResponseMetadata", None)
    return parsed
