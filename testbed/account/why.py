"""Why somebody may or may not do something: the statement that decides, or what is missing."""

from collections.abc import Callable
from dataclasses import dataclass

from testbed.account.authorization import Authorization, Given
from testbed.account.directory import Directory
from testbed.account.identities import Identities, user_caller
from testbed.arn import Arn
from testbed.documented import regions
from testbed.errors import TestbedError
from testbed.kms.base import Caller, Credentials, root
from testbed.policy.evaluate import Decision

DecideOnKey = Callable[[Caller, str, str], Decision]
"""Decides on an action, without ``kms:``, on the key with an ARN."""


@dataclass(frozen=True)
class Explanation:
    """A decision in words. ``statement`` counts from 1; 0 if no statement decided."""

    allowed: bool
    principal: str
    action: str
    resource: str
    source: str
    policy: str = ""
    statement: int = 0
    sid: str = ""
    reason: str = ""


def explain(
    authorization: Authorization,
    decide_on_key: DecideOnKey,
    caller: Caller,
    action: str,
    *,
    resource: str = "*",
    given: Given | None = None,
) -> Explanation:
    """Explain the decision on an action such as ``mq:RebootBroker``.

    Keys are decided on with their policies and grants, roles that are assumed with their trust
    policies; ``given`` are more condition keys, for all but keys.
    """
    service, _, name = action.partition(":")
    if service == "kms" and ":key/" in resource:
        decision = decide_on_key(caller, name, resource)
    elif action in ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"):
        decision = authorization.decide_on_role(caller, action, resource, given)
    else:
        decision = authorization.decide(caller, action, resource, given)
    statement = decision.statement
    return Explanation(
        decision.allowed,
        caller.principal,
        action,
        resource,
        decision.source,
        decision.policy.name if decision.policy else "",
        statement.index + 1 if statement else 0,
        statement.sid if statement else "",
        decision.reason,
    )


def someone(
    identities: Identities, who: str, account: str, region: str, *, now: float, mfa: bool = False
) -> Caller:
    """Return a user, or a session of a role, by name or ARN; ``root`` is the account's.

    With ``mfa`` it is a session that has just given a code. Raises ``TestbedError`` for an unknown
    one.
    """
    if who == "root":
        return root(account, region)
    if who.startswith("arn:"):
        account = _account_of(who)
    directory = identities.directory(account, region)
    caller = _user(directory, who, account, region) or _session(directory, who, account, region)
    if caller is None:
        raise TestbedError(
            f"IAM has no user and no role {who} in account {account}.",
            hint="`aws iam list-users` and `aws iam list-roles` have the names.",
        )
    if caller.kind == "AssumedRole" or mfa:
        return caller.with_session(now, now if mfa else None)
    return caller


def _account_of(arn: str) -> str:
    try:
        return Arn.parse(arn).account
    except ValueError as error:
        raise TestbedError(
            f"{arn} is not an ARN.",
            hint="`testbed aws iam get-user --user-name NAME` has a user's.",
        ) from error


def _user(directory: Directory, who: str, account: str, region: str) -> Caller | None:
    user = directory.users.get(who.removeprefix("user/")) or directory.user_by_arn(who)
    return user_caller(user, "", account, region) if user else None


def _session(directory: Directory, who: str, account: str, region: str) -> Caller | None:
    role = directory.roles.get(who.removeprefix("role/")) or directory.role_by_arn(who)
    if role is None:
        return None
    session = f"assumed-role/{role.name}/why"
    principal = regions.iam_arn(region, account, session, service="sts")
    credentials = Credentials("", f"{role.role_id}:why", role.arn, tags=tuple(role.tags.items()))
    return Caller(principal, account, "AssumedRole", region=region, credentials=credentials)
