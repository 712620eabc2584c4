"""The five operations on grants, answered from the ledger: LocalStack does not come to know of grants.

What is asked for at once is seen at once by who may ask: a grant that was revoked or retired is in no list of its
key's owner. It stays in effect for the delay ("revoking a grant will not take place immediately", DP), and so long a
service that looks for the grants it may retire finds it too. AWS says of both ways to end a grant that they are
"eventually consistent", so both have the delay. The names of grants need not be unique: one serves to recognise a
request that was sent twice.
"""

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from testbed.kms import refusals, states
from testbed.kms.base import Caller, Kms
from testbed.kms.context import LONGEST_VALUE, MOST_PAIRS
from testbed.kms.grant import Grant, grant_of, new_id, operations_for
from testbed.kms.ledger import Ledger
from testbed.kms.policy import belongs_to, plain
from testbed.kms.states import Key

GRANTS_PER_KEY = 50_000  # KMS, "Resource quotas"
_PAGE = 50
_PRINCIPAL = re.compile(
    r"arn:aws:(iam|sts)::\d{12}:(root|(user|role|assumed-role|federated-user)/[\w+=,.@/-]+)"
)
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com")


class GrantingKms:
    """``delay``: seconds until the end of a grant takes effect. ``start_delay``: until a new one does without its token."""

    def __init__(
        self,
        kms: Kms,
        ledger: Ledger,
        now: Callable[[], float],
        *,
        delay: float,
        start_delay: float = 0.0,
        grants_per_key: int = GRANTS_PER_KEY,
    ) -> None:
        self._kms, self._ledger, self._now = kms, ledger, now
        self._delay, self._start_delay, self._most = delay, start_delay, grants_per_key
        self._answers = {
            "CreateGrant": self._create,
            "ListGrants": self._list,
            "ListRetirableGrants": self._list_retirable,
            "RevokeGrant": self._revoke,
            "RetireGrant": self._retire,
        }

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``."""
        answer = self._answers.get(operation)
        return (
            answer(caller, parameters) if answer else self._kms.call(caller, operation, parameters)
        )

    def _create(self, caller: Caller, parameters: Mapping[str, Any]) -> dict[str, Any]:
        with self._ledger.change():
            now, key = self._now(), self._ledger.key(parameters["KeyId"])
            if key is None:
                raise refusals.no_such_key(parameters["KeyId"])
            _check(caller, key, parameters)
            states.check(key, "CreateGrant", now)
            new = Grant(
                grant_id=new_id(),
                key_arn=key.arn,
                grantee=parameters["GranteePrincipal"],
                retiring=parameters.get("RetiringPrincipal", ""),
                operations=tuple(dict.fromkeys(parameters["Operations"])),
                constraints=parameters.get("Constraints") or {},
                name=parameters.get("Name", ""),
                issuing_account=caller.account,
                created=now,
                starts=now + self._start_delay,
                secret=secrets.token_hex(16),
            )
            again = (
                known
                for known in self._ledger.grants(key=key.arn, name=new.name)
                if known.ends is None and new.same_request(known)
            )
            grant = next(again, new) if new.name else new
            if grant is new and self._ledger.count_grants(key.arn) >= self._most:
                raise refusals.refusal(
                    "LimitExceededException",
                    f"{key.arn} has {self._most} grants, the most a KMS key can have.",
                )
            if parameters.get("DryRun"):
                raise refusals.dry_run()
            self._ledger.put_grant(grant)
        return {"GrantId": grant.grant_id, "GrantToken": grant.token()}

    def _list(self, caller: Caller, parameters: Mapping[str, Any]) -> dict[str, Any]:
        wanted_id, grantee = parameters.get("GrantId"), parameters.get("GranteePrincipal")
        found = [
            grant
            for grant in self._ledger.grants(key=parameters["KeyId"])
            if grant.ends is None
            and wanted_id in (None, grant.grant_id)
            and grantee in (None, grant.grantee)
        ]
        if wanted_id and not found:
            raise refusals.no_such_grant(wanted_id)
        return _page(found, parameters)

    def _list_retirable(self, caller: Caller, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if "RetiringPrincipal" not in parameters:
            raise refusals.missing("retiringPrincipal")
        principal, now = parameters["RetiringPrincipal"], self._now()
        own = principal == caller.principal
        return _page(
            (
                grant
                for grant in self._ledger.grants(retiring=plain(principal))
                if (own or caller.account in (grant.issuing_account, grant.key_arn.split(":")[4]))
                and (grant.ends is None or (caller.kind == "AWSService" and now < grant.ends))
            ),
            parameters,
        )

    def _revoke(self, caller: Caller, parameters: Mapping[str, Any]) -> dict[str, Any]:
        with self._ledger.change():
            grant = self._found(parameters["GrantId"], parameters["KeyId"])
            return self._end(grant, parameters)

    def _retire(self, caller: Caller, parameters: Mapping[str, Any]) -> dict[str, Any]:
        token, key_arn, grant_id = (
            parameters.get(name, "") for name in ("GrantToken", "KeyId", "GrantId")
        )
        if bool(token) == bool(key_arn and grant_id):
            raise refusals.invalid("Grant token OR (grant ID, key ID) must be specified")
        with self._ledger.change():
            if token:
                issued = self._ledger.grant(grant_of(token))
                if issued is None or not issued.issued(token):
                    raise refusals.invalid_grant_token()
                key_arn, grant_id = issued.key_arn, issued.grant_id
            grant = self._found(grant_id, key_arn)
            if not grant.retirable_by(caller):
                raise refusals.access_denied(
                    caller.principal,
                    "kms:RetireGrant",
                    key_arn,
                    other_account=not belongs_to(caller, key_arn.split(":")[4]),
                )
            return self._end(grant, parameters)

    def _found(self, grant_id: str, key_arn: str) -> Grant:
        grant = self._ledger.grant(grant_id)
        if grant is None or grant.key_arn != key_arn or grant.ends is not None:
            raise refusals.no_such_grant(grant_id)
        return grant

    def _end(self, grant: Grant, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if parameters.get("DryRun"):
            raise refusals.dry_run()
        self._ledger.put_grant(replace(grant, ends=self._now() + self._delay))
        return {}


def _check(caller: Caller, key: Key, parameters: Mapping[str, Any]) -> None:
    """Raises what KMS says of a grant that cannot be made. Only services can make grants to services (KMS, "Grants")."""
    constraints = parameters.get("Constraints") or {}
    if (
        "GranteeServicePrincipal" in parameters
        or "RetiringServicePrincipal" in parameters
        or "SourceArn" in constraints
    ):
        raise refusals.refusal(
            "UnsupportedOperationException",
            "The testbed does not evaluate GranteeServicePrincipal, RetiringServicePrincipal and SourceArn.",
            hint="Use GranteePrincipal and RetiringPrincipal.",
        )
    if "GranteePrincipal" not in parameters:
        raise refusals.missing("granteePrincipal")
    by_service = caller.kind == "AWSService" or bool(caller.invoked_by)
    for principal in (parameters["GranteePrincipal"], parameters.get("RetiringPrincipal")):
        if (
            principal
            and not _PRINCIPAL.fullmatch(principal)
            and not (by_service and _SERVICE.fullmatch(principal))
        ):
            raise refusals.refusal(
                "InvalidArnException", f"ARN does not refer to a valid principal: {principal}"
            )
    unfit = set(parameters["Operations"]) - operations_for(key.usage, key.symmetric)
    if unfit:
        raise refusals.invalid(
            f"A grant on {key.arn}, a key of {key.spec} for {key.usage}, cannot allow {', '.join(sorted(unfit))}."
        )
    if constraints and not key.symmetric:
        raise refusals.invalid(
            f"{key.arn} is of {key.spec}: only symmetric encryption keys have an encryption context to constrain."
        )
    for kind, pairs in constraints.items():
        if not 1 <= len(pairs) <= MOST_PAIRS or any(
            len(value) > LONGEST_VALUE for value in pairs.values()
        ):
            raise refusals.invalid(
                f"{kind} must have 1 to {MOST_PAIRS} pairs, with values of at most {LONGEST_VALUE} characters."
            )


def _page(grants: Iterable[Grant], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The first ``Limit`` after ``Marker``. The marker is a place in the order, so that no grant's end invalidates it."""
    rest = sorted(((grant.created, grant.grant_id), grant) for grant in grants)
    if "Marker" in parameters:
        after = _place(parameters["Marker"])
        rest = [(place, grant) for place, grant in rest if place > after]
    limit = parameters.get("Limit", _PAGE)
    page: dict[str, Any] = {
        "Grants": [grant.entry() for _, grant in rest[:limit]],
        "Truncated": len(rest) > limit,
    }
    return (
        {**page, "NextMarker": "{}:{}".format(*rest[limit - 1][0])} if page["Truncated"] else page
    )


def _place(marker: str) -> tuple[float, str]:
    created, _, grant_id = marker.partition(":")
    try:
        return float(created), grant_id
    except ValueError as error:
        raise refusals.refusal("InvalidMarkerException") from error
