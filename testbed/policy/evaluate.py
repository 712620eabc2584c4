"""The decision: which policies a request meets, in what order, and which statement decides.

Within one account (LOGIC):

1. A Deny in any policy is final.
2. A resource policy that allows the caller itself, or everyone, decides: allowed.
3. Otherwise an identity policy must allow, or the resource policy must allow the role whose session
   the caller is. A key's policy, and a role's trust policy, must also delegate to the account (or
   name the caller's role): without that, identity policies do not count.
4. A permissions boundary and session policies must allow as well, where there are any.

Across accounts the resource policy must allow the caller in any way, and the caller's own account
by identity policies, boundary and session policies. The root user needs no identity policy.
Service control policies are left out: the testbed's accounts belong to no organization.

A KMS grant counts as an Allow of the resource that names the grantee. Unless this is an account as
a whole, the grantee needs no identity policy, even across accounts (KMS, "Grants in AWS KMS").
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from testbed.policy.language import Policy, Statement, parse
from testbed.policy.patterns import Values
from testbed.policy.principals import Match, Principal, named

Source = Literal[
    "identity-based policy",
    "resource-based policy",
    "permissions boundary",
    "session policy",
    "grant",
    "root user",
]

ADMINISTRATOR = parse(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}},
    "identity",
    "arn:aws:iam::aws:policy/AdministratorAccess",
)
"""The identity policy of someone who may do everything."""


class Context(Mapping[str, Sequence[str]]):
    """A context whose values are found when a policy asks for them, each once.

    ``find`` returns the values of a key in lower case; none if the request lacks it.
    """

    def __init__(self, find: Callable[[str], Sequence[str]]) -> None:
        self._find, self._found = find, dict[str, Sequence[str]]()

    def __getitem__(self, key: str) -> Sequence[str]:
        if key not in self._found:
            self._found[key] = self._find(key)
        if not self._found[key]:
            raise KeyError(key)
        return self._found[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys that policies have asked for and the request has."""
        return (key for key, values in self._found.items() if values)

    def __len__(self) -> int:
        return len(list(iter(self)))


@dataclass(frozen=True)
class Request:
    """What is asked. ``resource`` is an ARN, or ``*`` for an action on no resource.

    ``context`` has condition keys in any case; the principal adds its own unless they are given.
    Or it is a ``Context``, which has the principal's as well. ``account`` owns the resource; by
    default it is the ARN's, or the principal's if that has none.
    """

    principal: Principal
    action: str
    resource: str = "*"
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    account: str = ""

    @cached_property
    def values(self) -> Values:
        """The context with keys in lower case; keys that differ only in case share their values."""
        if isinstance(self.context, Context):
            return self.context
        given: dict[str, tuple[str, ...]] = {}
        for key, value in self.context.items():
            values = (value,) if isinstance(value, str) else tuple(value)
            given[key.lower()] = (*given.get(key.lower(), ()), *values)
        return {**self.principal.context, **given}

    @cached_property
    def owner(self) -> str:
        segments = self.resource.split(":", 5)
        by_arn = segments[4] if len(segments) == 6 else ""
        return self.account or by_arn or self.principal.account


@dataclass(frozen=True)
class Policies:
    """The policies that a request meets. None stands for no such policy, which limits nothing.

    ``granted`` returns the grantees of the grants that allow the request, whoever makes it; it is
    called only if the policies alone do not allow. With ``delegates`` identity policies count only
    if the resource policy allows the account, as for KMS keys and roles.
    """

    identity: Sequence[Policy] = ()
    resource: Policy | None = None
    boundary: Policy | None = None
    session: Sequence[Policy] | None = None
    granted: Callable[[Request], Iterable[str]] | None = None
    delegates: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, and the statement that decided: None if nothing allowed it, or a grant did.

    ``reason`` ends AWS's sentence; it is empty when the request is allowed.
    """

    allowed: bool
    source: Source
    statement: Statement | None = None
    policy: Policy | None = None
    reason: str = ""

    def sentence(self, request: Request) -> str:
        """Return AWS's words for a refusal (DENIED)."""
        return not_authorized(
            request.principal.arn, request.action, f"resource: {request.resource}", self.reason
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """A statement that applies, and how it names the principal."""

    statement: Statement
    policy: Policy
    match: Match


_Allows = Mapping[Source, _Found | None]
"""For each kind of policy that there is, the statement that allows the request."""


def not_authorized(principal: str, action: str, on: str, reason: str = "") -> str:
    """Return AWS's words for a refusal (DENIED); ``on`` is such as ``resource: ARN``."""
    return f"User: {principal} is not authorized to perform: {action} on {on} {reason}".rstrip()


def evaluate(request: Request, policies: Policies) -> Decision:
    """Decide a request."""
    session = policies.session
    if session is None and request.principal.type == "FederatedUser":
        session = ()  # without a session policy it may do nothing (LOGIC)
    kinds: tuple[tuple[Source, Sequence[Policy] | None], ...] = (
        ("resource-based policy", (policies.resource,) if policies.resource else ()),
        ("identity-based policy", policies.identity),
        ("permissions boundary", (policies.boundary,) if policies.boundary else None),
        ("session policy", session),
    )
    allows: dict[Source, _Found | None] = {}
    for source, documents in kinds:
        if documents is None:
            continue
        denied, allows[source] = _weigh(documents, request)
        if denied:
            article = "an" if source == "identity-based policy" else "a"
            return Decision(
                allowed=False,
                source=source,
                statement=denied.statement,
                policy=denied.policy,
                reason=f"with an explicit deny in {article} {source}",
            )
    decision = _by_policies(request, allows, delegates=policies.delegates)
    if decision.allowed or policies.granted is None:
        return decision
    return _by_grants(request, allows, policies.granted(request)) or decision


def _by_policies(request: Request, allows: _Allows, *, delegates: bool) -> Decision:
    principal = request.principal
    resource = allows["resource-based policy"]
    across = request.owner != principal.account
    if resource is None:
        if across or delegates:
            return _unallowed("resource-based policy", request)
    elif resource.match is Match.SELF and (not across or principal.type == "AWSService"):
        return _allowed("resource-based policy", resource)
    elif resource.match is Match.ISSUER and not across:
        return _limited(request, allows, _allowed("resource-based policy", resource))
    return _by_identity(request, allows)


def _by_grants(request: Request, allows: _Allows, grantees: Iterable[str]) -> Decision | None:
    """Decide by grants to the principal; None if there are none."""
    match = max((named("AWS", name, request.principal) for name in grantees), default=Match.NONE)
    if match is Match.SELF:
        return Decision(allowed=True, source="grant")
    if match is Match.ISSUER:
        return _limited(request, allows, Decision(allowed=True, source="grant"))
    return _by_identity(request, allows) if match is Match.ACCOUNT else None


def _by_identity(request: Request, allows: _Allows) -> Decision:
    identity = allows["identity-based policy"]
    if identity:
        return _limited(request, allows, _allowed("identity-based policy", identity))
    if request.principal.type == "Root":
        return _limited(request, allows, Decision(allowed=True, source="root user"))
    return _unallowed("identity-based policy", request)


def _limited(request: Request, allows: _Allows, decision: Decision) -> Decision:
    """Return ``decision`` if boundary and session policies allow it as well."""
    limits: tuple[Source, ...] = ("permissions boundary", "session policy")
    for source in limits:
        if source in allows and allows[source] is None:
            return _unallowed(source, request)
    return decision


def _weigh(documents: Sequence[Policy], request: Request) -> tuple[_Found | None, _Found | None]:
    """Return a Deny that applies, or else the Allow that names the principal most closely."""
    allow: _Found | None = None
    action, resource, values = request.action, request.resource, request.values
    for policy in documents:
        for statement in policy.statements:
            match = _match(statement, request.principal)
            if match is Match.NONE or not statement.applies(action, resource, values):
                continue
            if statement.effect == "Deny":
                return _Found(statement, policy, match), None
            if allow is None or match > allow.match:
                allow = _Found(statement, policy, match)
    return None, allow


def _match(statement: Statement, principal: Principal) -> Match:
    if statement.principals is None:
        return Match.SELF
    match = statement.principals.match(principal)
    if not statement.not_principal:
        return match
    # Only its own ARN excepts a principal from a Deny, neither its role's nor its account's, as in
    # AWS's two examples (PRINCIPAL). An Allow excepts everyone who is named in any way.
    excepted = match is Match.SELF if statement.effect == "Deny" else match is not Match.NONE
    return Match.NONE if excepted else Match.SELF


def _allowed(source: Source, found: _Found) -> Decision:
    return Decision(allowed=True, source=source, statement=found.statement, policy=found.policy)


def _unallowed(source: Source, request: Request) -> Decision:
    reason = f"because no {source} allows the {request.action} action"
    return Decision(allowed=False, source=source, reason=reason)
