"""IAM (API version 2010-05-08): moto answers, after this has checked the request."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.model import OperationModel
from botocore.parsers import create_parser

from testbed.account import iam_permissions, simulation
from testbed.account.authorization import Authorization
from testbed.account.directory import Document
from testbed.account.key_usage import last_used
from testbed.account.moto_backends import Answer, Message, MotoBackends
from testbed.account.store import Place
from testbed.aws import query_protocol
from testbed.aws.linked_roles import LinkedRoles
from testbed.documented import regions
from testbed.errors import ApiError
from testbed.https.server import Request, Response
from testbed.kms.base import Caller
from testbed.policy.language import Kind, MalformedPolicyDocument, parse
from testbed.trail.recording import Recorder

_SIMULATORS = {
    "SimulateCustomPolicy": simulation.custom_policy,
    "SimulatePrincipalPolicy": simulation.principal_policy,
}
_READS = ("Get", "List", "Simulate")
_POLICIES: Mapping[str, Kind] = {"PolicyDocument": "identity", "AssumeRolePolicyDocument": "trust"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
_MORE_THAN_SECONDS = re.compile(rb"(?<=T\d\d:\d\d:\d\d)\.\d+(?=Z</)")


class Iam:
    """The service as ``dispatch`` calls it."""

    def __init__(
        self,
        backends: MotoBackends,
        authorization: Authorization,
        recorder: Recorder,
        linked_roles: LinkedRoles,
    ) -> None:
        self._backends, self._recorder = backends, recorder
        self._linked_roles = linked_roles
        self._authorization = authorization

    def answer(self, request: Request, caller: Caller) -> Response:
        """Perform the operation. Raises ``ApiError``, for ``refusal``."""
        model = query_protocol.operation(request, "iam")
        sent = query_protocol.parameters(request, model)
        _require_usable(caller)
        home = replace(caller, region=regions.of_global_services(caller.region))
        with self._recorder.api_call("iam", home, model.name, sent) as recorded:
            sent = iam_permissions.of_caller(model.name, caller, sent)
            iam_permissions.check(self._authorization, caller, model.name, sent)
            query_protocol.check(model, sent)
            self._linked_roles.check(model.name, caller, sent)
            if (own := self._own(model.name, caller, sent)) is not None:
                recorded.elements = own
                return query_protocol.answer(model, own, request.request_id)
            _check_policies(model.name, sent)
            _check_marker(sent)
            answer = self._call(request, caller, model, sent)
            elements = _parsed(model, answer)
            if answer.status >= 400:
                raise _refusal(elements["Error"], answer.status)
            recorded.elements = elements
        return Response(200, _MORE_THAN_SECONDS.sub(b"", answer.body), {"Content-Type": "text/xml"})

    def refusal(self, error: ApiError, request_id: str) -> Response:
        """Return the answer for a refused request."""
        return query_protocol.refusal(error, request_id, "iam")

    def _own(
        self, operation: str, caller: Caller, sent: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Return the answer of an operation that moto lacks, or has no answer to; else None."""
        identities = self._authorization.identities
        if of_root := iam_permissions.of_root(operation, caller, sent):
            return of_root
        if operation == "GetAccessKeyLastUsed":
            return last_used(self._recorder.trail, identities, caller, sent["AccessKeyId"])
        if simulate := _SIMULATORS.get(operation):
            return simulate(identities, caller, sent, self._recorder.now())
        return self._linked_roles.deletion(operation, caller, sent)

    def _call(
        self, request: Request, caller: Caller, model: OperationModel, sent: Mapping[str, Any]
    ) -> Answer:
        from testbed.account.iam import Iam as MotoIam  # it loads moto
        from testbed.account.iam_operations import has

        if not has(model.name):
            raise ApiError(
                f"The testbed does not have {model.name} of IAM.", code="InvalidAction", status=400
            )
        partition = regions.partition(caller.region).name
        return self._backends.call(
            MotoIam(self._backends.store),
            Place("iam", caller.account, partition),
            Message(
                "POST",
                _url(caller.region),
                _FORM,
                query_protocol.form(request, sent, ("UserName",)),
            ),
            changes=not model.name.startswith(_READS),
            request_id=request.request_id,
        )


def _require_usable(caller: Caller) -> None:
    """Refuse sessions that STS gives without access to IAM, in AWS's words.

    Those of GetSessionToken have it with an MFA code alone, and federated users never (API
    reference of STS).
    """
    session = caller.credentials
    if session is None or session.issued is None or caller.kind == "AssumedRole":
        return
    if caller.kind == "FederatedUser" or session.mfa_at is None:
        raise ApiError(
            "The security token included in the request is invalid",
            code="InvalidClientTokenId",
            status=403,
        )


def managed_policy(backends: MotoBackends, account: str, region: str, arn: str) -> Document | None:
    """Return a managed policy of an account; None for an unknown one."""
    from testbed.account.iam import Iam as MotoIam
    from testbed.account.iam import document

    place = Place("iam", account, regions.partition(region).name)
    return backends.read(MotoIam(backends.store), place, lambda moto: document(moto, arn))


def _url(region: str) -> str:
    return f"https://iam.{region}.{regions.partition(region).dns_suffix}/"


def _check_policies(operation: str, sent: Mapping[str, Any]) -> None:
    """Raise ``MalformedPolicyDocument`` for a document that policies cannot be decided by."""
    for member, kind in _POLICIES.items():
        if member in sent:
            try:
                parse(sent[member], "trust" if operation == "UpdateAssumeRolePolicy" else kind)
            except MalformedPolicyDocument as error:
                raise ApiError(error.reason, code="MalformedPolicyDocument", status=400) from error


def _check_marker(sent: Mapping[str, Any]) -> None:
    """Raise ``ValidationError`` for a marker that no answer had; moto's are numbers."""
    marker = str(sent.get("Marker", "0"))
    if not (marker.isascii() and marker.isdigit() and len(marker) < 10):
        raise ApiError("Invalid Marker.", code="ValidationError", status=400)


def _parsed(model: OperationModel, answer: Answer) -> dict[str, Any]:
    """Return an answer in boto3's shape."""
    response = {"status_code": answer.status, "headers": {}, "body": answer.body}
    parsed: dict[str, Any] = create_parser("query").parse(response, model.output_shape)
    parsed.pop("ResponseMetadata", None)
    return parsed


# What moto says otherwise than AWS.
_SENTENCES = (
    (r"User (\S+) already exists", r"User with name \1 already exists."),
    (r"Group (\S+) already exists", r"Group with name \1 already exists."),
    (r"(Role|Group) (\S+) not found", r"The \1 with name \2 cannot be found."),
    (r"Policy (arn:\S+) not found", r"Policy \1 was not found."),
    (
        r"Instance profile (\S+) not found",
        r"Instance Profile \1 cannot be found.",
    ),
)


def _refusal(error: Mapping[str, Any], status: int) -> ApiError:
    sentence = str(error.get("Message", ""))
    for theirs, aws in _SENTENCES:
        sentence = re.sub(rf"\A{theirs}\Z", aws, sentence)
    sentence = sentence.replace("The Role with", "The role with").replace(
        "The Group with", "The group with"
    )
    return ApiError(sentence, code=str(error.get("Code", "")), status=status)
