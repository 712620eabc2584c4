"""The gate that decides who may: ownership, key policies and grants.

``testbed.policy`` evaluates key policies, with the condition keys of ``condition_keys``. Grants
count as Allows that name their grantee. ``identities`` stands for IAM; by default everyone is an
administrator of the own account.

A service is no principal of any user's account: on a customer's key it can do what grants, or a
policy that names it, let it. The key that it manages itself it may describe, name and delete, and
use by grants alone.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from testbed.arn import Arn
from testbed.documented import regions
from testbed.errors import KmsError
from testbed.kms import condition_keys, key_policy, refusals
from testbed.kms.base import Caller
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.condition_keys import Subject
from testbed.kms.key import Key, related_arn
from testbed.kms.naming import KeyNames, alias_arn, key_arn
from testbed.kms.principals import PRINCIPAL_ARN, belongs_to, grantee_names
from testbed.policy.evaluate import ADMINISTRATOR, Decision, Policies, Request, evaluate

Identities = Callable[[Caller], Policies]

# Operations about a key need the permission of their own name on ``KeyId``, except these.
_PERMISSIONS = {
    "ReEncrypt": (("SourceKeyId", "ReEncryptFrom"), ("DestinationKeyId", "ReEncryptTo")),
    "CreateAlias": (("TargetKeyId", "CreateAlias"),),
    "UpdateAlias": (("TargetKeyId", "UpdateAlias"),),
    "RetireGrant": (),  # see ``_check_retirement``
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
        "Encapsulate",
        "Decapsulate",
        "GetKeyRotationStatus",
        "CreateGrant",
        "ListGrants",
        "RevokeGrant",
    ]
)
_BY_MANAGING_SERVICE = frozenset(("DescribeKey", "CreateAlias", "ScheduleKeyDeletion"))


def administrators(_: Caller) -> Policies:
    """Return the policies of a caller in an account in which all are administrators."""
    return Policies((ADMINISTRATOR,))


class Authorization:
    """``identities`` returns a caller's own policies: identity, boundary and session."""

    def __init__(
        self, names: KeyNames, services: KmsServices, identities: Identities = administrators
    ) -> None:
        self._names, self._services, self._identities = names, services, identities

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
            target = self._names.target(
                call.caller.region, call.caller.account, parameters["AliasName"]
            )
            self._permitted(call, operation, target)
        elif operation == "UpdatePrimaryRegion":
            # So has the key that becomes the primary.
            region = parameters["PrimaryRegion"]
            coming = related_arn(keys["KeyId"], region)
            if not regions.exists(region):
                raise refusals.no_such_key(coming)
            self._permitted(call, operation, coming)
        elif operation == "RetireGrant":
            self._check_retirement(call)
        elif not permissions:
            self._check_identity(call, operation, _about(parameters))
            if "KeyId" in parameters:
                keys = {"KeyId": self._own_key(call, parameters["KeyId"])}
        call = replace(call, keys=keys)
        for also, action, arn in _also_needed(call):
            self._check_identity(also, action, arn)
        return call

    def _check_retirement(self, call: KmsCall) -> None:
        """Check RetireGrant; a grant that cannot be retired is left to the operation.

        "The grant determines who can retire it". The key's policy has no effect; a Deny of the
        caller's own policies has, and who belongs to an account that may needs its permission
        (KMS, "Retiring and revoking grants").
        """
        parameters = call.parameters
        if token := parameters.get("GrantToken", ""):
            # Beside a token, which names its key, a ``KeyId`` counts for nothing.
            grant = call.ledger.grant_of_token(token, call.caller.region)
        else:
            grant = call.ledger.grant(parameters.get("GrantId", ""))
            if grant and grant.key_arn != parameters.get("KeyId"):
                return
        if grant is None or grant.ends is not None:
            return
        key, retirers = self._names.key(call.ledger, grant.key_arn), grant.retirers
        policies = replace(
            self._identities(call.caller), granted=lambda _: retirers, delegates=True
        )
        request = condition_keys.request(
            Subject(self._services, call, call.operation, key), key.arn
        )
        decision = evaluate(request, policies)
        if not decision.allowed:
            raise refusals.access_denied(
                call.caller.principal,
                "kms:RetireGrant",
                key.arn,
                other_account=not belongs_to(call.caller, key.account),
                reason=decision.reason,
            )

    def _check_identity(self, call: KmsCall, action: str, arn: str) -> None:
        """Check an action on no key, or on what is in the caller's account alone.

        A service has no identity policies, which could forbid it.
        """
        caller = call.caller
        other_account, reason = arn != "*" and Arn.parse(arn).account != caller.account, ""
        if caller.kind != "AWSService":
            request = condition_keys.request(Subject(self._services, call, action), arn)
            reason = evaluate(request, self._identities(caller)).reason
        if other_account or reason:
            raise refusals.access_denied(
                caller.principal, f"kms:{action}", arn, other_account=other_account, reason=reason
            )

    def _own_key(self, call: KmsCall, arn: str) -> Key:
        """Return a key of the caller's account, whose policy is not asked."""
        caller = call.caller
        if Arn.parse(arn).account != caller.account:
            raise refusals.access_denied(
                caller.principal, f"kms:{call.operation}", arn, other_account=True
            )
        return self._names.key(call.ledger, arn)

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
        decision = self.decide(call, action, key)
        if not decision.allowed:
            raise refusals.access_denied(
                principal,
                f"kms:{action}",
                arn,
                other_account=other_account,
                reason=decision.reason,
            )
        return key

    def decide(self, call: KmsCall, action: str, key: Key) -> Decision:
        """Decide whether the caller may perform ``action``, without ``kms:``, on a key."""
        caller = call.caller
        if key.account != caller.account and action not in _CROSS_ACCOUNT:
            return Decision(allowed=False, source="resource-based policy", reason=refusals.UNSEEN)
        if key.managed_by and caller.principal == key.managed_by and action in _BY_MANAGING_SERVICE:
            return Decision(allowed=True, source="resource-based policy")

        def granted(_: Request) -> Iterator[str]:
            for grant in call.ledger.grants_to(key.arn, grantee_names(caller)):
                if grant.in_effect(call.now, call.granted) and grant.allows(
                    caller, action, call.parameters
                ):
                    yield grant.grantee

        policies = replace(
            self._identities(caller),
            resource=key_policy.in_force(key.policy),
            granted=granted,
            delegates=True,
        )
        request = condition_keys.request(Subject(self._services, call, action, key), key.arn)
        return evaluate(request, policies)


def _about(parameters: Mapping[str, Any]) -> str:
    """Return what an operation that needs no permission on a key is about: an ARN, or ``*``.

    It is ``*`` for the aliases of a key, too (KMS, "Specifying KMS keys in IAM policy statements").
    "The authorized resource in ListRetirableGrants calls is the retiring principal" (API
    reference), except for a service, which has no ARN.
    """
    principal = parameters.get("RetiringPrincipal", "")
    return principal if re.fullmatch(PRINCIPAL_ARN, principal) else "*"


def _also_needed(call: KmsCall) -> Iterator[tuple[KmsCall, str, str]]:
    """Yield what the caller's own policies have to allow as well (API reference).

    It is the call as they see it, the action and the ARN: of the alias, or of the key to be made.
    """
    caller, parameters = call.caller, call.parameters
    region, key_id = caller.region, "*"
    if call.operation in ("CreateAlias", "UpdateAlias", "DeleteAlias"):
        alias = alias_arn(region, caller.account, parameters["AliasName"])
        yield call, call.operation, alias
    if call.operation == "ReplicateKey":
        region, key_id = parameters["ReplicaRegion"], Arn.parse(parameters["KeyId"]).resource_id
        here = regions.partition(caller.region)
        if not regions.exists(region) or regions.partition(region) != here:
            return  # the operation refuses it
        kind = {"KeySpec": call.key.spec, "KeyUsage": call.key.usage, "Origin": call.key.origin}
        created = {**parameters, **kind, "MultiRegion": True}
        call = replace(call, caller=replace(caller, region=region), parameters=created)
        yield call, "CreateKey", "*"
    if call.operation in ("CreateKey", "ReplicateKey") and parameters.get("Tags"):
        yield call, "TagResource", key_arn(region, caller.account, key_id)


def _grant_of(call: KmsCall, token: str) -> str:
    """Return the id of the grant that a token was issued for."""
    grant = call.ledger.grant_of_token(token, call.caller.region)
    if grant is None:
        raise refusals.invalid_grant_token()
    return grant.grant_id
