"""The gate that decides who may: ownership, key policies and grants.

1. A deny in the key policy is final.
2. The key policy allows the caller by name, or a grant allows the operation: allowed.
3. The key policy allows the caller's account: its identity policies decide. The testbed has none;
   ``identity`` stands for them, and by default everyone is an administrator of the own account.
4. Anything else: AccessDeniedException. For a key of another account, what the key policy allows
   the caller's own account has to allow too.

A service is no principal of any user's account: on a customer's key it can do what grants, or a
policy that names it, let it. The key that it manages itself it may describe, name and delete, and
use by grants alone.
"""

from collections.abc import Callable
from dataclasses import replace

from testbed.arn import Arn
from testbed.errors import KmsError
from testbed.kms import policy, refusals
from testbed.kms.base import Caller
from testbed.kms.call import KmsCall
from testbed.kms.grant import grant_id_of
from testbed.kms.key import Key
from testbed.kms.naming import KeyNames

Identity = Callable[[Caller, str, str], bool]

# Operations about a key need the permission of their own name on ``KeyId``, except these.
_PERMISSIONS = {
    "ReEncrypt": (("SourceKeyId", "ReEncryptFrom"), ("DestinationKeyId", "ReEncryptTo")),
    "CreateAlias": (("TargetKeyId", "CreateAlias"),),
    "UpdateAlias": (("TargetKeyId", "UpdateAlias"),),
    "RetireGrant": (),  # decided by the grant
    "ListAliases": (),  # decided by the account alone
}
# Keys of another account can be used, and their grants administered (API reference,
# "Cross-account use").
_CROSS_ACCOUNT = frozenset(
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
_BY_MANAGING_SERVICE = frozenset(("DescribeKey", "CreateAlias", "ScheduleKeyDeletion"))


def administrators(*_: object) -> bool:
    """Allow everything: the identity policies of accounts in which all are administrators."""
    return True


class Authorization:
    """``identity`` tells whether identity policies allow a caller an action on an ARN."""

    def __init__(self, names: KeyNames, identity: Identity = administrators) -> None:
        self._names, self._identity = names, identity

    def check(self, call: KmsCall) -> KmsCall:
        """Return the call with its keys and the grants of its tokens.

        Raises ``AccessDeniedException``, and ``InvalidGrantTokenException`` for an unknown token.
        """
        try:
            return self._check(call)
        except KmsError as error:
            if call.implied_key and error.code == "AccessDeniedException":
                raise refusals.denied_for_ciphertext(error, call.implied_key) from error
            raise

    def _check(self, call: KmsCall) -> KmsCall:
        parameters, operation = call.parameters, call.operation
        if tokens := parameters.get("GrantTokens", ()):
            granted = tuple(_grant_of(call, token) for token in tokens)
            parameters = {
                name: value for name, value in parameters.items() if name != "GrantTokens"
            }
            call = replace(call, parameters=parameters, granted=granted)
        default = (("KeyId", operation),) if "KeyId" in parameters else ()
        permissions = _PERMISSIONS.get(operation, default)
        keys = {
            member: self._permitted(call, action, parameters[member])
            for member, action in permissions
        }
        if operation in ("UpdateAlias", "DeleteAlias"):
            # The key that loses the alias has to allow it too.
            target = self._names.target(call.caller.account, parameters["AliasName"])
            self._permitted(call, operation, target)
        elif not permissions and operation != "RetireGrant":
            self._check_identity(call.caller, f"kms:{operation}", parameters.get("KeyId", ""))
            if "KeyId" in parameters:
                keys = {"KeyId": self._names.key(call.ledger, parameters["KeyId"])}
        return replace(call, keys=keys)

    def _check_identity(self, caller: Caller, action: str, arn: str) -> None:
        """Check an operation about no key, or about keys of the caller's account alone."""
        other_account = bool(arn) and Arn.parse(arn).account != caller.account
        if other_account or not self._identity(caller, action, arn or "*"):
            reason = refusals.not_identity_based(action)
            raise refusals.access_denied(
                caller.principal, action, arn or "*", other_account=other_account, reason=reason
            )

    def _permitted(self, call: KmsCall, action: str, arn: str) -> Key:
        principal = call.caller.principal
        other_account = Arn.parse(arn).account != call.caller.account
        try:
            key = self._names.key(call.ledger, arn)
        except KmsError as error:
            if other_account and error.code == "NotFoundException":
                raise refusals.access_denied(
                    principal, f"kms:{action}", arn, other_account=True
                ) from error
            raise
        reason = self._obstacle(call, action, key, other_account=other_account)
        if reason is not None:
            raise refusals.access_denied(
                principal, f"kms:{action}", arn, other_account=other_account, reason=reason
            )
        return key

    def _obstacle(self, call: KmsCall, action: str, key: Key, *, other_account: bool) -> str | None:
        """Return None when allowed, else AWS's reason; empty when there is no permission."""
        caller, name = call.caller, f"kms:{action}"
        verdict = policy.evaluate(
            key.policy, policy.Request(caller, name, key.arn, call.parameters)
        )
        if verdict == "deny":
            return refusals.DENIED
        if other_account and action not in _CROSS_ACCOUNT:
            return ""
        by_identity = verdict != "" and self._identity(caller, name, key.arn)
        if by_identity or (verdict == "allow" and not other_account):
            return None
        if key.managed_by and caller.principal == key.managed_by and action in _BY_MANAGING_SERVICE:
            return None
        for grant in call.ledger.grants_to(key.arn, _grantee_names(caller)):
            if grant.in_effect(call.now, call.granted) and grant.allows(
                caller, action, call.parameters
            ):
                return None
        return refusals.not_identity_based(name) if verdict else ""


def _grant_of(call: KmsCall, token: str) -> str:
    """Return the id of the grant that a token was issued for."""
    grant = call.ledger.grant(grant_id_of(token))
    if grant is None or not grant.issued(token):
        raise refusals.invalid_grant_token()
    return grant.grant_id


def _grantee_names(caller: Caller) -> tuple[str, ...]:
    """Return every way in which the grantee of a grant can be this caller."""
    if caller.kind == "AWSService":
        return (caller.principal,)
    names = (
        caller.principal,
        caller.account,
        f"arn:aws:iam::{caller.account}:root",
        policy.role_of(caller),
    )
    return tuple(dict.fromkeys(filter(None, names)))
