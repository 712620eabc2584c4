"""The ARNs of the keys that a call concerned, found without asking KMS again.

An answer mostly names the key by its ARN, and so does a refusal. A key id makes an ARN with the
caller's account and Region. Aliases and grants are resolved from earlier calls.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from testbed.arn import KEY_ID
from testbed.documented import regions
from testbed.documented.cloudtrail import kms_event
from testbed.errors import ApiError
from testbed.kms.base import Caller
from testbed.kms.grant import grant_id_of
from testbed.trail.record import Call

_KEY_ID = re.compile(KEY_ID)
_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key/[a-zA-Z0-9-]+|alias/[a-zA-Z0-9/_-]+)")
_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[a-zA-Z0-9-]+")
_MOST = 10_000  # aliases and grants kept in memory


class KeyArns:
    """Resolves keys from what this process has seen, and otherwise by two look-ups.

    ``recall_alias`` takes an alias ARN, ``recall_grant`` the caller and the id of a grant; both
    return the ARN of the key, or ``""``.
    """

    def __init__(
        self,
        recall_alias: Callable[[str], str],
        recall_grant: Callable[[Caller, str], str],
    ) -> None:
        self._recall_alias, self._recall_grant = recall_alias, recall_grant
        self._behind: dict[str, str] = {}
        self._grants: dict[str, str] = {}

    def of(self, call: Call) -> tuple[str, ...]:
        """Return the resources of a call: the alias if it was about one, then the existing keys."""
        caller, operation = call.caller, call.operation
        parameters, error = call.parameters, call.error
        if error and error.code == "NotFoundException":
            return ()
        if operation == "RetireGrant" and error and error.code == "InvalidGrantTokenException":
            return ()  # what it names is made up, or of another Region
        if operation == "RetireGrant" and ("GrantToken" in parameters or "KeyId" not in parameters):
            grant = grant_id(parameters)
            key = grant and (self._grants.get(grant) or self._recall_grant(caller, grant))
            return (key,) if key else ()
        named = [_full(caller, parameters.get(member)) for member in kms_event(operation).keys]
        shown = _shown(call.answer) or (_KEY_ARN.findall(error.message)[:1] if error else [])
        if "AliasName" in parameters:
            return self._of_alias(operation, named, error)
        for alias, key in zip(named, shown, strict=False):
            if ":alias/" in alias:
                _keep(self._behind, alias, key)
        keys = shown if len(shown) >= len(named) else [*map(self._key, named)]
        if operation == "CreateGrant" and "GrantId" in call.answer and keys:
            _keep(self._grants, call.answer["GrantId"], keys[0])
        return tuple(filter(None, keys))

    def _of_alias(
        self, operation: str, named: list[str], error: ApiError | None
    ) -> tuple[str, ...]:
        alias = named[0]
        key = named[1] if len(named) > 1 else self._key(alias)
        if not error and alias:
            if operation == "DeleteAlias":
                self._behind.pop(alias, None)
            else:
                _keep(self._behind, alias, key)
        return tuple(filter(None, (alias, key)))

    def _key(self, arn: str) -> str:
        return (self._behind.get(arn) or self._recall_alias(arn)) if ":alias/" in arn else arn


def _full(caller: Caller, name: Any) -> str:
    """Return the ARN of a key id, alias or ARN; ``""`` for anything else."""
    if not isinstance(name, str):
        return ""
    if _ARN.fullmatch(name):
        return name
    resource = name if name.startswith("alias/") else f"key/{name}"
    known = resource is name or _KEY_ID.fullmatch(name)
    return regions.arn("kms", caller.region, caller.account, resource) if known else ""


def grant_id(parameters: Mapping[str, Any]) -> str:
    """Return the id of the grant that RetireGrant retires; ``""`` for an invalid token.

    Beside a token nothing else counts.
    """
    token = parameters.get("GrantToken")
    return grant_id_of(str(token)) if token else str(parameters.get("GrantId", ""))


def _shown(answer: Mapping[str, Any]) -> list[str]:
    """Return the key ARNs in an answer, the source key's first."""
    metadata = answer.get("KeyMetadata")
    candidates = (
        answer.get("SourceKeyId"),
        answer.get("KeyId"),
        metadata.get("Arn") if isinstance(metadata, Mapping) else None,
    )
    return [arn for arn in candidates if isinstance(arn, str) and _KEY_ARN.fullmatch(arn)]


def _keep(known: dict[str, str], name: str, value: str) -> None:
    if len(known) >= _MOST:
        known.clear()
    known[name] = value
