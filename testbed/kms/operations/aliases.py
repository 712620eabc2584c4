"""Aliases, which LocalStack keeps."""

import re
from collections.abc import Mapping
from typing import Any

from testbed.documented.key_listings import PREDEFINED_ALIASES
from testbed.kms import refusals
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.naming import alias_arn
from testbed.kms.paging import page

_PREFIX = "alias/"
_NAME = re.compile(r"[a-zA-Z0-9/_-]+")


def change(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """CreateAlias, UpdateAlias, DeleteAlias. Raises ``NotAuthorizedException`` for AWS's own."""
    name = call.parameters["AliasName"]
    if not name.startswith(_PREFIX):
        raise refusals.invalid(
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
        )
    if not _NAME.fullmatch(name.removeprefix(_PREFIX)):
        # Quoted from AWS in hashicorp/terraform-provider-aws#12891.
        raise refusals.invalid(f"{name} contains invalid characters for an alias")
    if name.startswith("alias/aws/") and call.caller.kind != "AWSService":
        raise refusals.refusal("NotAuthorizedException")  # recorded by moto, with an empty message
    return services.backend.call(call.caller, call.operation, call.parameters)


def list_aliases(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """ListAliases: those of a key, or all with the predefined ones that no key has yet."""
    caller, key = call.caller, call.parameters.get("KeyId")
    about = {"KeyId": key} if key else {}
    kept = services.backend.list_all(caller, "ListAliases", "Aliases", **about)
    aliases = {alias["AliasName"]: _entry(alias) for alias in kept}
    if not key and caller.kind != "AWSService":
        for name in PREDEFINED_ALIASES:
            arn = alias_arn(caller.region, caller.account, name)
            aliases.setdefault(name, {"AliasName": name, "AliasArn": arn})
    return page(call, "Aliases", aliases.items())


def _entry(alias: Mapping[str, Any]) -> dict[str, Any]:
    members = ("AliasName", "AliasArn", "TargetKeyId", "CreationDate", "LastUpdatedDate")
    return {name: alias[name] for name in members if name in alias}
