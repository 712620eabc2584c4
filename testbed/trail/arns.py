"""The ARNs of the keys that a call concerned, found without asking KMS again.

An answer mostly names the key by its ARN, and so does KMS when it refuses one. A key id alone makes an ARN with the
caller's account and the region. Behind an alias is what an earlier call has shown to be behind it, and a grant is on
the key that it was created on.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from testbed.documented.cloudtrail import kms_event
from testbed.errors import ApiError
from testbed.kms.base import Caller
from testbed.kms.grant import grant_id_of

_KEY_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|mrk-[0-9a-fA-F]{32}")
_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key/[a-zA-Z0-9-]+|alias/[a-zA-Z0-9/_-]+)")
_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[a-zA-Z0-9-]+")
_MOST = 10_000  # aliases and grants kept in memory


class KeyArns:
    """``recall_alias`` and ``recall_grant`` find the key ARN for what this process has not seen a call about, or give ``""``.

    The one takes an alias ARN, the other an account and the id of a grant.
    """

    def __init__(
        self,
        region: str,
        recall_alias: Callable[[str], str],
        recall_grant: Callable[[str, str], str],
    ) -> None:
        self._region, self._recall_alias, self._recall_grant = region, recall_alias, recall_grant
        self._behind: dict[str, str] = {}
        self._grants: dict[str, str] = {}

    def of(
        self,
        caller: Caller,
        operation: str,
        parameters: Mapping[str, Any],
        answer: Mapping[str, Any],
        error: ApiError | None,
    ) -> tuple[str, ...]:
        """The resources of a call: the alias if it was about one, then the key or keys. Empty when there is none, or none that exists."""
        if error and error.code == "NotFoundException":
            return ()
        if operation == "RetireGrant" and "KeyId" not in parameters:
            grant = grant_id(parameters)
            key = grant and (self._grants.get(grant) or self._recall_grant(caller.account, grant))
            return (key,) if key else ()
        named = [
            self._full(caller.account, parameters.get(member))
            for member in kms_event(operation).keys
        ]
        shown = _shown(answer) or (_KEY_ARN.findall(error.message)[:1] if error else [])
        if "AliasName" in parameters:
            return self._of_alias(operation, named, error)
        for alias, key in zip(named, shown, strict=False):
            if ":alias/" in alias:
                _keep(self._behind, alias, key)
        keys = shown if len(shown) >= len(named) else [*map(self._key, named)]
        if operation == "CreateGrant" and "GrantId" in answer and keys:
            _keep(self._grants, answer["GrantId"], keys[0])
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

    def _full(self, account: str, name: Any) -> str:
        """The ARN of what a request calls by id, alias or ARN; ``""`` for what is none of these."""
        if not isinstance(name, str):
            return ""
        if _ARN.fullmatch(name):
            return name
        if name.startswith("alias/"):
            return f"arn:aws:kms:{self._region}:{account}:{name}"
        return f"arn:aws:kms:{self._region}:{account}:key/{name}" if _KEY_ID.fullmatch(name) else ""

    def _key(self, arn: str) -> str:
        return (self._behind.get(arn) or self._recall_alias(arn)) if ":alias/" in arn else arn


def grant_id(parameters: Mapping[str, Any]) -> str:
    """The id of the grant that RetireGrant is to retire; ``""`` when what it was given is the token of none."""
    return (
        str(parameters["GrantId"])
        if "GrantId" in parameters
        else grant_id_of(str(parameters.get("GrantToken", "")))
    )


def _shown(answer: Mapping[str, Any]) -> list[str]:
    """The key ARNs in an answer, the source key's first."""
    metadata = answer.get("KeyMetadata")
    candidates = (
        answer.get("SourceKeyId"),
        answer.get("KeyId"),
        metadata.get("Arn") if isinstance(metadata, Mapping) else None,
    )
    return [each for each in candidates if isinstance(each, str) and _KEY_ARN.fullmatch(each)]


def _keep(known: dict[str, str], name: str, value: str) -> None:
    if len(known) >= _MOST:
        known.clear()
    known[name] = value
