"""Who makes a request, and whom a Principal element names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Literal

PrincipalType = Literal["Root", "IAMUser", "AssumedRole", "FederatedUser", "AWSService"]


class Match(IntEnum):
    """How an element names a principal; what else must allow depends on it (LOGIC)."""

    NONE = 0
    ACCOUNT = 1  # its account, which delegates to its own identity policies
    ISSUER = 2  # the role or user whose session it is: boundary and session policies limit it
    SELF = 3  # itself, or everyone: nothing else limits it within the account


@dataclass(frozen=True)
class Principal:
    """The caller; ``arn`` is the name of a service that calls by itself. Make one with ``of``.

    ``issuer`` is the ARN of the role, or of the federating user, whose session it is.
    ``account`` is empty for a service, which belongs to no user's account.
    """

    arn: str
    account: str
    type: PrincipalType
    issuer: str
    names: Mapping[str, Match] = field(compare=False, repr=False)
    """All that a Principal element can call it."""
    context: Mapping[str, tuple[str, ...]] = field(compare=False, repr=False)
    """What the principal itself brings to a request's context, keys in lower case."""

    @staticmethod
    def of(arn: str, account: str = "", issuer: str = "", partition: str = "aws") -> "Principal":
        """Return the principal with this ARN, or this service's name.

        With an ``account`` of a ``partition`` a service is a principal of that account. Without an
        ``issuer`` that of a session is worked out from its ARN, which does not show the path of its
        role.

        Raises ``ValueError`` if ``arn`` is neither a principal's ARN nor a service's name.
        """
        return _principal(arn, account, issuer, partition)


@dataclass(frozen=True)
class Principals:
    """A Principal or NotPrincipal element: pairs of type and name; ``*`` alone has type ``*``."""

    names: tuple[tuple[str, str], ...]

    def match(self, principal: Principal) -> Match:
        """Return the closest way in which the element names ``principal``."""
        return max([named(kind, name, principal) for kind, name in self.names])


def named(kind: str, name: str, principal: Principal) -> Match:
    """Return how one entry of a Principal element names ``principal``.

    A grantee of a KMS grant has the kind ``AWS``, services included.
    """
    if kind == "*":
        return Match.SELF
    if kind not in ("AWS", "Service"):
        return Match.NONE
    match = principal.names.get(name, Match.NONE)
    if principal.issuer and match is Match.NONE:
        return principal.names.get(_without_path(name), Match.NONE)
    return match


@lru_cache(4096)
def _principal(arn: str, account: str, issuer: str, partition: str) -> Principal:
    if _SERVICE.fullmatch(arn):
        names = _account_names(account, partition, Match.ACCOUNT) | {arn: Match.SELF}
        context = {
            "aws:principalisawsservice": ("true",),
            "aws:principalservicename": (arn,),
            "aws:principalservicenameslist": (arn,),
        }
        return Principal(arn, account, "AWSService", "", names, context)
    found = _ARN.fullmatch(arn)
    if not found or found["kind"] == "role":
        raise ValueError(f"not the ARN of a principal: {arn}")
    kind, account, path = _TYPES[found["kind"] or "root"], found["account"], found["path"]
    start = f"arn:{found['partition']}:iam::{account}"
    if kind == "AssumedRole":
        issuer = issuer or f"{start}:role/{path.partition('/')[0]}"
    elif kind == "FederatedUser":
        issuer = issuer or f"{start}:user/{path}"
    whole = Match.SELF if kind == "Root" else Match.ACCOUNT
    names = _account_names(account, found["partition"], whole)
    if issuer:
        names |= {issuer: Match.ISSUER, _without_path(issuer): Match.ISSUER}
    names |= {"*": Match.SELF, arn: Match.SELF}
    context = {
        "aws:principalisawsservice": ("false",),
        "aws:principalarn": (issuer if kind == "AssumedRole" else arn,),
        "aws:principalaccount": (account,),
        "aws:principaltype": ({"Root": "Account", "IAMUser": "User"}.get(kind, kind),),
    }
    if kind == "IAMUser":
        context["aws:username"] = (path.rpartition("/")[2],)
    return Principal(arn, account, kind, issuer, names, context)


def _account_names(account: str, partition: str, match: Match) -> dict[str, Match]:
    return {account: match, f"arn:{partition}:iam::{account}:root": match} if account else {}


@lru_cache(4096)
def _without_path(arn: str) -> str:
    """Return the ARN of a role or user without its path, which a session's ARN does not show."""
    start, slash, path = arn.partition("/")
    return start + slash + path.rpartition("/")[2]


def is_valid(kind: str, name: str) -> bool:
    """Return whether a Principal element can have this entry; no name has wildcards in it."""
    match kind:
        case "AWS":
            return bool(
                name == "*"
                or _ACCOUNT.fullmatch(name)
                or _UNIQUE.fullmatch(name)
                or _ARN.fullmatch(name)
            )
        case "Service":
            return bool(_SERVICE.fullmatch(name))
        case "Federated" | "CanonicalUser":
            return bool(name) and not set(name) & set("*? ")
    return False


_TYPES: dict[str, PrincipalType] = {
    "root": "Root",
    "user": "IAMUser",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
}
_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?:iam|sts)::(?P<account>\d{12}):"
    r"(?:root|(?P<kind>user|role|assumed-role(?=/[^/]+/)|federated-user)/(?P<path>[\w+=,.@/-]+))",
    re.ASCII,
)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_UNIQUE = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,124}")  # what remains of a deleted identity (PRINCIPAL)
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.(com(\.cn)?|eu)")
