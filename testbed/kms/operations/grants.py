"""The five operations on grants, answered from the ledger: LocalStack never learns of grants.

The owner of a key sees a change of its grants at once: a revoked or retired grant is in no list.
It stays in effect for the delay ("revoking a grant will not take place immediately", DP), and a
service that looks for the grants it may retire finds it for as long. AWS calls both ways to end a
grant "eventually consistent", so both have the delay. The names of grants need not be unique: a
name serves to recognise a request that was sent twice.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from testbed.arn import Arn
from testbed.kms import refusals
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.grant import (
    LONGEST_VALUE,
    MOST_PAIRS,
    Grant,
    new_id,
    operations_for,
)
from testbed.kms.key import Key, check_state
from testbed.kms.ledger import Change
from testbed.kms.paging import page
from testbed.kms.principals import PRINCIPAL_ARN, without_path

GRANTS_PER_KEY = 50_000  # KMS, "Resource quotas"
_PRINCIPAL = re.compile(PRINCIPAL_ARN)
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.(com(\.cn)?|eu)")


def create(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """CreateGrant."""
    caller, parameters, now = call.caller, call.parameters, call.now
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        _check(key, parameters)
        check_state(key, "CreateGrant", now)
        grant = Grant(
            grant_id=new_id(),
            key_arn=key.arn,
            grantee=parameters["GranteePrincipal"],
            retiring=parameters.get("RetiringPrincipal", ""),
            operations=tuple(dict.fromkeys(parameters["Operations"])),
            constraints=_constraints(parameters),
            name=parameters.get("Name", ""),
            issuing_account=caller.account,
            created=now,
            starts=now + services.grant_start_delay,
            secret=secrets.token_hex(16),
        )
        earlier = _same_request(change, grant)
        if earlier is None and change.count_grants(key.arn) >= services.grants_per_key:
            raise refusals.refusal(
                "LimitExceededException",
                f"{key.arn} has {services.grants_per_key} grants, the most a KMS key can have.",
            )
        if parameters.get("DryRun"):
            raise refusals.dry_run()
        grant = earlier or grant
        change.put_grant(grant)
    return {"GrantId": grant.grant_id, "GrantToken": grant.token()}


def list_of_key(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """ListGrants."""
    grant_id = call.parameters.get("GrantId")
    grantee = call.parameters.get("GranteePrincipal")
    grants = [
        grant
        for grant in call.ledger.grants(key=call.key.arn)
        if grant.ends is None
        and grant_id in (None, grant.grant_id)
        and grantee in (None, grant.grantee)
        and "GranteeServicePrincipal" not in call.parameters  # no grant names one here
    ]
    if grant_id and not grants:
        raise refusals.no_such_grant(grant_id)
    return page(
        call, "Grants", (((grant.created, grant.grant_id), grant.entry()) for grant in grants)
    )


def list_retirable(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """ListRetirableGrants, of a principal of the caller's account: on the Region's keys of anyone.

    A service is in no account, so others see what it may retire in their own.
    """
    caller = call.caller
    if "RetiringPrincipal" not in call.parameters:
        raise refusals.missing("retiringPrincipal")
    principal = call.parameters["RetiringPrincipal"]
    _check_principal(principal)
    grants = [
        grant
        for grant in call.ledger.grants(retiring=without_path(principal))
        if grant.region == caller.region
        and (
            principal == caller.principal
            or principal.startswith("arn:")
            or caller.account in (grant.issuing_account, Arn.parse(grant.key_arn).account)
        )
    ]
    if caller.kind == "AWSService":
        grants = [grant for grant in grants if grant.ends is None or call.now < grant.ends]
    else:
        grants = [grant for grant in grants if grant.ends is None]
    return page(
        call, "Grants", (((grant.created, grant.grant_id), grant.entry()) for grant in grants)
    )


def revoke(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """RevokeGrant."""
    with services.ledger.change() as change:
        grant = _current(change, call.parameters["GrantId"], call.key.arn)
        return _end(services, call, change, grant)


def retire(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """RetireGrant, by a grant token, or by key and grant id."""
    token, key_arn, grant_id = (
        call.parameters.get(name, "") for name in ("GrantToken", "KeyId", "GrantId")
    )
    if bool(token) == bool(key_arn and grant_id):
        raise refusals.invalid("Grant token OR (grant ID, key ID) must be specified")
    with services.ledger.change() as change:
        if token:
            issued = change.grant_of_token(token, call.caller.region)
            if issued is None:
                raise refusals.invalid_grant_token()
            key_arn, grant_id = issued.key_arn, issued.grant_id
        return _end(services, call, change, _current(change, grant_id, key_arn))


def _same_request(change: Change, grant: Grant) -> Grant | None:
    """Return the grant that the same named request has created before."""
    if not grant.name:
        return None
    named = change.grants(key=grant.key_arn, name=grant.name)
    return next(
        (known for known in named if known.ends is None and grant.same_request(known)), None
    )


def _current(change: Change, grant_id: str, key_arn: str) -> Grant:
    grant = change.grant(grant_id)
    if grant is None or grant.key_arn != key_arn or grant.ends is not None:
        raise refusals.no_such_grant(grant_id)
    return grant


def _end(services: KmsServices, call: KmsCall, change: Change, grant: Grant) -> dict[str, Any]:
    if call.parameters.get("DryRun"):
        raise refusals.dry_run()
    change.put_grant(replace(grant, ends=call.now + services.delay))
    return {}


def _constraints(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the constraints of a request; AWS's older clients send empty ones, too."""
    constraints = parameters.get("Constraints") or {}
    return {kind: value for kind, value in constraints.items() if value}


def _check_principal(principal: str) -> None:
    if not _PRINCIPAL.fullmatch(principal) and not _SERVICE.fullmatch(principal):
        raise refusals.refusal(
            "InvalidArnException", f"ARN does not refer to a valid principal: {principal}"
        )


def _check(key: Key, parameters: Mapping[str, Any]) -> None:
    """Raise KMS's refusal of a grant that cannot be made."""
    constraints = _constraints(parameters)
    if (
        "GranteeServicePrincipal" in parameters
        or "RetiringServicePrincipal" in parameters
        or "SourceArn" in constraints
    ):
        raise refusals.refusal(
            "UnsupportedOperationException",
            "The testbed does not evaluate GranteeServicePrincipal, RetiringServicePrincipal and "
            "SourceArn.",
            hint="Use GranteePrincipal and RetiringPrincipal.",
        )
    if "GranteePrincipal" not in parameters:
        raise refusals.missing("granteePrincipal")
    for member in ("GranteePrincipal", "RetiringPrincipal"):
        if member in parameters:
            _check_principal(parameters[member])
    if set(parameters["Operations"]) == {"CreateGrant"}:
        # Quoted from AWS in ansible/ansible#31960.
        raise refusals.invalid("Grants must not contain only the CreateGrant operation.")
    unfit = set(parameters["Operations"]) - operations_for(key.usage, symmetric=key.symmetric)
    if unfit:
        raise refusals.invalid(
            f"A grant on {key.arn}, a key of {key.spec} for {key.usage}, cannot allow "
            f"{', '.join(sorted(unfit))}."
        )
    _check_constraints(key, constraints)


def _check_constraints(key: Key, constraints: Mapping[str, Any]) -> None:
    if constraints and not key.symmetric:
        raise refusals.invalid(
            f"{key.arn} is of {key.spec}: only symmetric encryption keys have an encryption "
            "context to constrain."
        )
    if len(constraints) > 1:
        # Quoted from AWS in aws/aws-sdk-java#328.
        raise refusals.invalid("More than one constraint supplied")
    for kind, pairs in constraints.items():
        if len(pairs) > MOST_PAIRS or any(len(value) > LONGEST_VALUE for value in pairs.values()):
            raise refusals.invalid(
                f"{kind} must have at most {MOST_PAIRS} pairs, with values of at most "
                f"{LONGEST_VALUE} characters."
            )
