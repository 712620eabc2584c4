"""Callers as principals of policies and grants. Pure."""

import re

from testbed.documented import regions
from testbed.kms.base import SERVICE_ACCOUNT, Caller
from testbed.policy.principals import Match, Principal, named

# The ARNs that AWS takes for principals of accounts.
PRINCIPAL_ARN = (
    r"arn:aws[a-z-]*:(iam|sts)::\d{12}:(root|(user|role|assumed-role|federated-user)/[\w+=,.@/-]+)"
)
_ROLE = re.compile(r"(arn:aws[a-z-]*:iam::\d{12}:role/)(?:.+/)?([^/]+)")


def principal(caller: Caller) -> Principal:
    """Return the caller. A service at work in a user's account is no principal of that account."""
    account = caller.account if belongs_to(caller, caller.account) else ""
    partition = regions.partition(caller.region).name
    issuer = caller.credentials.issuer if caller.credentials else ""
    return Principal.of(caller.principal, account, issuer, partition)


def belongs_to(caller: Caller, account: str) -> bool:
    """Return whether ``caller`` is a principal of ``account``."""
    return caller.account == account and (caller.kind != "AWSService" or account == SERVICE_ACCOUNT)


def is_named(name: str, caller: Caller) -> bool:
    """Return whether a grant's principal is the caller, its role, or its account as a whole."""
    return named("AWS", name, principal(caller)) is not Match.NONE


def without_path(name: str) -> str:
    """Return a principal without the path of a role.

    A session does not show the path, and the names of roles are unique without it.
    """
    return _ROLE.sub(r"\1\2", name)


def grantee_names(caller: Caller) -> tuple[str, ...]:
    """Return every way in which the grantee of a grant can be this caller, without paths."""
    return tuple(dict.fromkeys(map(without_path, principal(caller).names)))
