"""Condition keys about the caller, the connection and the time."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from testbed.kms.condition_keys.subject import Asked, Found, as_text
from testbed.kms.key_policy import via_service


def _via_service(subject: Asked) -> Found:
    caller = subject.caller
    service = caller.invoked_by.removesuffix(".amazonaws.com")
    return via_service(service, caller.region) if service else None


def _called_via(subject: Asked) -> Found:
    return subject.caller.invoked_by


def _source_ip(subject: Asked) -> Found:
    """Return the caller's address. For a service it is one of AWS's own, which is not public."""
    return None if subject.by_service else subject.caller.source_ip


def _user_agent(subject: Asked) -> Found:
    caller = subject.caller
    return (caller.invoked_by or caller.principal) if subject.by_service else caller.user_agent


def _caller_account(subject: Asked) -> Found:
    """Return the caller's account. A service's is that of the resource it calls for."""
    return _source_account(subject) or subject.caller.account


def _source_account(subject: Asked) -> Found:
    arn = subject.caller.source_arn
    return arn.split(":", 5)[4] if arn else None


def _user_id(subject: Asked) -> Found:
    caller = subject.caller
    if caller.credentials:
        return caller.credentials.principal_id
    return caller.account if caller.kind == "Root" else None


def _issued(subject: Asked) -> Found:
    credentials = subject.caller.credentials
    if credentials is None or credentials.issued is None:
        return None
    return datetime.fromtimestamp(credentials.issued, UTC).isoformat()


def _mfa_present(subject: Asked) -> Found:
    """Return whether the session used MFA; long-term keys lack the key (GLOBAL)."""
    credentials = subject.caller.credentials
    if credentials is None or credentials.issued is None:
        return None
    return as_text(credentials.mfa_at is not None)


def _mfa_age(subject: Asked) -> Found:
    credentials = subject.caller.credentials
    if credentials is None or credentials.mfa_at is None:
        return None
    return str(int(subject.now - credentials.mfa_at))


def _source_identity(subject: Asked) -> Found:
    return subject.caller.credentials.source_identity if subject.caller.credentials else None


def _principal_tag(subject: Asked, tag: str) -> Found:
    tags = subject.caller.credentials.tags if subject.caller.credentials else ()
    return next((value for name, value in tags if name.lower() == tag), None)


READERS: Mapping[str, Callable[[Asked], Found]] = {
    "kms:CallerAccount": _caller_account,
    "kms:ViaService": _via_service,
    "aws:CalledVia": _called_via,
    "aws:CalledViaFirst": _called_via,
    "aws:CalledViaLast": _called_via,
    "aws:CurrentTime": lambda subject: datetime.fromtimestamp(subject.now, UTC).isoformat(),
    "aws:MultiFactorAuthAge": _mfa_age,
    "aws:MultiFactorAuthPresent": _mfa_present,
    "aws:SourceIdentity": _source_identity,
    "aws:TokenIssueTime": _issued,
    "aws:EpochTime": lambda subject: str(int(subject.now)),
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
FAMILIES: Mapping[str, Callable[[Asked, str], Found]] = {"aws:PrincipalTag/": _principal_tag}
