"""Grants, and the one place where they are evaluated. Pure.

A grant allows its grantee some operations on one key, within its constraints; it denies nothing.
Source: KMS developer guide, "Grants in AWS KMS" and its sub-pages.
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from testbed.arn import Arn
from testbed.documented import regions
from testbed.kms.base import Caller
from testbed.kms.principals import is_named

# What a grant can allow, by what the key is for (KMS, "Grant operations").
_ADMINISTERING = ("CreateGrant", "RetireGrant", "DescribeKey")
_BY_USAGE = {
    "ENCRYPT_DECRYPT": ("Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo"),
    "SIGN_VERIFY": ("Sign", "Verify", "GetPublicKey"),
    "GENERATE_VERIFY_MAC": ("GenerateMac", "VerifyMac"),
    "KEY_AGREEMENT": ("DeriveSharedSecret", "GetPublicKey"),
}
_SYMMETRIC = (
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
)
# The parameter with the encryption context that constraints are about.
_CONTEXT_OF = {
    "ReEncryptFrom": "SourceEncryptionContext",
    "ReEncryptTo": "DestinationEncryptionContext",
}
_UNCONSTRAINED = ("DescribeKey", "RetireGrant")  # they have no context to constrain
_SUBSET, _EQUALS = "EncryptionContextSubset", "EncryptionContextEquals"
# KMS, "Using grant constraints".
MOST_PAIRS = 8
LONGEST_VALUE = 384  # characters

Constraints = Mapping[str, Mapping[str, str]]

_TOKEN = b"\x01\x0agrant"  # the beginning of every grant token


@dataclass(frozen=True)
class Grant:
    """One grant. ``starts`` and ``ends``, seconds since 1970, bound the time it is in effect.

    ``ends`` is None until the grant is revoked or retired. ``secret`` makes its tokens.
    """

    grant_id: str
    key_arn: str
    grantee: str
    operations: tuple[str, ...]
    issuing_account: str
    created: float
    starts: float
    retiring: str = ""
    name: str = ""
    constraints: Constraints = field(default_factory=dict)
    secret: str = ""
    ends: float | None = None

    @property
    def region(self) -> str:
        return Arn.parse(self.key_arn).region

    def in_effect(self, now: float, tokens: tuple[str, ...] = ()) -> bool:
        """Return whether the grant is in effect, by time or by a token among ``tokens``.

        A token makes a new grant effective at once for the request that carries it.
        """
        return (now >= self.starts or self.grant_id in tokens) and (
            self.ends is None or now < self.ends
        )

    def allows(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> bool:
        """Return whether the grant lets ``caller`` do ``operation`` with these parameters."""
        if operation not in self.operations or not is_named(self.grantee, caller):
            return False
        if operation == "CreateGrant":
            return self.covers(
                parameters.get("Operations", ()), parameters.get("Constraints") or {}
            )
        return operation in _UNCONSTRAINED or satisfies(
            parameters.get(_CONTEXT_OF.get(operation, "EncryptionContext")), self.constraints
        )

    def covers(self, operations: tuple[str, ...] | list[str], constraints: Constraints) -> bool:
        """Return whether a child grant with these would be no wider."""
        return set(operations) <= set(self.operations) and at_least_as_strict(
            constraints, self.constraints
        )

    @property
    def retirers(self) -> tuple[str, ...]:
        """Those who may retire the grant, as a policy names them.

        They are the retiring principal, the grantee if RetireGrant is granted, and the issuing
        account.
        """
        grantee = self.grantee if "RetireGrant" in self.operations else ""
        return tuple(filter(None, (self.retiring, grantee, self.issuing_account)))

    def same_request(self, other: "Grant") -> bool:
        """Return whether both come from the same named CreateGrant, sent twice."""
        return bool(self.name) and _request(self) == _request(other)

    def entry(self) -> dict[str, Any]:
        """Return the grant as ListGrants shows it, without a token."""
        shown: dict[str, Any] = {
            "KeyId": self.key_arn,
            "GrantId": self.grant_id,
            "Name": self.name,
            "CreationDate": datetime.fromtimestamp(int(self.created), UTC),
            "GranteePrincipal": self.grantee,
            "IssuingAccount": regions.iam_arn(self.region, self.issuing_account, "root"),
            "Operations": list(self.operations),
        }
        if self.retiring:
            shown["RetiringPrincipal"] = self.retiring
        if self.constraints:
            shown["Constraints"] = {kind: dict(pairs) for kind, pairs in self.constraints.items()}
        return shown

    def token(self) -> str:
        """Return a new grant token, as good as every other of the grant."""
        nonce = secrets.token_bytes(16)
        return base64.b64encode(
            _TOKEN + bytes.fromhex(self.grant_id) + nonce + self._seal(nonce)
        ).decode()

    def issued(self, token: str) -> bool:
        content = _content(token)
        return content[32:] == content[32:48] + self._seal(content[32:48])

    def _seal(self, nonce: bytes) -> bytes:
        return hashlib.sha256(self.secret.encode() + self.grant_id.encode() + nonce).digest()[:16]


def operations_for(usage: str, *, symmetric: bool) -> frozenset[str]:
    """Return the operations that a grant on a key of this KeyUsage can allow."""
    own = (_SYMMETRIC if symmetric else ("GetPublicKey",)) if usage == "ENCRYPT_DECRYPT" else ()
    return frozenset((*_ADMINISTERING, *_BY_USAGE[usage], *own))


def grant_id_of(token: str) -> str:
    """Return the id of the grant in a token, empty for anything else.

    ``Grant.issued`` tells whether the token is genuine.
    """
    return _content(token)[:32].hex()


def satisfies(context: Mapping[str, str] | None, constraints: Constraints) -> bool:
    """Return whether a request's context is within the constraints.

    In a constraint the case of a value counts, that of a key does not (API reference,
    GrantConstraints). An empty constraint is none.
    """
    pairs = _pairs(context)
    subset, equals = _pairs(constraints.get(_SUBSET)), _pairs(constraints.get(_EQUALS))
    return subset <= pairs and equals in (frozenset(), pairs)


def at_least_as_strict(child: Constraints, parent: Constraints) -> bool:
    """Return whether every context within ``child``'s constraints is within ``parent``'s.

    Pairs may be added to a subset, and a subset may become an equality that includes it; not the
    reverse (KMS, "Granting CreateGrant permission").
    """
    equals, child_equals = _pairs(parent.get(_EQUALS)), _pairs(child.get(_EQUALS))
    return _pairs(parent.get(_SUBSET)) <= (_pairs(child.get(_SUBSET)) | child_equals) and (
        equals in (frozenset(), child_equals)
    )


def _pairs(context: Mapping[str, str] | None) -> frozenset[tuple[str, str]]:
    return frozenset((key.lower(), value) for key, value in (context or {}).items())


def new_id() -> str:
    return secrets.token_hex(32)


def _content(token: str) -> bytes:
    try:
        content = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return (
        content.removeprefix(_TOKEN)
        if content.startswith(_TOKEN) and len(content) == len(_TOKEN) + 64
        else b""
    )


def _request(grant: Grant) -> tuple[object, ...]:
    constraints = {kind: dict(pairs) for kind, pairs in grant.constraints.items()}
    return (
        grant.name,
        grant.key_arn,
        grant.grantee,
        grant.retiring,
        set(grant.operations),
        constraints,
        grant.issuing_account,
    )
