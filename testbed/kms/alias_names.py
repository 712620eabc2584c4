"""What an alias may be called, and what it may name. Pure."""

import re

from testbed.kms import refusals
from testbed.kms.call import KmsCall

_PREFIX, AWS = "alias/", "alias/aws/"
_NAME = re.compile(r"[a-zA-Z0-9/_-]+")


def check(call: KmsCall) -> None:
    """Raise KMS's refusal of the alias that a request creates, updates or deletes.

    It is ``NotAuthorizedException`` for a new one among AWS's own; those that exist are protected
    by the policies of their keys.
    """
    name, target = (call.parameters.get(member, "") for member in ("AliasName", "TargetKeyId"))
    if not name:
        return
    if not name.startswith(_PREFIX):
        raise refusals.invalid(
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
        )
    if not _NAME.fullmatch(name.removeprefix(_PREFIX)):
        # Quoted from AWS in hashicorp/terraform-provider-aws#12891.
        raise refusals.invalid(f"{name} contains invalid characters for an alias")
    by_service = call.caller.kind == "AWSService"
    if call.operation == "CreateAlias" and name.startswith(AWS) and not by_service:
        raise refusals.refusal("NotAuthorizedException")  # recorded by moto, with an empty message
    if target.startswith(_PREFIX) or f":{_PREFIX}" in target:
        raise refusals.alias_of_alias()
