"""Key policies. They are kept in the ledger: LocalStack keeps the first one and evaluates none."""

from dataclasses import replace
from typing import Any

from testbed.documented import regions
from testbed.kms import condition_keys, key_policy, refusals
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.condition_keys import Subject
from testbed.kms.key import Key
from testbed.kms.paging import page


def put(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """PutKeyPolicy. Raises ``MalformedPolicyDocumentException``."""
    name = call.parameters.get("PolicyName", "default")
    if name == "AWS_RAM":  # the sentence is the API reference's
        raise refusals.invalid("The AWS_RAM policy can only be managed by the RAM service.")
    if name != "default":
        raise refusals.refusal("UnsupportedOperationException", "Only default policy is supported")
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        change.put_key(replace(key, policy=accepted(services, call, key)))
    return {}


def accepted(services: KmsServices, call: KmsCall, key: Key) -> str:
    """Return the policy of a request as it is kept on ``key``. Raises ``KmsError``."""
    partition = regions.partition(key.region).name
    document = key_policy.accepted(call.parameters["Policy"], partition)
    if not call.parameters.get("BypassPolicyLockoutSafetyCheck"):
        subject = Subject(services, call, "PutKeyPolicy", key)
        key_policy.check_lockout(document, condition_keys.request(subject, key.arn))
    return document


def get(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """GetKeyPolicy."""
    if call.parameters.get("PolicyName", "default") != "default":
        raise refusals.refusal("NotFoundException", "No such policy exists")
    return {"Policy": call.key.policy, "PolicyName": "default"}


def list_names(_: KmsServices, call: KmsCall) -> dict[str, Any]:
    """ListKeyPolicies: every key has its default policy alone."""
    return page(call, "PolicyNames", [("default", "default")])
