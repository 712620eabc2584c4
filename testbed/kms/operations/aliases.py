"""Aliases, which LocalStack keeps."""

from typing import Any

from testbed.kms import refusals
from testbed.kms.call import KmsCall, KmsServices


def change(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """CreateAlias, UpdateAlias, DeleteAlias. Raises ``NotAuthorizedException`` for AWS's own."""
    name = call.parameters["AliasName"]
    if not name.startswith("alias/"):
        raise refusals.invalid(
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
        )
    if name.startswith("alias/aws/") and call.caller.kind != "AWSService":
        raise refusals.refusal("NotAuthorizedException")  # recorded by moto, with an empty message
    return services.backend.call(call.caller, call.operation, call.parameters)
