"""Who called, as CloudTrail says it: ``userIdentity`` for each kind of caller (CTG, "userIdentity element").

There is no IAM behind the testbed, so the ids that IAM would give (``principalId``, ``accessKeyId``) are made from the
principal: the same one every time, in IAM's form, and good to look up by.
"""

import base64
import hashlib
import time
from functools import lru_cache
from typing import Any

from testbed.kms.base import Caller


def user_identity(caller: Caller, session_started: float) -> dict[str, Any]:
    """``session_started``, seconds since 1970, is when the caller's temporary credentials were given out, where it has some."""
    if caller.kind == "AWSService":
        return {"type": "AWSService", "invokedBy": service(caller)}
    name = caller.principal.rsplit("/", 1)[-1]
    identity: dict[str, Any] = {
        "type": caller.kind,
        "principalId": caller.account,
        "arn": caller.principal,
        "accountId": caller.account,
    }
    identity["accessKeyId"] = access_key_id(caller)
    if caller.kind == "IAMUser":
        identity["principalId"] = _made("AIDA", caller.principal)
        identity["userName"] = name
    elif caller.kind == "AssumedRole":
        role = _role(caller.principal)
        issuer = f"arn:aws:iam::{caller.account}:role/{role}"
        role_id = _made("AROA", issuer)
        identity["principalId"] = f"{role_id}:{name}"
        identity["sessionContext"] = {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role_id,
                "arn": issuer,
                "accountId": caller.account,
                "userName": role,
            },
            "webIdFederationData": {},
            "attributes": {"creationDate": timestamp(session_started), "mfaAuthenticated": "false"},
        }
    if caller.invoked_by:
        identity["invokedBy"] = caller.invoked_by
    return identity


def service(caller: Caller) -> str:
    """The DNS name of a calling service: of the one it acts through, where it does (DP: EBS acts through Amazon MQ)."""
    return caller.invoked_by or caller.principal


def access_key_id(caller: Caller) -> str:
    """Temporary credentials begin with ASIA, others with AKIA (IAM)."""
    return _made("ASIA" if caller.kind == "AssumedRole" else "AKIA", caller.principal)


def username(identity: dict[str, Any]) -> str:
    """What LookupEvents calls the ``Username`` of an event: empty for a service, the session's name for a role."""
    if "userName" in identity:
        return str(identity["userName"])
    if identity.get("type") == "Root":
        return "root"
    return str(identity.get("arn", "")).rpartition("/")[2]


def timestamp(at: float) -> str:
    """Seconds since 1970 as every time of a record is written; whole seconds, as in CloudTrail."""
    return _stamp(int(at))


@lru_cache(maxsize=16)  # many records in one second
def _stamp(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def _role(principal: str) -> str:
    """Of ``arn:aws:sts::account:assumed-role/role/session``; a principal of another form is its own role, as in DP's samples."""
    parts = principal.split("/")
    return parts[-2] if len(parts) > 2 else parts[-1]


@lru_cache(maxsize=1024)
def _made(prefix: str, of: str) -> str:
    return prefix + base64.b32encode(hashlib.sha256(of.encode()).digest()).decode()[:16]
