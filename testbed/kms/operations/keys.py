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

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from testbed.documented.key_specs import ALGORITHMS_MEMBER, SPECS, algorithms
from testbed.kms import edwards, key_policy, material, refusals
from testbed.kms.base import SERVICE_ACCOUNT
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.key import Key, multi_region_members
from testbed.kms.naming import key_arn
from testbed.kms.operations import imports, policies
from testbed.kms.operations.key_stores import check_origin
from testbed.kms.operations.tags import checked
from testbed.kms.paging import page
from testbed.kms.principals import belongs_to


def create(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """CreateKey."""
    caller, parameters = call.caller, call.parameters
    _check_usage(parameters)
    check_origin(parameters)
    tags = checked(parameters.get("Tags", ()))
    if parameters.get("Policy"):
        document = policies.accepted(services, call, _planned(call))
    else:
        document = key_policy.default(caller.account, caller.region)
    spec = _spec(parameters)
    kept = edwards.PLACEHOLDER if spec == edwards.SPEC else spec
    request = {**parameters, "Policy": document, "Tags": [], "KeySpec": kept}
    request.pop("CustomerMasterKeySpec", None)
    answer = services.backend.call(caller, "CreateKey", request)
    key = Key.from_metadata(answer["KeyMetadata"], document)
    key = replace(key, created=call.now, tags=tags, spec=spec)
    if caller.kind == "AWSService" and caller.account != SERVICE_ACCOUNT:
        key = key.managed_by_service(caller.principal.removesuffix(".amazonaws.com"))
    with services.ledger.change() as change:
        change.put_key(key)
        if spec == edwards.SPEC and not key.external:
            edwards.put(change, key, material.generate(spec))
    return with_origin(answer, key)


def describe(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """DescribeKey.

    Principals of the key's account are shown the state that was asked for; all others, services
    at work among them, the state that is in effect.
    """
    key = call.key
    answer = with_origin(services.backend.call(call.caller, call.operation, call.parameters), key)
    metadata = answer["KeyMetadata"]
    state = key.state if belongs_to(call.caller, key.account) else key.effective_state(call.now)
    if key.external or state != "Enabled":
        metadata |= {"KeyState": state, "Enabled": state == "Enabled"}
    if key.multi_region:
        metadata |= multi_region_members(key, call.ledger.related(key))
    if state == "PendingReplicaDeletion":
        metadata["PendingDeletionWindowInDays"] = key.window
    if state == "PendingDeletion":
        metadata["DeletionDate"] = datetime.fromtimestamp(key.deletion or 0, UTC)
    if key.external:
        for member in ("CurrentKeyMaterialId", "ExpirationModel"):
            metadata.pop(member, None)
        metadata |= imports.expiration(key.belonging)
    if key.symmetric and key.current_material:
        metadata["CurrentKeyMaterialId"] = key.current_material
    return answer


def list_keys(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """ListKeys. No account shares its keys by AWS RAM here."""
    keys: list[Mapping[str, Any]] = []
    if "SELF" in call.parameters.get("ResourceOwners", ("SELF",)):
        keys = services.backend.list_all(call.caller, "ListKeys", "Keys")
    return page(call, "Keys", ((key["KeyId"], key) for key in keys))


def _planned(call: KmsCall) -> Key:
    """Return the key to be created, under an id that no key has."""
    caller, parameters = call.caller, call.parameters
    return Key(
        arn=key_arn(caller.region, caller.account, str(uuid.UUID(int=0))),
        policy="",
        spec=_spec(parameters),
        usage=parameters.get("KeyUsage") or Key.usage,
        origin=parameters.get("Origin") or Key.origin,
        primary_region=caller.region if parameters.get("MultiRegion") else "",
    )


def with_origin(answer: Mapping[str, Any], key: Key) -> dict[str, Any]:
    """Return an answer with the manager and the creation date that the ledger knows."""
    metadata = {
        **answer["KeyMetadata"],
        "KeySpec": key.spec,
        "CustomerMasterKeySpec": key.spec,
        "KeyManager": "AWS" if key.managed_by else "CUSTOMER",
        "CreationDate": datetime.fromtimestamp(key.created, UTC),
        ALGORITHMS_MEMBER[key.usage]: list(algorithms(key.spec, key.usage)),
    }
    return {**answer, "KeyMetadata": metadata}


def _spec(parameters: Mapping[str, Any]) -> str:
    return str(parameters.get("KeySpec") or parameters.get("CustomerMasterKeySpec") or Key.spec)


def _check_usage(parameters: Mapping[str, Any]) -> None:
    if "KeySpec" in parameters and "CustomerMasterKeySpec" in parameters:
        raise refusals.invalid(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated."
        )
    spec = _spec(parameters)
    usage = parameters.get("KeyUsage")
    if usage is None and spec != "SYMMETRIC_DEFAULT":
        raise refusals.invalid(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption "
            "keys."
        )
    if spec not in SPECS:
        raise refusals.unsupported(f"Keys of KeySpec {spec} are not supported here.")
    if spec == edwards.SPEC and parameters.get("MultiRegion"):
        raise refusals.unsupported(f"Multi-Region keys of KeySpec {spec} are not supported here.")
    if usage and usage not in SPECS[spec]:
        raise refusals.invalid(f"KeyUsage {usage} is not compatible with KeySpec {spec}")
