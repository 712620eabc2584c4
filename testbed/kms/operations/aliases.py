"""Aliases. LocalStack keeps them, and the ledger their dates, which LocalStack does not tell."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from testbed.documented.key_listings import ALIASES_PER_KEY, PREDEFINED_ALIASES
from testbed.kms import refusals
from testbed.kms.alias_names import AWS
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.naming import alias_arn
from testbed.kms.paging import page


def change(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """CreateAlias, UpdateAlias and DeleteAlias."""
    arn = alias_arn(call.caller.region, call.caller.account, call.parameters["AliasName"])
    with services.ledger.change() as ledger:
        if call.operation == "UpdateAlias":
            _check_kind(services, call)
        if call.operation != "DeleteAlias":
            _check_quota(services, call)
        answer = services.backend.call(call.caller, call.operation, call.parameters)
        if call.operation != "UpdateAlias":
            ledger.drop_alias(arn)
        if call.operation != "DeleteAlias":
            ledger.put_alias(arn, call.now)
    return answer


def list_aliases(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """ListAliases: those of a key, or all with the predefined ones that no key has yet."""
    caller, key = call.caller, call.parameters.get("KeyId")
    about = {"KeyId": key} if key else {}
    kept = services.backend.list_all(caller, "ListAliases", "Aliases", **about)
    times = call.ledger.alias_times()
    aliases = {alias["AliasName"]: _entry(alias, times.get(alias["AliasArn"])) for alias in kept}
    if not key and caller.kind != "AWSService":
        for name in PREDEFINED_ALIASES:
            arn = alias_arn(caller.region, caller.account, name)
            aliases.setdefault(name, {"AliasName": name, "AliasArn": arn})
    return page(call, "Aliases", aliases.items())


def _check_kind(services: KmsServices, call: KmsCall) -> None:
    """Raise ``ValidationException`` unless the new key is of the type and usage of the current one.

    "This restriction prevents errors in code that uses aliases" (API reference, UpdateAlias).
    """
    alias, new = call.parameters["AliasName"], call.keys["TargetKeyId"]
    metadata = services.backend.call(call.caller, "DescribeKey", {"KeyId": alias})["KeyMetadata"]
    if (_type(metadata["KeySpec"]), metadata["KeyUsage"]) != (_type(new.spec), new.usage):
        raise refusals.alias_of_another_kind(alias)


def _check_quota(services: KmsServices, call: KmsCall) -> None:
    """Raise ``LimitExceededException`` if the key has no room for another alias of a customer's."""
    key = call.keys["TargetKeyId"]
    kept = services.backend.list_all(call.caller, "ListAliases", "Aliases", KeyId=key.arn)
    names = {alias["AliasName"] for alias in kept} | {call.parameters["AliasName"]}
    if sum(not name.startswith(AWS) for name in names) > ALIASES_PER_KEY:
        raise refusals.refusal(
            "LimitExceededException", f"{key.arn} has {ALIASES_PER_KEY} aliases, the most it can."
        )


def _type(spec: str) -> str:
    """Return whether a key spec is symmetric, asymmetric or for HMAC."""
    return next((kind for kind in ("SYMMETRIC", "HMAC") if spec.startswith(kind)), "ASYMMETRIC")


def _entry(alias: Mapping[str, Any], times: tuple[float, float] | None) -> dict[str, Any]:
    """Return an alias with its dates; those of one that was made on LocalStack are its creation."""
    named = {name: alias[name] for name in ("AliasName", "AliasArn", "TargetKeyId")}
    created, updated = (
        (datetime.fromtimestamp(time, UTC) for time in times)
        if times
        else (alias["CreationDate"], alias["CreationDate"])
    )
    return {**named, "CreationDate": created, "LastUpdatedDate": updated}
