"""STS: sessions of roles, users and federated users, each with credentials of its own.

moto's STS gives everyone the same keys, so this is the testbed's own. Sessions expire by the
testbed's clock; codes of MFA devices go by the real time, as authenticator applications do.
"""

import base64
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from testbed.account import mfa
from testbed.account.authorization import Authorization
from testbed.account.directory import Document, Role, Session
from testbed.arn import Arn
from testbed.documented import regions
from testbed.errors import ApiError
from testbed.kms.base import Caller
from testbed.policy.evaluate import not_authorized
from testbed.policy.language import QUOTAS, MalformedPolicyDocument, parse, size
from testbed.state.clock import Clock

FindPolicy = Callable[[str, str, str], Document | None]
"""Returns the managed policy of an account, in a Region, with an ARN; None for an unknown one."""

_HOUR = 3600
_LONGEST = {"Root": _HOUR, "IAMUser": 36 * _HOUR}  # GetSessionToken, GetFederationToken (STS)
_DEFAULT = 12 * _HOUR
_MFA_FAILED = "MultiFactorAuthentication failed"
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class Sessions:
    """The operations of STS. They raise ``ApiError`` with AWS's codes."""

    def __init__(self, authorization: Authorization, clock: Clock, find_policy: FindPolicy) -> None:
        self._authorization, self._clock, self._find_policy = authorization, clock, find_policy
        self._identities = authorization.identities

    def caller_identity(self, caller: Caller, _: Mapping[str, Any]) -> dict[str, Any]:
        """Return who calls. No permission is needed."""
        principal_id = caller.credentials.principal_id if caller.credentials else caller.account
        return {"Arn": caller.principal, "UserId": principal_id, "Account": caller.account}

    def access_key_info(self, caller: Caller, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the account of an access key."""
        self._authorization.check(caller, "sts:GetAccessKeyInfo")
        account = self._identities.account_of(parameters["AccessKeyId"])
        if not account:
            raise ApiError("Access key ID is not valid.", code="ValidationError", status=400)
        return {"Account": account}

    def session_token(self, caller: Caller, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Issue credentials for the caller itself. No permission is needed."""
        _require_long_term(caller, "GetSessionToken")
        duration = min(parameters.get("DurationSeconds", _DEFAULT), _LONGEST[caller.kind])
        session = self._new_session(caller, caller.principal, caller.kind, duration)
        session = replace(
            session,
            mfa_at=self._mfa_time(caller, parameters),
            principal_id=self.caller_identity(caller, {})["UserId"],
            tags=dict(caller.credentials.tags) if caller.credentials else {},
        )
        self._identities.store.put_session(session)
        return {"Credentials": _credentials(session)}

    def federation_token(self, caller: Caller, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Issue credentials for a federated user, limited by the policies in the request."""
        _require_long_term(caller, "GetFederationToken")
        name = parameters["Name"]
        arn = regions.iam_arn(
            caller.region, caller.account, f"federated-user/{name}", service="sts"
        )
        self._authorization.check(caller, "sts:GetFederationToken", arn)
        duration = min(parameters.get("DurationSeconds", _DEFAULT), _LONGEST[caller.kind])
        session = self._new_session(caller, arn, "FederatedUser", duration)
        session = replace(
            session,
            principal_id=f"{caller.account}:{name}",
            issuer=caller.principal,
            issuer_id=self.caller_identity(caller, {})["UserId"],
            policies=self._session_policies(parameters, caller.account, caller.region) or (),
            tags=_tags(parameters),
        )
        self._identities.store.put_session(session)
        user = {"FederatedUserId": session.principal_id, "Arn": arn}
        return {"Credentials": _credentials(session), "FederatedUser": user}

    def assume_role(self, caller: Caller, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Issue credentials for a session of a role."""
        arn, name = parameters["RoleArn"], parameters["RoleSessionName"]
        if caller.kind == "Root":
            raise _denied("Roles may not be assumed by root accounts.")
        if caller.kind == "FederatedUser":  # of STS they may ask who they are (API reference)
            raise _denied(not_authorized(caller.principal, "sts:AssumeRole", f"resource: {arn}"))
        role = self._role(caller, arn)
        with_mfa = self._mfa_time(caller, parameters)
        transitive, source_identity = self._may_assume(
            caller, role, parameters, with_mfa=with_mfa is not None
        )
        account, session_name = Arn.parse(arn).account, f"{role.name}/{name}"
        session = self._new_session(
            caller,
            regions.iam_arn(caller.region, account, f"assumed-role/{session_name}", service="sts"),
            "AssumedRole",
            _duration(caller, role, parameters),
        )
        session = replace(
            session,
            account=account,
            principal_id=f"{role.role_id}:{name}",
            issuer=role.arn,
            mfa_at=with_mfa,
            policies=self._session_policies(parameters, account, caller.region),
            tags=_overlaid(role.tags, transitive, _tags(parameters)),
            transitive=(*transitive, *parameters.get("TransitiveTagKeys", ())),
            source_identity=source_identity,
        )
        self._identities.store.put_session(session)
        answer = {
            "Credentials": _credentials(session),
            "AssumedRoleUser": {
                "AssumedRoleId": session.principal_id,
                "Arn": session.principal,
            },
        }
        return {**answer, **({"SourceIdentity": source_identity} if source_identity else {})}

    def _role(self, caller: Caller, arn: str) -> Role:
        try:
            account = Arn.parse(arn).account
        except ValueError:
            raise ApiError(f"{arn} is invalid", code="ValidationError", status=400) from None
        role = self._identities.directory(account, caller.region).role_by_arn(arn)
        if role is None:
            raise _denied(not_authorized(caller.principal, "sts:AssumeRole", f"resource: {arn}"))
        return role

    def _may_assume(
        self, caller: Caller, role: Role, parameters: Mapping[str, Any], *, with_mfa: bool
    ) -> tuple[Mapping[str, str], str]:
        """Return the tags and the source identity that the caller's own session passes on."""
        tags = _tags(parameters)
        given: dict[str, str | tuple[str, ...]] = {
            "sts:RoleSessionName": parameters["RoleSessionName"],
            "sts:ExternalId": parameters.get("ExternalId", ""),
            "sts:SourceIdentity": parameters.get("SourceIdentity", ""),
            "sts:TransitiveTagKeys": tuple(parameters.get("TransitiveTagKeys", ())),
            "aws:TagKeys": tuple(tags),
            **{f"aws:RequestTag/{key}": value for key, value in tags.items()},
            **{f"iam:ResourceTag/{key}": value for key, value in role.tags.items()},
            **{f"aws:ResourceTag/{key}": value for key, value in role.tags.items()},
        }
        if with_mfa:
            given |= {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "0"}
        actions = ["sts:AssumeRole"]
        if tags:
            actions.append("sts:TagSession")
        if "SourceIdentity" in parameters:
            actions.append("sts:SetSourceIdentity")
        for action in actions:
            decision = self._authorization.decide_on_role(caller, action, role.arn, given)
            if not decision.allowed:
                explicit = decision.reason if "explicit deny" in decision.reason else ""
                sentence = not_authorized(
                    caller.principal, action, f"resource: {role.arn}", explicit
                )
                raise _denied(sentence)
        session = caller.credentials
        kept = _transitive(session.tags, session.transitive) if session else {}
        _check_tags(parameters, kept)
        identity = session.source_identity if session else ""
        return kept, identity or parameters.get("SourceIdentity", "")

    def _mfa_time(self, caller: Caller, parameters: Mapping[str, Any]) -> float | None:
        """Return the time of the code in the request, None if it has none."""
        serial, code = parameters.get("SerialNumber", ""), parameters.get("TokenCode", "")
        if not serial and not code:
            return None
        device = self._identities.directory(caller.account, caller.region).devices.get(serial)
        if not code or device is None or device.user != caller.principal:
            raise _denied(
                f"{_MFA_FAILED}, unable to validate MFA code.  Please verify your MFA serial "
                "number is valid and associated with this user."
            )
        step = mfa.step_of(device.seed, code, time.time())
        if step is None or not self._identities.store.use_code(serial, step):
            raise _denied(f"{_MFA_FAILED} with invalid MFA one time pass code. ")
        return self._clock.now()

    def _session_policies(
        self, parameters: Mapping[str, Any], account: str, region: str
    ) -> tuple[Document, ...] | None:
        documents = []
        if "Policy" in parameters:
            documents.append(Document("session policy", _checked(parameters["Policy"])))
        for policy in parameters.get("PolicyArns", ()):
            found = self._find_policy(account, region, policy["arn"])
            if found is None:
                raise ApiError(
                    f"PolicyArn {policy['arn']} does not exist or is not attachable.",
                    code="MalformedPolicyDocument",
                    status=400,
                )
            documents.append(found)
        return tuple(documents) or None

    def _new_session(self, caller: Caller, principal: str, kind: Any, duration: float) -> Session:
        now = self._clock.now()
        return Session(
            access_key_id="ASIA" + "".join(secrets.choice(_BASE32) for _ in range(16)),
            secret=base64.b64encode(secrets.token_bytes(30)).decode(),
            # Opaque, in the form of AWS's.
            token=base64.b64encode(b"\x21\x0a\x09origin_ec" + secrets.token_bytes(240)).decode(),
            kind=kind,
            account=caller.account,
            partition=regions.partition(caller.region).name,
            principal=principal,
            principal_id="",
            issued=now,
            expires=now + duration,
        )


def _require_long_term(caller: Caller, operation: str) -> None:
    if caller.kind not in _LONGEST or (caller.credentials and caller.credentials.issued):
        raise _denied(f"Cannot call {operation} with session credentials")


def _duration(caller: Caller, role: Role, parameters: Mapping[str, Any]) -> int:
    duration = int(parameters.get("DurationSeconds", _HOUR))
    if duration > role.longest:
        raise ApiError(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            code="ValidationError",
            status=400,
        )
    if duration > _HOUR and caller.kind == "AssumedRole":
        raise ApiError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining",
            code="ValidationError",
            status=400,
        )
    return duration


def _checked(text: str) -> str:
    """Return a session policy. Raises ``ApiError`` for what is not one, or is too long."""
    try:
        parse(text, "identity")
    except MalformedPolicyDocument as error:
        raise ApiError(error.reason, code="MalformedPolicyDocument", status=400) from error
    if size(text) > QUOTAS["session policy"]:
        raise ApiError(
            "Packed policy consumes more than 100% of allotted space, please use smaller policy.",
            code="PackedPolicyTooLarge",
            status=400,
        )
    return text


def _tags(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in parameters.get("Tags", ())}


def _transitive(tags: Iterable[tuple[str, str]], keys: Iterable[str]) -> dict[str, str]:
    """Return the tags with these keys, whose case does not count."""
    wanted = {key.lower() for key in keys}
    return {key: value for key, value in tags if key.lower() in wanted}


def _check_tags(parameters: Mapping[str, Any], inherited: Iterable[str]) -> None:
    """Raise ``ApiError`` for tags that a session cannot have; the case of keys does not count."""
    keys = [tag["Key"].lower() for tag in parameters.get("Tags", ())]
    transitive = {key.lower() for key in parameters.get("TransitiveTagKeys", ())}
    if len(set(keys)) < len(keys):
        sentence = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    elif not transitive <= set(keys):
        sentence = "The specified transitive tag key must be included in the requested tags."
    elif {key.lower() for key in inherited} & set(keys):
        sentence = (
            "One of the specified transitive tag keys can't be set because it conflicts with "
            "a transitive tag key from the calling session."
        )
    else:
        return
    raise ApiError(sentence, code="InvalidParameterValue", status=400)


def _overlaid(*layers: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of all layers; the case of keys does not count, and the last value does."""
    result: dict[str, tuple[str, str]] = {}
    for layer in layers:
        result |= {key.lower(): (key, value) for key, value in layer.items()}
    return dict(result.values())


def _credentials(session: Session) -> dict[str, Any]:
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret,
        "SessionToken": session.token,
        "Expiration": datetime.fromtimestamp(session.expires, UTC),
    }


def _denied(sentence: str) -> ApiError:
    return ApiError(sentence, code="AccessDenied", status=403)
