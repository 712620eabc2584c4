"""Key policies: the decision of one on a principal's action. Pure.

Evaluated are Effect, Principal and NotPrincipal, Action and NotAction, Resource, and the operators
and keys of ``OPERATORS`` and ``CONDITION_KEYS``. A policy that uses others is refused when it is
put; in one that got past (it was put on LocalStack itself) a statement with an unknown condition
never allows and always denies.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from testbed.documented.engines import REGION
from testbed.errors import KmsError
from testbed.kms.base import SERVICE_ACCOUNT, Caller
from testbed.kms.refusals import refusal

# The ARNs that AWS takes for principals of accounts.
PRINCIPAL_ARN = (
    r"arn:aws:(iam|sts)::\d{12}:(root|(user|role|assumed-role|federated-user)/[\w+=,.@/-]+)"
)
LARGEST = 32_768  # bytes (KMS, "Resource quotas")

# "account": only the account as such is allowed, so its identity policies decide further.
Verdict = Literal["deny", "allow", "account", ""]


@dataclass(frozen=True, slots=True)
class Request:
    """What a policy decides on: ``action`` is e.g. ``kms:Decrypt``, ``arn`` that of the key.

    ``parameters`` are the request's own, which conditions may look into.
    """

    caller: Caller
    action: str
    arn: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def _via_service(request: Request) -> str | None:
    service = request.caller.invoked_by
    return f"{service.removesuffix('.amazonaws.com')}.{REGION}.amazonaws.com" if service else None


def _caller_account(request: Request) -> str | None:
    return request.caller.account


def _grant_is_for_aws_resource(request: Request) -> str | None:
    by_service = request.caller.invoked_by or request.caller.kind == "AWSService"
    return "true" if by_service else "false"


# The value of each condition key in a request; None where the request has none.
CONDITION_KEYS: Mapping[str, Callable[[Request], str | None]] = {
    "kms:ViaService": _via_service,
    "kms:CallerAccount": _caller_account,
    "kms:GrantIsForAWSResource": _grant_is_for_aws_resource,
}
_BY_LOWER_CASE = {key.lower(): key for key in CONDITION_KEYS}


def _equals(value: str | None, patterns: tuple[str, ...]) -> bool:
    return value is not None and value in patterns


def _not_equals(value: str | None, patterns: tuple[str, ...]) -> bool:
    return value not in patterns


def _like(value: str | None, patterns: tuple[str, ...]) -> bool:
    return value is not None and any(
        _pattern(pattern, re.NOFLAG).fullmatch(value) for pattern in patterns
    )


# Whether the value of a condition key satisfies a condition.
OPERATORS: Mapping[str, Callable[[str | None, tuple[str, ...]], bool]] = {
    "StringEquals": _equals,
    "StringLike": _like,
    "StringNotEquals": _not_equals,
    "Bool": _equals,
}


def default(account: str) -> str:
    """Return the policy of a key that was created without one (KMS, "Default key policy")."""
    root = _statement(
        "Enable IAM User Permissions", {"AWS": f"arn:aws:iam::{account}:root"}, "kms:*"
    )
    return _document("key-default-1", root)


def aws_managed(account: str, service: str) -> str:
    """Return the policy of an AWS managed key of ``service``, e.g. ``mq``.

    Its account uses the key through the service alone, and nobody but the service can change the
    key or its policy (KMS, "Viewing a key policy").
    """
    use = [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:ReEncrypt*",
        "kms:GenerateDataKey*",
        "kms:CreateGrant",
        "kms:DescribeKey",
    ]
    through = {
        "StringEquals": {
            "kms:CallerAccount": account,
            "kms:ViaService": f"{service}.{REGION}.amazonaws.com",
        }
    }
    return _document(
        f"auto-{service}-1",
        _statement(
            f"Allow access through {service} for all principals in the account that are "
            "authorized to use it",
            {"AWS": "*"},
            use,
        )
        | {"Condition": through},
        _statement(
            "Allow direct access to key metadata to the account",
            {"AWS": f"arn:aws:iam::{account}:root"},
            ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
        ),
    )


def evaluate(policy: str, request: Request) -> Verdict:
    """Return a key policy's decision on a request. A deny outweighs all."""
    verdict: Verdict = ""
    for statement in _statements(policy):
        if not statement.applies(request):
            continue
        match = statement.match_principal(request.caller)
        if match and statement.denies:
            return "deny"
        if match and verdict != "allow":
            verdict = match
    return verdict


def belongs_to(caller: Caller, account: str) -> bool:
    """Return whether ``caller`` is a principal of ``account``.

    A service at work in a user's account is not.
    """
    return caller.account == account and (caller.kind != "AWSService" or account == SERVICE_ACCOUNT)


def is_same_principal(named: str, caller: Caller) -> bool:
    """Return whether a statement's or a grant's principal is the caller, or its session's role."""
    return named == caller.principal or (
        named.startswith("arn:") and without_path(named) == role_of(caller)
    )


def role_of(caller: Caller) -> str:
    """Return the role of the caller's session without its path; empty if it has none."""
    session = _SESSION.fullmatch(caller.principal)
    return f"arn:aws:iam::{session[1]}:role/{session[2]}" if session else ""


def without_path(named: str) -> str:
    """Return a principal without the path of a role.

    A session does not show the path, and the names of roles are unique without it.
    """
    return _ROLE.sub(r"\1\2", named)


def account_named(named: str) -> str:
    """Return the account if a principal is an account's id or root ARN, else nothing."""
    account = _ACCOUNT.fullmatch(named)
    return (account[1] or account[2]) if account else ""


def check(policy: str, caller: Caller, arn: str, *, bypass_lockout_check: bool = False) -> None:
    """Raise ``MalformedPolicyDocumentException`` if ``caller`` cannot put ``policy`` on a key."""
    if len(policy.encode()) > LARGEST:
        raise refusal("LimitExceededException", f"The key policy is larger than {LARGEST} bytes.")
    for statement in _parsed(policy):
        if not all(
            kind == "Service" or _PRINCIPAL.fullmatch(name) for kind, name in statement.principals
        ):
            raise refusal(
                "MalformedPolicyDocumentException",
                "Policy contains a statement with one or more invalid principals.",
            )
        if statement.unknown:
            raise refusal(
                "MalformedPolicyDocumentException",
                f"The testbed does not evaluate {', '.join(statement.unknown)} in a key policy.",
                hint=f"It evaluates {', '.join(OPERATORS)} on {', '.join(CONDITION_KEYS)}.",
            )
    own_request = Request(caller, "kms:PutKeyPolicy", arn)
    if not bypass_lockout_check and evaluate(policy, own_request) not in ("allow", "account"):
        raise refusal(
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        )


@dataclass(frozen=True)
class _Statement:
    denies: bool
    principals: tuple[tuple[str, str], ...]  # type (AWS, Service, *) and name
    not_principals: bool
    actions: tuple[re.Pattern[str], ...]
    not_actions: bool
    resources: tuple[re.Pattern[str], ...]
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]  # operator, key, values
    unknown: tuple[str, ...]

    def applies(self, request: Request) -> bool:
        return (
            any(action.fullmatch(request.action) for action in self.actions) != self.not_actions
            and any(resource.fullmatch(request.arn) for resource in self.resources)
            and self._meets_conditions(request)
        )

    def match_principal(self, caller: Caller) -> Verdict:
        matches = [_match_principal(kind, name, caller) for kind, name in self.principals]
        if self.not_principals:
            return "" if any(matches) else "allow"
        return "allow" if "allow" in matches else "account" if "account" in matches else ""

    def _meets_conditions(self, request: Request) -> bool:
        if self.unknown:
            return self.denies
        return all(
            OPERATORS[operator](CONDITION_KEYS[key](request), patterns)
            for operator, key, patterns in self.conditions
        )


def _match_principal(kind: str, name: str, caller: Caller) -> Verdict:
    if kind == "*":
        return "allow"
    of_user_account = caller.kind == "AWSService" and not belongs_to(caller, SERVICE_ACCOUNT)
    if kind == "Service" or of_user_account:
        return "allow" if kind == "Service" and name == caller.principal else ""
    if name == "*" or is_same_principal(name, caller):
        return "allow"
    account = account_named(name)
    return "account" if account and belongs_to(caller, account) else ""


@lru_cache(1024)
def _statements(policy: str) -> tuple[_Statement, ...]:
    """Return the statements of a policy in force. An unreadable one allows nothing."""
    try:
        return _parsed(policy)
    except KmsError:
        return ()


def _parsed(policy: str) -> tuple[_Statement, ...]:
    try:
        document = json.loads(policy)
        return tuple(_parse(statement) for statement in _many(document["Statement"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise refusal(
            "MalformedPolicyDocumentException", f"The key policy cannot be read: {error!r}."
        ) from error


def _parse(statement: Mapping[str, Any]) -> _Statement:
    if statement["Effect"] not in ("Allow", "Deny"):
        raise ValueError(f"Effect {statement['Effect']}")
    principal = statement["NotPrincipal"] if "NotPrincipal" in statement else statement["Principal"]
    named = (
        {"*": ["*"]}
        if principal == "*"
        else {kind: _many(names) for kind, names in principal.items()}
    )
    actions = statement["NotAction"] if "NotAction" in statement else statement["Action"]
    conditions = [
        (
            operator,
            key,
            tuple(
                str(value).lower() if operator == "Bool" else str(value) for value in _many(values)
            ),
        )
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    ]
    return _Statement(
        denies=statement["Effect"] == "Deny",
        principals=tuple((kind, name) for kind, names in named.items() for name in names),
        not_principals="NotPrincipal" in statement,
        actions=tuple(_pattern(action, re.IGNORECASE) for action in _many(actions)),
        not_actions="NotAction" in statement,
        resources=tuple(_pattern(resource, re.NOFLAG) for resource in _many(statement["Resource"])),
        conditions=tuple(
            (operator, _BY_LOWER_CASE.get(key.lower(), key), values)
            for operator, key, values in conditions
        ),
        unknown=tuple(
            f"{operator} on {key}"
            for operator, key, _ in conditions
            if operator not in OPERATORS or key.lower() not in _BY_LOWER_CASE
        ),
    )


def _many(one_or_many: Any) -> list[Any]:
    return one_or_many if isinstance(one_or_many, list) else [one_or_many]


def _pattern(text: str, flags: re.RegexFlag) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*").replace(r"\?", "."), flags)


def _statement(sid: str, principal: Mapping[str, str], action: str | list[str]) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": dict(principal),
        "Action": action,
        "Resource": "*",
    }


def _document(identity: str, *statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Id": identity, "Statement": list(statements)})


_PRINCIPAL = re.compile(rf"\*|\d{{12}}|{PRINCIPAL_ARN}")
_SESSION = re.compile(r"arn:aws:sts::(\d{12}):assumed-role/([^/]+)/[^/]+")
_ROLE = re.compile(r"(arn:aws:iam::\d{12}:role/)(?:.+/)?([^/]+)")
_ACCOUNT = re.compile(r"(\d{12})|arn:aws:iam::(\d{12}):root")
