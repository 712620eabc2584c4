"""Condition keys about the caller, the connection and the time."""

from collections.abc import Mapping
from datetime import UTC, datetime

from testbed.kms.condition_keys.subject import Found, Reader, Subject, as_text
from testbed.kms.key_policy import via_service


def _via_service(subject: Subject) -> Found:
    caller = subject.caller
    service = caller.invoked_by.removesuffix(".amazonaws.com")
    return via_service(service, caller.region) if service else None


def _called_via(subject: Subject) -> Found:
    return subject.caller.invoked_by


def _source_ip(subject: Subject) -> Found:
    """Return the caller's address. For a service it is one of AWS's own, which is not public."""
    return None if subject.by_service else subject.caller.source_ip


def _user_agent(subject: Subject) -> Found:
    caller = subject.caller
    return (caller.invoked_by or caller.principal) if subject.by_service else caller.user_agent


def _caller_account(subject: Subject) -> Found:
    """Return the caller's account. A service's is that of the resource it calls for."""
    return _source_account(subject) or subject.caller.account


def _source_account(subject: Subject) -> Found:
    arn = subject.caller.source_arn
    return arn.split(":", 5)[4] if arn else None


def _user_id(subject: Subject) -> Found:
    return subject.caller.account if subject.caller.kind == "Root" else None


READERS: Mapping[str, Reader] = {
    "kms:CallerAccount": _caller_account,
    "kms:ViaService": _via_service,
    "aws:CalledVia": _called_via,
    "aws:CalledViaFirst": _called_via,
    "aws:CalledViaLast": _called_via,
    "aws:CurrentTime": lambda subject: datetime.fromtimestamp(subject.call.now, UTC).isoformat(),
    "aws:EpochTime": lambda subject: str(int(subject.call.now)),
    "aws:referer": lambda subject: subject.caller.referer,
    "aws:RequestedRegion": lambda subject: subject.caller.region,
    "aws:SecureTransport": lambda _: "true",  # AWS's endpoints, and the testbed's, speak TLS alone
    "aws:SourceAccount": _source_account,
    "aws:SourceArn": lambda subject: subject.caller.source_arn,
    "aws:SourceIp": _source_ip,
    "aws:UserAgent": _user_agent,
    "aws:userid": _user_id,
    "aws:ViaAWSService": lambda subject: as_text(bool(subject.caller.invoked_by)),
}
