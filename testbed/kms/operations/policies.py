"""Key policies. They are kept in the ledger: LocalStack keeps the first one and evaluates none."""

from dataclasses import replace
from typing import Any

from testbed.kms import policy, refusals
from testbed.kms.call import KmsCall, KmsServices


def put(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """PutKeyPolicy. Raises ``MalformedPolicyDocumentException``."""
    if call.parameters.get("PolicyName", "default") != "default":
        raise refusals.refusal("UnsupportedOperationException", "Only default policy is supported")
    document = call.parameters["Policy"]
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        policy.check(
            document,
            call.caller,
            key.arn,
            bypass_lockout_check=call.parameters.get("BypassPolicyLockoutSafetyCheck", False),
        )
        change.put_key(replace(key, policy=document))
    return {}


def get(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """GetKeyPolicy."""
    if call.parameters.get("PolicyName", "default") != "default":
        raise refusals.refusal("NotFoundException", "No such policy exists")
    return {"Policy": call.key.policy, "PolicyName": "default"}
