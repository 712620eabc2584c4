"""Whether a caller may perform an action of a service that has no policies on its resources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from testbed.account.directory import Role
from testbed.account.identities import Identities
from testbed.errors import ApiError
from testbed.kms.base import Caller
from testbed.kms.condition_keys import of_callers
from testbed.kms.principals import principal
from testbed.policy.evaluate import Context, Decision, Request, evaluate
from testbed.policy.language import MalformedPolicyDocument, Policy, parse
from testbed.state.clock import Clock

Given = Mapping[str, str | Sequence[str]]
"""Condition keys that a service adds to a request's context."""


@dataclass(frozen=True)
class _Asked:
    """See ``of_callers``."""

    caller: Caller
    now: float

    @property
    def by_service(self) -> bool:
        return self.caller.kind == "AWSService" or bool(self.caller.invoked_by)


class Authorization:
    """Decides by the policies of ``identities``, at the time of ``clock``."""

    def __init__(self, identities: Identities, clock: Clock) -> None:
        self.identities, self._clock = identities, clock

    def decide(
        self,
        caller: Caller,
        action: str,
        resource: str = "*",
        given: Given | None = None,
        *,
        trust: Policy | None = None,
    ) -> Decision:
        """Decide on an action such as ``mq:CreateBroker``.

        ``resource`` is an ARN, or ``*``; ``trust`` is the policy of a role that is assumed.
        """
        policies = self.identities.policies(caller)
        if trust:
            policies = replace(policies, resource=trust, delegates=True)
        return evaluate(self.request(caller, action, resource, given), policies)

    def decide_on_role(
        self, caller: Caller, action: str, role_arn: str, given: Given | None = None
    ) -> Decision:
        """Decide with the trust policy of a role; an unknown role trusts nobody."""
        role = self.identities.directory(_account(role_arn), caller.region).role_by_arn(role_arn)
        return self.decide(caller, action, role_arn, given, trust=_trust(role))

    def request(
        self, caller: Caller, action: str, resource: str = "*", given: Given | None = None
    ) -> Request:
        """Return the request that policies decide on."""
        asked = _Asked(caller, self._clock.now())
        own: dict[str, tuple[str, ...]] = {
            "aws:resourceaccount": (_account(resource) or caller.account,)
        }
        own |= {name.lower(): _values(value) for name, value in (given or {}).items()}

        def find(name: str) -> Sequence[str]:
            if name in own:
                return own[name]
            return _values(_read(asked, name)) or principal(caller).context.get(name, ())

        return Request(principal(caller), action, resource, Context(find))

    def check(
        self, caller: Caller, action: str, resource: str = "*", given: Given | None = None
    ) -> None:
        """Raise ``AccessDenied``, status 403, in AWS's words unless the caller may."""
        decision = self.decide(caller, action, resource, given)
        if not decision.allowed:
            request = self.request(caller, action, resource, given)
            raise ApiError(decision.sentence(request), code="AccessDenied", status=403)


def _account(resource: str) -> str:
    """Return the account in an ARN; empty for none, as in those of AWS's own policies."""
    segments = resource.split(":", 5)
    return segments[4] if len(segments) == 6 and segments[4].isdigit() else ""


_NOBODY = parse({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "sts:*"}}, "trust")


def _trust(role: Role | None) -> Policy:
    try:
        return parse(role.trust, "trust", f"trust policy of role {role.name}") if role else _NOBODY
    except MalformedPolicyDocument:  # nobody is trusted by it
        return _NOBODY


_READERS = {
    name.lower(): read for name, read in of_callers.READERS.items() if not name.startswith("kms:")
}


def _read(asked: _Asked, name: str) -> str | Sequence[str] | None:
    if read := _READERS.get(name):
        found = read(asked)
    else:
        for family, read_member in of_callers.FAMILIES.items():
            if name.startswith(family.lower()):
                found = read_member(asked, name[len(family) :])
                break
        else:
            return None
    return found if found is None or isinstance(found, str) else tuple(found)


def _values(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if not value:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
