"""Creating, describing and tagging the three kinds of key.

================  =======================  ====================================================
kind              created by               what its account can do with it
================  =======================  ====================================================
customer managed  a principal of the       everything its policy allows; by default everything
                  account
AWS managed       a service, in the        describe it, and use it through that service; see
                  account                  ``key_policy.aws_managed``
AWS owned         a service, in its own    nothing: it is in another account
================  =======================  ====================================================
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from testbed.kms import key_policy, refusals
from testbed.kms.base import SERVICE_ACCOUNT
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.key import Key
from testbed.kms.naming import key_arn
from testbed.kms.operations import imports, policies
from testbed.kms.principals import belongs_to

# KeyUsage by the beginning of the KeySpec (API reference, CreateKey).
_USAGES = {
    "SYMMETRIC": ("ENCRYPT_DECRYPT",),
    "RSA": ("ENCRYPT_DECRYPT", "SIGN_VERIFY"),
    "ECC": ("SIGN_VERIFY", "KEY_AGREEMENT"),
    "HMAC": ("GENERATE_VERIFY_MAC",),
}
# LocalStack's way to choose the id of a key.
_CUSTOM_ID = "_custom_id_"


def create(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """CreateKey."""
    caller, parameters = call.caller, call.parameters
    _check_usage(parameters)
    _check_tags(parameters)
    for tag in parameters.get("Tags", ()):
        # LocalStack would put the new key in the old one's place.
        if tag["TagKey"] == _CUSTOM_ID and call.ledger.arns(tag["TagValue"]):
            raise refusals.refusal(
                "AlreadyExistsException", f"Key {tag['TagValue']} already exists"
            )
    if parameters.get("Policy"):
        document = policies.accepted(services, call, _planned(call))
    else:
        document = key_policy.default(caller.account, caller.region)
    answer = services.backend.call(caller, "CreateKey", {**parameters, "Policy": document})
    key = replace(Key.from_metadata(answer["KeyMetadata"], document), created=call.now)
    if caller.kind == "AWSService" and caller.account != SERVICE_ACCOUNT:
        key = key.managed_by_service(caller.principal.removesuffix(".amazonaws.com"))
    with services.ledger.change() as change:
        change.put_key(key)
    return _with_origin(answer, key)


def describe(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """DescribeKey.

    Principals of the key's account are shown the state that was asked for; all others, services
    at work among them, the state that is in effect.
    """
    key = call.key
    answer = _with_origin(services.backend.call(call.caller, call.operation, call.parameters), key)
    metadata = answer["KeyMetadata"]
    state = key.state if belongs_to(call.caller, key.account) else key.effective_state(call.now)
    if key.external or state != "Enabled":
        metadata |= {"KeyState": state, "Enabled": state == "Enabled"}
    if state == "PendingDeletion":
        metadata["DeletionDate"] = datetime.fromtimestamp(key.deletion or 0, UTC)
    if key.external:
        for member in ("CurrentKeyMaterialId", "ExpirationModel"):
            metadata.pop(member, None)
        metadata |= imports.expiration(key.belonging)
    if key.symmetric and key.current_material:
        metadata["CurrentKeyMaterialId"] = key.current_material
    return answer


def tag(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """TagResource, and ReplicateKey with its tags."""
    _check_tags(call.parameters)
    return services.backend.call(call.caller, call.operation, call.parameters)


def _planned(call: KmsCall) -> Key:
    """Return the key to be created, under an id that no key has."""
    parameters = call.parameters
    return Key(
        arn=key_arn(
            call.caller.region, call.caller.account, "00000000-0000-0000-0000-000000000000"
        ),
        policy="",
        spec=parameters.get("KeySpec") or parameters.get("CustomerMasterKeySpec") or Key.spec,
        usage=parameters.get("KeyUsage") or Key.usage,
        origin=parameters.get("Origin") or Key.origin,
    )


def _with_origin(answer: Mapping[str, Any], key: Key) -> dict[str, Any]:
    """Return an answer with the manager and the creation date that the ledger knows."""
    metadata = {
        **answer["KeyMetadata"],
        "KeyManager": "AWS" if key.managed_by else "CUSTOMER",
        "CreationDate": datetime.fromtimestamp(key.created, UTC),
    }
    return {**answer, "KeyMetadata": metadata}


def _check_usage(parameters: Mapping[str, Any]) -> None:
    spec = (
        parameters.get("KeySpec") or parameters.get("CustomerMasterKeySpec") or "SYMMETRIC_DEFAULT"
    )
    usage = parameters.get("KeyUsage")
    usages = _USAGES.get(spec.partition("_")[0])
    if usage is None and not spec.startswith("SYMMETRIC"):
        raise refusals.invalid(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption "
            "keys."
        )
    if usage and usages and usage not in usages:
        raise refusals.invalid(f"KeyUsage {usage} is not compatible with KeySpec {spec}.")


def _check_tags(parameters: Mapping[str, Any]) -> None:
    if any(tag["TagKey"].lower().startswith("aws:") for tag in parameters.get("Tags", ())):
        raise refusals.refusal("TagException", "Tags beginning with aws: are reserved")
