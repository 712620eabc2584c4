"""The shape of a CloudTrail record (CTG, "record contents"). Pure: a call and its result make it.

``documented.cloudtrail`` says which members of a request and its answer are recorded. Operations
also differ in these points:

- A KMS call that Amazon MQ makes with a user's session has ``invokedBy``, and CreateGrant then has
  Amazon MQ's event source (DP).
- A service has its DNS name as address and user agent, and ``sharedEventID``: the event is
  delivered to the service's account and to the key's (CTG, DP). So has one that calls with a
  user's session (SMKMS), except for Amazon MQ, whose calls have the user's (DP).
- A refused call has null ``responseElements`` and, in ``errorCode``, the API's own code, except
  that a denied one has "AccessDenied".
- A call over TLS has ``tlsDetails``; a service's own calls have none (CTG).
- RetireGrant has null ``requestParameters`` and the grant's id in ``additionalEventData`` (KMSG).
- A key that KMS itself deletes or rotates is an AwsServiceEvent by "AWS Internal", without a
  request (KMSG).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from testbed import api_models
from testbed.arn import Arn
from testbed.documented.cloudtrail import (
    AWS_INTERNAL,
    EVENT_VERSION,
    FORWARDED_BY,
    FORWARDED_UNDER_MQ_SOURCE,
    IAM_ROLE,
    KMS_KEY,
    KMS_SOURCE,
    MQ_PATH_MEMBERS,
    MQ_SOURCE,
    Event,
    Shown,
    kms_event,
    mq_event,
)
from testbed.errors import ApiError, KmsError
from testbed.kms.base import SERVICE_ACCOUNT, Caller, TlsDetails, is_outage
from testbed.trail.identity import service, timestamp, user_identity
from testbed.trail.modelled import modelled_event
from testbed.trail.visible import lower_first, message, visible

# Recorded as additionalEventData of the operations that only read (KMSG: Decrypt, ReEncrypt, ...).
_MATERIALS = dict.fromkeys(
    ("KeyMaterialId", "SourceKeyMaterialId", "DestinationKeyMaterialId"), Shown.VALUE
)
_ACCESS_DENIED = "AccessDeniedException"
_ERROR_CODES = {_ACCESS_DENIED: "AccessDenied"}  # in every published record


@dataclass(frozen=True)
class Call:
    """A request, made ``at`` seconds since 1970, and its result: ``error``, or else ``answer``."""

    caller: Caller
    operation: str
    parameters: Mapping[str, Any]
    at: float
    request_id: str
    answer: Mapping[str, Any] = field(default_factory=dict)
    error: ApiError | None = None


@dataclass(frozen=True)
class Setting:
    """The common part of all records of a run. ``session_started``: see ``user_identity``."""

    event_version: str = EVENT_VERSION
    session_started: float = 0.0


def recipients(call: Call, resources: Sequence[str]) -> tuple[str, ...]:
    """Return the accounts whose trails get the record of a KMS call on ``resources``, ARNs.

    A user's call: the caller's, and the key owner's too unless access was denied (KMSG). A
    service's call: the owner's, so what Amazon MQ does with its own key is in no other trail.
    """
    owner = Arn.parse(resources[-1]).account if resources else call.caller.account
    if call.caller.kind == "AWSService":
        return (owner,)
    kept_out = isinstance(call.error, KmsError) and (
        call.error.code == _ACCESS_DENIED or is_outage(call.error)
    )
    if owner == call.caller.account or kept_out:
        return (call.caller.account,)
    return (call.caller.account, owner)


def elsewhere(call: Call) -> Call | None:
    """Return the call that CloudTrail records in another Region for one on a multi-Region key.

    ReplicateKey also is a CreateKey in the replica's Region, and UpdatePrimaryRegion is recorded
    where the new primary key is, too (KMSG).
    """
    if call.error or call.operation not in ("ReplicateKey", "UpdatePrimaryRegion"):
        return None
    parameters = dict(call.parameters)
    if call.operation == "UpdatePrimaryRegion":
        there = replace(call.caller, region=parameters["PrimaryRegion"])
        if there == call.caller:  # it is the other one's record already
            return None
        key_id = str(parameters["KeyId"]).rpartition("/")[2]
        return replace(call, caller=there, parameters={**parameters, "KeyId": key_id})
    there = replace(call.caller, region=parameters.pop("ReplicaRegion"))
    parameters.pop("KeyId")
    return replace(
        call,
        caller=there,
        operation="CreateKey",
        parameters={"MultiRegion": True, **parameters},
        answer={"KeyMetadata": call.answer["ReplicaKeyMetadata"]},
    )


def is_shared(call: Call, accounts: Sequence[str]) -> bool:
    """Return whether the record is delivered to more accounts; a service's own counts, unseen."""
    return len(accounts) > 1 or (
        call.caller.kind == "AWSService" and accounts[0] != SERVICE_ACCOUNT
    )


def kms_record(
    call: Call,
    setting: Setting,
    *,
    event_id: str,
    recipient: str,
    resources: Sequence[str] = (),
    shared_event_id: str = "",
    grant_id: str = "",
) -> dict[str, Any]:
    """Return the record of a call on KMS for the account ``recipient``.

    ``resources`` are the ARNs it concerned, the key's last. ``shared_event_id`` is the same in the
    records of other accounts; ``grant_id`` is that of a retired grant.
    """
    event = kms_event(call.operation)
    forwarded = call.caller.kind != "AWSService" and call.caller.invoked_by == FORWARDED_BY
    source = MQ_SOURCE if forwarded and call.operation in FORWARDED_UNDER_MQ_SOURCE else KMS_SOURCE
    request = {**event.defaults, **visible(call.parameters, event.request)}
    response = {} if call.error else visible(call.answer, event.response)
    key = resources[-1] if resources else ""
    if event.key_in_response and ":key/" in key and not call.error:
        response["keyId"] = key
    additional = {}
    if grant_id:
        additional["grantId"] = grant_id
    if event.read_only:
        additional |= visible(call.answer, _MATERIALS)
    record = _begin(call, setting, source, event)
    record["requestParameters"] = request or None
    record["responseElements"] = response or None
    if additional:
        record["additionalEventData"] = additional
    record["requestID"] = call.request_id
    record["eventID"] = event_id
    record["readOnly"] = event.read_only
    record["resources"] = [
        {"accountId": Arn.parse(arn).account, "type": KMS_KEY, "ARN": arn} for arn in resources
    ]
    return _end(record, recipient, shared_event_id=shared_event_id, tls=call.caller.tls)


def mq_record(call: Call, setting: Setting, *, event_id: str) -> dict[str, Any]:
    """Return the record of a call on Amazon MQ's API. Like GUIDE22's sample it has no resources."""
    event = mq_event(call.operation)
    record = _begin(call, setting, MQ_SOURCE, event)
    record["requestParameters"] = (
        visible(
            call.parameters,
            event.request,
            lambda name: MQ_PATH_MEMBERS.get(name) or lower_first(name),
        )
        or None
    )
    record["responseElements"] = (
        None if call.error else visible(call.answer, event.response) or None
    )
    record["requestID"] = call.request_id
    record["eventID"] = event_id
    record["readOnly"] = event.read_only
    return _end(record, call.caller.account, tls=call.caller.tls)


def role_of(call: Call, service: str) -> str:
    """Return the ARN of the role that a call has assumed; empty for any other call."""
    assumes = service == "sts" and call.operation == "AssumeRole" and not call.error
    return str(call.parameters["RoleArn"]) if assumes else ""


def account_record(
    call: Call,
    service: str,
    setting: Setting,
    *,
    event_id: str,
    recipient: str = "",
    shared_event_id: str = "",
) -> dict[str, Any]:
    """Return the record of a call on a service without a table, by botocore's name for it.

    ``recipient`` is the account that gets it, the caller's by default. That of a role which someone
    of another account has assumed learns the caller's account and unique id (CTG, "AWSAccount").
    """
    recipient = recipient or call.caller.account
    event = modelled_event(service, call.operation)
    source = f"{api_models.service(service).signing_name}.amazonaws.com"
    record = _begin(call, setting, source, event)
    record["requestParameters"] = visible(call.parameters, event.request) or None
    record["responseElements"] = (
        None if call.error else visible(call.answer, event.response) or None
    )
    record["requestID"] = call.request_id
    record["eventID"] = event_id
    record["readOnly"] = event.read_only
    if role := role_of(call, service):
        account = Arn.parse(role).account
        record["resources"] = [{"accountId": account, "type": IAM_ROLE, "ARN": role}]
    if recipient != call.caller.account:
        identity = record["userIdentity"]
        record["userIdentity"] = {
            "type": "AWSAccount",
            "principalId": identity["principalId"],
            "accountId": identity["accountId"],
        }
    return _end(record, recipient, shared_event_id=shared_event_id, tls=call.caller.tls)


def service_event_record(
    name: str,
    key_arn: str,
    at: float,
    setting: Setting,
    *,
    event_id: str,
    details: Mapping[str, str],
) -> dict[str, Any]:
    """Return the record of what KMS did to a key by itself.

    ``name`` is ``DeleteKey``, at the end of its window, ``RotateKey`` or
    ``DeleteExpiredKeyMaterial``.
    """
    account = Arn.parse(key_arn).account
    record: dict[str, Any] = {
        "eventVersion": setting.event_version,
        "userIdentity": {"accountId": account, "invokedBy": AWS_INTERNAL},
        "eventTime": timestamp(at),
        "eventSource": KMS_SOURCE,
        "eventName": name,
        "awsRegion": Arn.parse(key_arn).region,
        "sourceIPAddress": AWS_INTERNAL,
        "userAgent": AWS_INTERNAL,
        "requestParameters": None,
        "responseElements": None,
        "eventID": event_id,
        "readOnly": False,
        "resources": [{"accountId": account, "type": KMS_KEY, "ARN": key_arn}],
    }
    _end(record, account, event_type="AwsServiceEvent")
    record["serviceEventDetails"] = {"keyId": Arn.parse(key_arn).resource_id, **details}
    return record


def _begin(call: Call, setting: Setting, source: str, event: Event) -> dict[str, Any]:
    """Return the members in front of the request's own, in CloudTrail's order."""
    by_service = call.caller.kind == "AWSService" or call.caller.invoked_by not in (
        "",
        FORWARDED_BY,
    )
    record: dict[str, Any] = {
        "eventVersion": setting.event_version,
        "userIdentity": user_identity(call.caller, setting.session_started),
        "eventTime": timestamp(call.at),
        "eventSource": source,
        "eventName": call.operation,
        "awsRegion": call.caller.region,
        "sourceIPAddress": service(call.caller) if by_service else call.caller.source_ip,
        "userAgent": service(call.caller) if by_service else call.caller.user_agent,
    }
    if call.error:
        record["errorCode"] = _ERROR_CODES.get(call.error.code, call.error.code)
        sentence = message(call.error, call.parameters, event.request)
        if sentence:
            record["errorMessage"] = sentence
    return record


def _end(
    record: dict[str, Any],
    recipient: str,
    *,
    event_type: str = "AwsApiCall",
    shared_event_id: str = "",
    tls: TlsDetails | None = None,
) -> dict[str, Any]:
    record["eventType"] = event_type
    record["managementEvent"] = True
    record["recipientAccountId"] = recipient
    if shared_event_id:
        record["sharedEventID"] = shared_event_id
    record["eventCategory"] = "Management"
    if tls:
        record["tlsDetails"] = {
            "tlsVersion": tls.version,
            "cipherSuite": tls.cipher_suite,
            "clientProvidedHostHeader": tls.host,
        }
    return record
