"""Grants, and the one place where they are evaluated. Pure.

A grant allows its grantee some operations on one key, within its constraints; it denies nothing. Source: KMS developer
guide, "Grants in AWS KMS" and its sub-pages.
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from testbed.kms.base import Caller
from testbed.kms.context import at_least_as_strict, satisfies
from testbed.kms.policy import account_named, belongs_to, is_same_principal

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
# The parameter with the encryption context that the constraints are about; other operations have none to constrain.
_CONTEXT_OF = {
    "ReEncryptFrom": "SourceEncryptionContext",
    "ReEncryptTo": "DestinationEncryptionContext",
}
_UNCONSTRAINED = ("DescribeKey", "RetireGrant")

_TOKEN = b"\x01\x0agrant"  # what every grant token begins with, so that others are known at sight


@dataclass(frozen=True)
class Grant:
    """``starts`` and ``ends`` bound the time, seconds since 1970, in which it is in effect; ``ends`` is None until it is revoked or retired."""

    grant_id: str
    key_arn: str
    grantee: str
    operations: tuple[str, ...]
    issuing_account: str
    created: float
    starts: float
    retiring: str = ""
    name: str = ""
    constraints: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    secret: str = ""  # makes its tokens
    ends: float | None = None

    def in_effect(self, now: float, tokens: tuple[str, ...] = ()) -> bool:
        """A grant token makes a new grant effective at once for the request that carries it."""
        return (now >= self.starts or self.grant_id in tokens) and (
            self.ends is None or now < self.ends
        )

    def allows(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> bool:
        """Whether it lets ``caller`` do ``operation``, named as in a grant, with the request's ``parameters``."""
        if operation not in self.operations or not is_named(self.grantee, caller):
            return False
        if operation == "CreateGrant":
            return self.covers(
                parameters.get("Operations", ()), parameters.get("Constraints") or {}
            )
        return operation in _UNCONSTRAINED or satisfies(
            parameters.get(_CONTEXT_OF.get(operation, "EncryptionContext")), self.constraints
        )

    def covers(
        self, operations: tuple[str, ...] | list[str], constraints: Mapping[str, Mapping[str, str]]
    ) -> bool:
        """Whether a child with these would be no wider."""
        return set(operations) <= set(self.operations) and at_least_as_strict(
            constraints, self.constraints
        )

    def retirable_by(self, caller: Caller) -> bool:
        """By the retiring principal, by the grantee if RetireGrant is granted, by the account in which it was created."""
        return (
            (bool(self.retiring) and is_named(self.retiring, caller))
            or ("RetireGrant" in self.operations and is_named(self.grantee, caller))
            or belongs_to(caller, self.issuing_account)
        )

    def same_request(self, other: "Grant") -> bool:
        """Whether both come of the same CreateGrant, sent twice: same name, same everything."""
        return bool(self.name) and _request(self) == _request(other)

    def entry(self) -> dict[str, Any]:
        """As ListGrants shows it. A token is never shown."""
        shown: dict[str, Any] = {
            "KeyId": self.key_arn,
            "GrantId": self.grant_id,
            "Name": self.name,
            "CreationDate": datetime.fromtimestamp(int(self.created), UTC),
            "GranteePrincipal": self.grantee,
            "IssuingAccount": f"arn:aws:iam::{self.issuing_account}:root",
            "Operations": list(self.operations),
        }
        if self.retiring:
            shown["RetiringPrincipal"] = self.retiring
        if self.constraints:
            shown["Constraints"] = {kind: dict(pairs) for kind, pairs in self.constraints.items()}
        return shown

    def token(self) -> str:
        """A new grant token: another one each time, all of them as good."""
        nonce = secrets.token_bytes(16)
        return base64.b64encode(
            _TOKEN + bytes.fromhex(self.grant_id) + nonce + self._seal(nonce)
        ).decode()

    def issued(self, token: str) -> bool:
        content = _content(token)
        return content[32:] == content[32:48] + self._seal(content[32:48])

    def _seal(self, nonce: bytes) -> bytes:
        return hashlib.sha256(self.secret.encode() + self.grant_id.encode() + nonce).digest()[:16]


def operations_for(usage: str, symmetric: bool) -> frozenset[str]:
    """The operations that a grant on a key of this KeyUsage can allow."""
    own = (_SYMMETRIC if symmetric else ("GetPublicKey",)) if usage == "ENCRYPT_DECRYPT" else ()
    return frozenset((*_ADMINISTERING, *_BY_USAGE[usage], *own))


def grant_of(token: str) -> str:
    """The id of the grant that a token says it is of; empty when it is no token at all. ``Grant.issued`` tells whether it is."""
    return _content(token)[:32].hex()


def is_named(named: str, caller: Caller) -> bool:
    """Whether the principal of a grant is the caller, or the caller's account as a whole."""
    return is_same_principal(named, caller) or (
        bool(account_named(named)) and belongs_to(caller, account_named(named))
    )


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
