"""Who called: ``userIdentity`` for each kind of caller (CTG, "userIdentity element").

There is no IAM behind the testbed, so the ids that IAM would give (``principalId``,
``accessKeyId``) are derived from the principal: stable, in IAM's form, and good to look up by.
"""

import base64
import hashlib
import time
from functools import lru_cache
from typing import Any

from testbed.documented import regions
from testbed.kms.base import Caller


def user_identity(caller: Caller, session_started: float) -> dict[str, Any]:
    """Return the element of ``caller``.

    ``session_started``, seconds since 1970, is when temporary credentials were issued, if any.
    """
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
        identity["principalId"] = _derived_id("AIDA", caller.principal)
        identity["userName"] = name
    elif caller.kind == "AssumedRole":
        role = _role(caller.principal)
        issuer = regions.iam_arn(caller.region, caller.account, f"role/{role}")
        role_id = _derived_id("AROA", issuer)
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
    """Return the DNS name of a calling service, or of the one it acts through.

    DP: EBS acts through Amazon MQ.
    """
    return caller.invoked_by or caller.principal


def access_key_id(caller: Caller) -> str:
    """Return the caller's key id; temporary ones begin with ASIA, others with AKIA (IAM)."""
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
