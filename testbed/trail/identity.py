"""Who called: ``userIdentity`` for each kind of caller (CTG, "userIdentity element").

The ids (``principalId``, ``accessKeyId``) are IAM's. For a caller whom IAM does not know they are
derived from the principal: stable, in IAM's form, and good to look up by.
"""

import base64
import hashlib
import time
from functools import lru_cache
from typing import Any

from testbed.documented import regions
from testbed.kms.base import Caller, is_root


def user_identity(caller: Caller, session_started: float) -> dict[str, Any]:
    """Return the element of ``caller``.

    ``session_started``, seconds since 1970, is when temporary credentials were issued, if any.
    """
    if caller.kind == "AWSService":
        return {"type": "AWSService", "invokedBy": service(caller)}
    identity: dict[str, Any] = {
        "type": caller.kind,
        "principalId": _principal_id(caller),
        "arn": caller.principal,
        "accountId": caller.account,
        "accessKeyId": access_key_id(caller),
    }
    if caller.kind == "IAMUser":
        identity["userName"] = _name(caller.principal)
    if context := _session_context(caller, session_started):
        identity["sessionContext"] = context
    if caller.invoked_by:
        identity["invokedBy"] = caller.invoked_by
    return identity


def _session_context(caller: Caller, session_started: float) -> dict[str, Any]:
    """Return the element of a session; empty for long-term credentials."""
    credentials = caller.credentials
    issued = credentials.issued if credentials else session_started
    if issued is None or not (credentials or caller.kind == "AssumedRole"):
        return {}
    context: dict[str, Any] = {}
    if caller.kind == "AssumedRole":
        context = {"sessionIssuer": _issuer(caller, "Role"), "webIdFederationData": {}}
    elif caller.kind == "FederatedUser":
        by_root = is_root(_issuer_arn(caller))
        context = {"sessionIssuer": _issuer(caller, "Root" if by_root else "IAMUser")}
    with_mfa = credentials is not None and credentials.mfa_at is not None
    context["attributes"] = {
        "creationDate": timestamp(issued),
        "mfaAuthenticated": str(with_mfa).lower(),
    }
    if credentials and credentials.source_identity:
        context["sourceIdentity"] = credentials.source_identity
    return context


def _issuer(caller: Caller, kind: str) -> dict[str, str]:
    arn = _issuer_arn(caller)
    unique_id = caller.credentials.issuer_id if caller.credentials else ""
    issuer = {
        "type": kind,
        "principalId": unique_id or _principal_id(caller).partition(":")[0],
        "arn": arn,
        "accountId": caller.account,
    }
    return issuer if kind == "Root" else {**issuer, "userName": _name(arn)}


def _issuer_arn(caller: Caller) -> str:
    if caller.credentials:
        return caller.credentials.issuer
    return regions.iam_arn(caller.region, caller.account, f"role/{_role(caller.principal)}")


def _principal_id(caller: Caller) -> str:
    if caller.credentials:
        return caller.credentials.principal_id
    if caller.kind == "IAMUser":
        return _derived_id("AIDA", caller.principal)
    if caller.kind == "AssumedRole":
        return f"{_derived_id('AROA', _issuer_arn(caller))}:{_name(caller.principal)}"
    return caller.account


def _name(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def service(caller: Caller) -> str:
    """Return the DNS name of a calling service, or of the one it acts through.

    DP: EBS acts through Amazon MQ.
    """
    return caller.invoked_by or caller.principal


def access_key_id(caller: Caller) -> str:
    """Return the caller's key id; temporary ones begin with ASIA, others with AKIA (IAM)."""
    if caller.credentials:
        return caller.credentials.access_key_id
    return _derived_id("ASIA" if caller.kind == "AssumedRole" else "AKIA", caller.principal)


def username(identity: dict[str, Any]) -> str:
    """Return LookupEvents' ``Username``: the session's name for a role, empty for a service."""
    if "userName" in identity:
        return str(identity["userName"])
    if identity.get("type") == "Root":
        return "root"
    return str(identity.get("arn", "")).rpartition("/")[2]


def timestamp(at: float) -> str:
    """Return seconds since 1970 as records have them: in whole seconds, as in CloudTrail."""
    return _stamp(int(at))


@lru_cache(maxsize=16)  # many records in one second
def _stamp(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def _role(principal: str) -> str:
    """Return the role of ``arn:aws:sts::account:assumed-role/role/session``.

    A principal of another form is its own role, as in DP's samples.
    """
    parts = principal.split("/")
    return parts[-2] if len(parts) > 2 else parts[-1]


@lru_cache(maxsize=1024)
def _derived_id(prefix: str, principal: str) -> str:
    return prefix + base64.b32encode(hashlib.sha256(principal.encode()).digest()).decode()[:16]
