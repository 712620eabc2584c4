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
    ISSUER = (
        2  # the role, or the user, whose session it is: its boundary and session policy limit it
    )
    SELF = 3  # itself, or everyone: nothing else limits it within the account


@dataclass(frozen=True)
class Principal:
    """The caller. ``arn`` is the name of a service that calls by itself.

    ``issuer`` is the ARN of the role, or of the federating user, whose session it is.
    ``account`` is empty for a service, which belongs to no user's account.
    """

    arn: str
    account: str
    type: PrincipalType
    issuer: str = ""
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """What the principal itself brings to a request's context, keys in lower case."""

    @staticmethod
    def of(arn: str, account: str = "", issuer: str = "") -> "Principal":
        """Return the principal with this ARN, or this service's name.

        With an ``account`` a service is a principal of that account. Without an ``issuer`` that of
        a session is worked out from its ARN, which does not show the path of its role.

        Raises ``ValueError`` if ``arn`` is neither a principal's ARN nor a service's name.
        """
        return _principal(arn, account, issuer)


@lru_cache(4096)
def _principal(arn: str, account: str, issuer: str) -> Principal:
    if _SERVICE.fullmatch(arn):
        return Principal(
            arn,
            account,
            "AWSService",
            context={"aws:principalisawsservice": ("true",), "aws:principalservicename": (arn,)},
        )
    found = _ARN.fullmatch(arn)
    if not found or found["kind"] == "role":
        raise ValueError(f"not the ARN of a principal: {arn}")
    kind = _TYPES[found["kind"] or "root"]
    start = f"arn:{found['partition']}:iam::{found['account']}"
    if kind == "AssumedRole":
        issuer = issuer or f"{start}:role/{found['path'].split('/')[0]}"
    elif kind == "FederatedUser":
        issuer = issuer or f"{start}:user/{found['path']}"
    context = {
        "aws:principalisawsservice": ("false",),
        "aws:principalarn": (issuer if kind == "AssumedRole" else arn,),
        "aws:principalaccount": (found["account"],),
        "aws:principaltype": ({"Root": "Account", "IAMUser": "User"}.get(kind, kind),),
    }
    if kind == "IAMUser":
        context["aws:username"] = (found["path"].rpartition("/")[2],)
    return Principal(arn, found["account"], kind, issuer, context)


@dataclass(frozen=True)
class Principals:
    """A Principal or NotPrincipal element: pairs of type and name; ``*`` alone has type ``*``."""

    names: tuple[tuple[str, str], ...]

    def match(self, principal: Principal) -> Match:
        """Return the closest way in which the element names ``principal``."""
        return max((named(kind, name, principal) for kind, name in self.names), default=Match.NONE)


def named(kind: str, name: str, principal: Principal) -> Match:
    """Return how one entry of a Principal element names ``principal``.

    A grantee of a KMS grant has the kind ``AWS``, services included.
    """
    everyone = kind == "*" or (kind == "AWS" and name == "*" and principal.type != "AWSService")
    if everyone or (kind in ("AWS", "Service") and name == principal.arn):
        return Match.SELF
    if kind == "AWS" and is_account(name, principal):
        return Match.SELF if principal.type == "Root" else Match.ACCOUNT
    if kind == "AWS" and principal.issuer:
        same = without_path(name) == without_path(principal.issuer)
        return Match.ISSUER if same else Match.NONE
    return Match.NONE


def is_account(name: str, principal: Principal) -> bool:
    """Return whether ``name``, an account's id or root ARN, is the account of ``principal``."""
    return bool(principal.account) and (
        name == principal.account
        or (name.startswith("arn:") and name.endswith(f":iam::{principal.account}:root"))
    )


@lru_cache(4096)
def without_path(arn: str) -> str:
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
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?")
