"""Key policies: what one says to a principal about an action. Pure.

Evaluated are Effect, Principal and NotPrincipal, Action and NotAction, Resource, and the conditions of ``CONDITIONS``.
A policy that uses others is refused when it is put; in one that got past (it was put on LocalStack itself) a statement
with an unknown condition never allows and always denies.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from testbed.documented.engines import REGION
from testbed.errors import KmsError
from testbed.kms.base import SERVICE_ACCOUNT, Caller
from testbed.kms.refusals import refusal

CONDITIONS = ("kms:ViaService", "kms:CallerAccount", "kms:GrantIsForAWSResource")
LARGEST = 32_768  # bytes (KMS, "Resource quotas")

# "account": only the account as such is allowed, so its identity policies decide further.
Answer = Literal["deny", "allow", "account", ""]
_OPERATORS = ("StringEquals", "StringLike", "StringNotEquals", "Bool")


def default(account: str) -> str:
    """The policy of a key that was made without one (KMS, "Default key policy")."""
    root = _statement(
        "Enable IAM User Permissions", {"AWS": f"arn:aws:iam::{account}:root"}, "kms:*"
    )
    return _document("key-default-1", root)


def aws_managed(account: str, service: str) -> str:
    """That of an AWS managed key of ``service``, e.g. ``mq``: to be used through the service alone, by its account (KMS, "Viewing a key policy").

    Nobody but the service can change the key or its policy.
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
            f"Allow access through {service} for all principals in the account that are authorized to use it",
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


def answer(policy: str, caller: Caller, action: str, arn: str) -> Answer:
    """What the key policy of ``arn`` says to ``caller`` about ``action``, e.g. ``kms:Decrypt``. A deny outweighs all."""
    found: Answer = ""
    for statement in _statements(policy):
        if not (statement.acts(action) and statement.covers(arn) and statement.holds(caller)):
            continue
        match = statement.names(caller)
        if match and statement.denies:
            return "deny"
        if match and found != "allow":
            found = match
    return found


def belongs_to(caller: Caller, account: str) -> bool:
    """Whether ``caller`` is a principal of ``account``. A service at work in a user's account is none of it."""
    return caller.account == account and (caller.kind != "AWSService" or account == SERVICE_ACCOUNT)


def is_same_principal(named: str, caller: Caller) -> bool:
    """Whether ``named``, the principal of a statement or a grant, is the caller: itself, or the role whose session it is."""
    return named == caller.principal or (
        named.startswith("arn:") and plain(named) == role_of(caller)
    )


def role_of(caller: Caller) -> str:
    """The role whose session the caller is, as ``plain`` writes it; empty if it is none."""
    session = _SESSION.fullmatch(caller.principal)
    return f"arn:aws:iam::{session[1]}:role/{session[2]}" if session else ""


def plain(named: str) -> str:
    """A principal without the path that a role may have: its session does not show it, and names are unique without."""
    return _ROLE.sub(r"\1\2", named)


def account_named(named: str) -> str:
    """The account that ``named`` stands for as a whole, if it is an account's id or root ARN."""
    account = _ACCOUNT.fullmatch(named)
    return (account[1] or account[2]) if account else ""


def check(policy: str, caller: Caller, arn: str, *, bypass_lockout_check: bool = False) -> None:
    """Raises ``MalformedPolicyDocumentException`` when ``policy`` cannot be put on a key by ``caller``."""
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
                hint=f"It evaluates {', '.join(_OPERATORS)} on {', '.join(CONDITIONS)}.",
            )
    if not bypass_lockout_check and answer(policy, caller, "kms:PutKeyPolicy", arn) not in (
        "allow",
        "account",
    ):
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

    def acts(self, action: str) -> bool:
        return any(pattern.fullmatch(action) for pattern in self.actions) != self.not_actions

    def covers(self, arn: str) -> bool:
        return any(pattern.fullmatch(arn) for pattern in self.resources)

    def holds(self, caller: Caller) -> bool:
        if self.unknown:
            return self.denies
        return all(
            _holds(operator, _value(key, caller), values)
            for operator, key, values in self.conditions
        )

    def names(self, caller: Caller) -> Answer:
        answers = [_names(kind, name, caller) for kind, name in self.principals]
        if self.not_principals:
            return "" if any(answers) else "allow"
        return "allow" if "allow" in answers else "account" if "account" in answers else ""


def _names(kind: str, name: str, caller: Caller) -> Answer:
    if kind == "*":
        return "allow"
    if caller.kind == "AWSService" and not belongs_to(caller, SERVICE_ACCOUNT):
        return "allow" if kind == "Service" and name == caller.principal else ""
    if kind == "Service":
        return "allow" if name == caller.principal else ""
    if name == "*" or is_same_principal(name, caller):
        return "allow"
    account = account_named(name)
    return "account" if account and belongs_to(caller, account) else ""


def _value(key: str, caller: Caller) -> str | None:
    if key == "kms:ViaService":
        return (
            f"{caller.invoked_by.removesuffix('.amazonaws.com')}.{REGION}.amazonaws.com"
            if caller.invoked_by
            else None
        )
    if key == "kms:CallerAccount":
        return caller.account
    return "true" if caller.invoked_by or caller.kind == "AWSService" else "false"


def _holds(operator: str, value: str | None, wanted: tuple[str, ...]) -> bool:
    if operator == "StringNotEquals":
        return value not in wanted
    if value is None:
        return False
    if operator == "StringLike":
        return any(_pattern(each, re.NOFLAG).fullmatch(value) for each in wanted)
    return value in wanted


@lru_cache(1024)
def _statements(policy: str) -> tuple[_Statement, ...]:
    """Of a policy that is in force; one that cannot be read allows nothing."""
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
    known = {key.lower(): key for key in CONDITIONS}
    return _Statement(
        denies=statement["Effect"] == "Deny",
        principals=tuple((kind, name) for kind, names in named.items() for name in names),
        not_principals="NotPrincipal" in statement,
        actions=tuple(_pattern(action, re.IGNORECASE) for action in _many(actions)),
        not_actions="NotAction" in statement,
        resources=tuple(_pattern(resource, re.NOFLAG) for resource in _many(statement["Resource"])),
        conditions=tuple(
            (operator, known.get(key.lower(), key), values) for operator, key, values in conditions
        ),
        unknown=tuple(
            f"{operator} on {key}"
            for operator, key, _ in conditions
            if operator not in _OPERATORS or key.lower() not in known
        ),
    )


def _many(one_or_many: Any) -> Iterable[Any]:
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


_PRINCIPAL = re.compile(
    r"\*|\d{12}|arn:aws:(iam|sts)::\d{12}:(root|(user|role|assumed-role|federated-user)/[\w+=,.@/-]+)"
)
_SESSION = re.compile(r"arn:aws:sts::(\d{12}):assumed-role/([^/]+)/[^/]+")
_ROLE = re.compile(r"(arn:aws:iam::\d{12}:role/)(?:.+/)?([^/]+)")
_ACCOUNT = re.compile(r"(\d{12})|arn:aws:iam::(\d{12}):root")
