"""Policy documents: parse them, refuse malformed ones in AWS's words.

The sentences are IAM's, as in moto's ``iam/policy_validation.py`` (Apache-2.0), which has them from
AWS's answers; those about principals are as users quote them. Services such as KMS have their own.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from testbed.policy import keys
from testbed.policy.conditions import Condition, condition
from testbed.policy.patterns import Template, Values, template
from testbed.policy.principals import Principals, is_valid

Kind = Literal["identity", "resource", "key", "trust"]
"""What a policy is attached to. Boundaries and session policies are of the kind ``identity``.

KMS accepts a statement of a key's policy without Action or Resource; it has no effect (KMS API
reference, PutKeyPolicy).
"""

VERSIONS = ("2008-10-17", "2012-10-17")
# Characters without white space ("IAM and AWS STS quotas"); bytes for a key policy (KMS, "Quotas").
QUOTAS = {
    "managed policy": 6144,
    "user's inline policies": 2048,
    "group's inline policies": 5120,
    "role's inline policies": 10_240,
    "trust policy": 2048,
    "session policy": 2048,
    "key policy": 32_768,
}

NO_PRINCIPAL = "Missing required field Principal"
_SYNTAX = "Syntax errors in policy."
_LEGACY = "The policy failed legacy parsing"
_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."


class MalformedPolicyDocument(ValueError):
    """A document that is not a policy, with AWS's sentence and the element at fault, if known."""

    def __init__(self, reason: str, element: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.element = element


@dataclass(frozen=True)
class Statement:
    """One statement. An identity policy has no ``principals``, a trust policy no ``resources``.

    ``index`` is its place in the document, from 0.
    """

    index: int
    sid: str
    effect: Literal["Allow", "Deny"]
    principals: Principals | None
    not_principal: bool
    actions: tuple[Template, ...]
    not_action: bool
    resources: tuple[Template, ...] | None
    not_resource: bool
    conditions: tuple[Condition, ...]
    unknown: frozenset[str]
    """Condition keys that ``keys`` does not know, in lower case."""

    def applies(self, action: str, resource: str, context: Values) -> bool:
        """Return whether the statement is about this action on this resource in this context.

        The principal is left to ``principals``.
        """
        return (
            self._acts(action)
            and self._covers(resource, context)
            and all(condition.holds(context) for condition in self.conditions)
            and (self.effect == "Deny" or all(key in context for key in self.unknown))
        )

    def _acts(self, action: str) -> bool:
        return any(named.matches(action, {}) for named in self.actions) != self.not_action

    def _covers(self, resource: str, context: Values) -> bool:
        if self.resources is None:
            return True
        if not self.not_resource:
            return any(named.matches(resource, context) for named in self.resources)
        # A variable without a value fails any attempt to match it (VARIABLES).
        return all(named.matches(resource, context) is False for named in self.resources)


@dataclass(frozen=True)
class Policy:
    """A parsed document. ``name`` is the caller's name for it, such as its ARN."""

    statements: tuple[Statement, ...]
    version: str = VERSIONS[0]
    id: str = ""
    name: str = ""


def parse(document: str | Mapping[str, Any], kind: Kind, name: str = "") -> Policy:
    """Parse JSON text or an already decoded mapping.

    Raises ``MalformedPolicyDocument``, and nothing else whatever the document.
    """
    if not isinstance(document, str):
        try:
            document = json.dumps(document)
        except (TypeError, ValueError, RecursionError) as error:
            raise MalformedPolicyDocument(_SYNTAX) from error
    return _parse_text(document, kind, name)


def size(document: str) -> int:
    """Return how many characters count towards a quota of IAM: all but white space."""
    return len("".join(document.split()))


@lru_cache(1024)
def _parse_text(text: str, kind: Kind, name: str) -> Policy:
    try:
        content = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedPolicyDocument(_SYNTAX) from error
    _require(isinstance(content, dict) and content.keys() <= {"Version", "Id", "Statement"})
    version = content.get("Version", VERSIONS[0])
    _require(version in VERSIONS, element="Version")
    policy_id = content.get("Id", "")
    _require(isinstance(policy_id, str), element="Id")
    _require(kind != "identity" or "Id" not in content, element="Id")
    statements = content.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    _require(isinstance(statements, list) and statements != [], element="Statement")
    variables = version == VERSIONS[1]
    parsed = tuple(
        _statement(index, statement, kind, variables) for index, statement in enumerate(statements)
    )
    sids = [statement.sid for statement in parsed if statement.sid]
    if len(sids) != len(set(sids)):
        raise MalformedPolicyDocument(
            "Statement IDs (SID) in a single policy must be unique.", "Sid"
        )
    return Policy(parsed, version, policy_id, name)


def _statement(index: int, content: Any, kind: Kind, variables: bool) -> Statement:
    _require(isinstance(content, dict) and content.keys() <= _ELEMENTS, element="Statement")
    effect, sid = content.get("Effect"), content.get("Sid", "")
    _require(effect in ("Allow", "Deny"), element="Effect")
    _require(isinstance(sid, str), element="Sid")
    if kind not in ("resource", "key") and not re.fullmatch("[0-9A-Za-z]*", sid):
        raise MalformedPolicyDocument(
            "Statement IDs (SID) must be alpha-numeric. "
            "Check that your input satisfies the regular expression [0-9A-Za-z]*",
            "Sid",
        )
    principals, not_principal = _principals(content, kind)
    actions, not_action = _either(content, "Action")
    resources, not_resource = _either(content, "Resource")
    if kind == "key":
        actions, not_action = actions or (), not_action and bool(actions)
        resources, not_resource = resources or (), not_resource and bool(resources)
    elif not actions:
        raise MalformedPolicyDocument("Policy statement must contain actions.", "Action")
    elif kind == "trust" and resources is not None:
        raise MalformedPolicyDocument("Has prohibited field Resource", "Resource")
    elif kind != "trust" and not resources:
        raise MalformedPolicyDocument("Policy statement must contain resources.", "Resource")
    conditions = _conditions(content.get("Condition", {}), variables)
    return Statement(
        index=index,
        sid=sid,
        effect=effect,
        principals=principals,
        not_principal=not_principal,
        actions=tuple(_action(action) for action in actions),
        not_action=not_action,
        resources=None
        if resources is None
        else tuple(_resource(resource, variables) for resource in resources),
        not_resource=not_resource,
        conditions=conditions,
        unknown=frozenset(used.key for used in conditions if keys.find(used.key) is None),
    )


def _principals(content: Mapping[str, Any], kind: Kind) -> tuple[Principals | None, bool]:
    present = [element for element in ("Principal", "NotPrincipal") if element in content]
    if kind == "identity":
        if present:
            raise MalformedPolicyDocument(
                "Policy document should not specify a principal.", "Principal"
            )
        return None, False
    if len(present) != 1:
        raise MalformedPolicyDocument(NO_PRINCIPAL, "Principal")
    written = content[present[0]]
    if written == "*":
        return Principals((("*", "*"),)), present == ["NotPrincipal"]
    _require(isinstance(written, dict), element="Principal")
    names = []
    for type_, value in written.items():
        for name in _strings(value, "Principal"):
            if not is_valid(type_, name):
                raise MalformedPolicyDocument(
                    f'Invalid principal in policy: "{type_}":"{name}"', "Principal"
                )
            names.append((type_, name))
    if not names:
        raise MalformedPolicyDocument(NO_PRINCIPAL, "Principal")
    return Principals(tuple(names)), present == ["NotPrincipal"]


def _either(content: Mapping[str, Any], element: str) -> tuple[tuple[str, ...] | None, bool]:
    """Return the strings of ``element`` or of its negation, and whether it is the negation."""
    negation = f"Not{element}"
    _require(not (element in content and negation in content), element=element)
    if negation in content:
        return _strings(content[negation], negation), True
    return _strings(content[element], element) if element in content else None, False


def _action(text: str) -> Template:
    vendor, colon, name = text.partition(":")
    if text != "*":
        if not colon or not name:
            raise MalformedPolicyDocument(_VENDOR, "Action")
        if ":" in name:
            raise MalformedPolicyDocument("Actions/Condition can contain only one colon.", "Action")
        if vendor != "*" and re.search(r"[^a-zA-Z0-9\-.]", vendor):
            raise MalformedPolicyDocument(f"Vendor {vendor} is not valid", "Action")
    return template(text, variables=False, ignore_case=True)


def _resource(text: str, variables: bool) -> Template:
    if text != "*" and not text.startswith("arn:"):
        raise MalformedPolicyDocument(f'Resource {text} must be in ARN format or "*".', "Resource")
    return template(text, variables=variables, reach="resource")


def _conditions(content: Any, variables: bool) -> tuple[Condition, ...]:
    _require(isinstance(content, dict), element="Condition")
    found = []
    for operation, compared in content.items():
        _require(isinstance(compared, dict), element="Condition")
        for key, values in compared.items():
            vendor, colon, name = key.partition(":")
            if not (vendor and colon and name):
                raise MalformedPolicyDocument(_VENDOR, "Condition")
            wanted = [
                _scalar(value) for value in (values if isinstance(values, list) else [values])
            ]
            try:
                found.append(condition(operation, key, wanted, variables=variables))
            except LookupError as error:
                raise MalformedPolicyDocument(_SYNTAX, "Condition") from error
            except ValueError as error:
                raise MalformedPolicyDocument(_LEGACY, "Condition") from error
    return tuple(found)


def _scalar(value: Any) -> str:
    """Return a condition's value as text; it may be a number or a Boolean as well (GRAMMAR)."""
    _require(isinstance(value, str | int | float), element="Condition")
    return value if isinstance(value, str) else json.dumps(value)


def _strings(value: Any, element: str) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    _require(all(isinstance(text, str) for text in values), element=element)
    return tuple(values)


def _require(fulfilled: bool, *, element: str = "") -> None:
    if not fulfilled:
        raise MalformedPolicyDocument(_SYNTAX, element)


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("an element stands twice")
    return content


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_ELEMENTS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}
