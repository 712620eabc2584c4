"""Multi-Region keys: replicas, the primary among them, and what they share.

LocalStack makes a replica with the primary's material, and gives new material to all related keys
(``containers/localstack/persist.py``). The ledger says which is the primary: it alone is
replicated and rotated, and it is deleted after its replicas. State, policy, grants, aliases, tags
and description are each key's own (KMS, "Multi-Region keys"). Both operations are complete when
they are answered, so no key stays in the states Creating and Updating.
"""

from dataclasses import replace
from typing import Any

from testbed.documented import regions
from testbed.kms import key_policy, refusals
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.key import Key, check_state, multi_region_members, related_arn
from testbed.kms.ledger import Change
from testbed.kms.naming import key_arn, owner
from testbed.kms.operations import policies
from testbed.kms.operations.keys import with_origin
from testbed.kms.operations.tags import checked


def replicate(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """ReplicateKey. Imported material is imported into each replica again."""
    primary, parameters = call.key, call.parameters
    region = parameters["ReplicaRegion"]
    check_primary(primary)
    tags = checked(parameters.get("Tags", ()))
    if not regions.exists(region) or not _same_partition(primary.region, region):
        raise refusals.invalid(
            f"ReplicaRegion {region} is not another Region in the partition of {primary.arn}."
        )
    replica = primary.replica(key_arn(region, primary.account, primary.key_id), call.now)
    if parameters.get("Policy"):
        document = policies.accepted(services, call, replica)
    else:
        document = key_policy.default(primary.account, region)
    with services.ledger.change() as change:
        primary = change.existing_key(primary.arn)
        check_primary(primary)
        check_state(primary, call.operation, call.now)
        # Of the primary as it is now: it may have been rotated since the call began.
        replica = primary.replica(replica.arn, call.now)
        if change.key(replica.arn):
            raise refusals.refusal("AlreadyExistsException", f"{replica.arn} already exists.")
        request = {"KeyId": primary.arn, "ReplicaRegion": region}
        request["Description"] = parameters.get("Description", "")
        answer = services.backend.call(owner(primary.arn), "ReplicateKey", request)
        change.put_key(replace(replica, policy=document, tags=tags))
        keys = change.related(primary)
    shown = with_origin({"KeyMetadata": answer["ReplicaKeyMetadata"]}, replica)["KeyMetadata"]
    shown |= {"KeyState": "Creating", "Enabled": False, **multi_region_members(replica, keys)}
    return {
        "ReplicaKeyMetadata": shown,
        "ReplicaPolicy": document,
        "ReplicaTags": parameters.get("Tags", []),
    }


def update_primary(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """UpdatePrimaryRegion."""
    region = call.parameters["PrimaryRegion"]
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        check_primary(key)
        keys = change.related(key)
        coming = next(
            (other for other in keys if other.is_replica and other.region == region), None
        )
        if coming is None:
            raise refusals.no_such_key(related_arn(key, region))
        for changed in (key, coming):
            check_state(changed, call.operation, call.now)
        for other in keys:
            change.put_key(replace(other, primary_region=region))
    return {}


def check_primary(key: Key) -> None:
    """Raise ``UnsupportedOperationException`` unless ``key`` is a multi-Region primary key."""
    if key.primary_region != key.region:
        raise refusals.unsupported(f"{key.arn} is not a multi-region primary key.")


def put_shared(change: Change, key: Key) -> None:
    """Keep a key, and what it shares with its replicas: rotation, and which materials there are."""
    for other in change.related(key):
        if other.arn != key.arn:
            change.put_key(other.synchronized(key))
    change.put_key(key)


def _same_partition(region: str, other: str) -> bool:
    return region != other and regions.partition(region) == regions.partition(other)
