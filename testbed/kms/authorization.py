"""Who may: ownership, key policies and grants decide on every call, and only here.

1. A deny in the key policy is final.
2. The key policy allows the caller by name, or a grant allows the operation: allowed.
3. The key policy allows the caller's account: its identity policies decide. The testbed has none of its own; who is
   asked, ``identity``, takes everyone for an administrator of the own account unless it is told otherwise.
4. Anything else: AccessDeniedException. For a key of another account, what the key policy allows the caller's own
   account has to allow too.

A service is a principal of no user's account: on a customer's key it can do what grants, or a policy that names it, let
it. The key that it manages itself, it may describe, name and give up, and use by grants alone.
"""

from collections.abc import Callable, Mapping
from typing import Any

from testbed.errors import KmsError
from testbed.kms import policy, refusals
from testbed.kms.base import Caller, Kms
from testbed.kms.grant import grant_of
from testbed.kms.ledger import Ledger
from testbed.kms.naming import KeyNames
from testbed.kms.states import Key

Identity = Callable[[Caller, str, str], bool]

# Every operation that is about a key asks for the permission of its own name on ``KeyId``, but for these.
_OTHERWISE = {
    "ReEncrypt": (("SourceKeyId", "ReEncryptFrom"), ("DestinationKeyId", "ReEncryptTo")),
    "CreateAlias": (("TargetKeyId", "CreateAlias"),),
    "UpdateAlias": (("TargetKeyId", "UpdateAlias"),),
    "RetireGrant": (),  # decided by the grant
    "ListAliases": (),  # by the account alone
}
# Keys of another account can be used, and their grants administered (API reference, "Cross-account use").
_ACROSS = frozenset(
    [
        "DescribeKey",
        "Encrypt",
        "Decrypt",
        "ReEncryptFrom",
        "ReEncryptTo",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateMac",
        "VerifyMac",
        "Sign",
        "Verify",
        "GetPublicKey",
        "DeriveSharedSecret",
        "GetKeyRotationStatus",
        "CreateGrant",
        "ListGrants",
        "RevokeGrant",
    ]
)
_OF_ITS_MANAGER = frozenset(("DescribeKey", "CreateAlias", "ScheduleKeyDeletion"))


def administrators(caller: Caller, action: str, arn: str) -> bool:
    """The identity policies of accounts in which everyone may do everything."""
    return True


class AuthorizingKms:
    """Let through what ownership, policy and grants allow. Keys are named by ARN."""

    def __init__(
        self,
        kms: Kms,
        ledger: Ledger,
        names: KeyNames,
        now: Callable[[], float],
        identity: Identity = administrators,
    ) -> None:
        self._kms, self._ledger, self._names, self._now, self._identity = (
            kms,
            ledger,
            names,
            now,
            identity,
        )

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``; raises ``AccessDeniedException``, and ``InvalidGrantTokenException`` for a token that was never given."""
        tokens = tuple(self._granted(token) for token in parameters.get("GrantTokens", ()))
        if tokens:
            parameters = {
                name: value for name, value in parameters.items() if name != "GrantTokens"
            }
        needed = _OTHERWISE.get(operation) or (
            (("KeyId", operation),) if operation not in _OTHERWISE and "KeyId" in parameters else ()
        )
        for member, action in needed:
            self._check(caller, action, parameters[member], parameters, tokens)
        if operation in ("UpdateAlias", "DeleteAlias"):
            # The key that the alias leaves has to allow it too.
            self._check(
                caller,
                operation,
                self._names.target(caller.account, parameters["AliasName"]),
                parameters,
                tokens,
            )
        elif not needed and operation != "RetireGrant":
            self._check_identity(caller, f"kms:{operation}", parameters.get("KeyId", ""))
        return self._kms.call(caller, operation, parameters)

    def _check_identity(self, caller: Caller, action: str, arn: str) -> None:
        """What is about no key, or about the keys of the caller's account alone."""
        other_account = bool(arn) and arn.split(":")[4] != caller.account
        if other_account or not self._identity(caller, action, arn or "*"):
            why = refusals.not_identity_based(action)
            raise refusals.access_denied(
                caller.principal, action, arn or "*", other_account=other_account, why=why
            )

    def _check(
        self,
        caller: Caller,
        action: str,
        arn: str,
        parameters: Mapping[str, Any],
        tokens: tuple[str, ...],
    ) -> None:
        other_account = arn.split(":")[4] != caller.account
        try:
            key = self._names.key(arn)
        except KmsError as error:
            if other_account and error.code == "NotFoundException":
                raise refusals.access_denied(
                    caller.principal, f"kms:{action}", arn, other_account=True
                ) from error
            raise
        why = self._obstacle(caller, action, key, parameters, tokens, other_account)
        if why is not None:
            raise refusals.access_denied(
                caller.principal, f"kms:{action}", arn, other_account=other_account, why=why
            )

    def _obstacle(
        self,
        caller: Caller,
        action: str,
        key: Key,
        parameters: Mapping[str, Any],
        tokens: tuple[str, ...],
        other_account: bool,
    ) -> str | None:
        """None when it is allowed; otherwise what AWS gives for the reason, empty for there being no permission at all."""
        name = f"kms:{action}"
        says = policy.answer(key.policy, caller, name, key.arn)
        if says == "deny":
            return refusals.DENIED
        if other_account and action not in _ACROSS:
            return ""
        by_identity = says != "" and self._identity(caller, name, key.arn)
        if by_identity or (says == "allow" and not other_account):
            return None
        if key.managed_by and caller.principal == key.managed_by and action in _OF_ITS_MANAGER:
            return None
        now = self._now()
        for grant in self._ledger.grants_to(key.arn, _grantees(caller)):
            if grant.in_effect(now, tokens) and grant.allows(caller, action, parameters):
                return None
        return refusals.not_identity_based(name) if says else ""

    def _granted(self, token: str) -> str:
        """The id of the grant that a token was given for."""
        grant = self._ledger.grant(grant_of(token))
        if grant is None or not grant.issued(token):
            raise refusals.invalid_grant_token()
        return grant.grant_id


def _grantees(caller: Caller) -> tuple[str, ...]:
    """Every way in which the grantee of a grant can be this caller."""
    if caller.kind == "AWSService":
        return (caller.principal,)
    names = (
        caller.principal,
        caller.account,
        f"arn:aws:iam::{caller.account}:root",
        policy.role_of(caller),
    )
    return tuple(dict.fromkeys(filter(None, names)))
