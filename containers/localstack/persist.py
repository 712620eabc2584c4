"""Make LocalStack's KMS persistent: keys, material, states, aliases, grants, policies, tags.

LocalStack executes this file in its own process before it serves
(``/etc/localstack/init/start.d``), in this image and in ``localstack/localstack``. The stores are
restored from the snapshot in ``TESTBED_KMS_DIR``. Every operation that changes them is written
there *before* it is answered: what was acknowledged survives ``kill -9``. Operations that change
nothing (Decrypt, GenerateDataKey) take no lock and write nothing.

LocalStack only marks a key whose waiting period is over; a TagResource with ``DESTROY`` drops it.
AWS reserves the tag's prefix, so no caller of KMS can set such a tag. Rotations on demand are not
limited here: the testbed limits them before the call arrives. A store can be in any Region: the
testbed lets none but AWS's through.

The snapshot is a SHA-256 digest followed by a pickle. If it cannot be read, the process stops:
starting empty would turn a broken file into volumes that never open again.
"""

import hashlib
import os
import pickle
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localstack.aws.protocol.serializer import create_serializer
from localstack.aws.skeleton import Skeleton
from localstack.services.kms import models
from localstack.services.kms.models import kms_stores
from localstack.services.stores import LOCAL_ATTR_PREFIX

DIRECTORY = Path(os.environ.get("TESTBED_KMS_DIR", "/var/lib/testbed-kms"))
SNAPSHOT = DIRECTORY / "kms.snapshot"

DESTROY = "aws:testbed:destroy"  # the tag's value is the id of the key

# Operations known to change nothing. Any other is persisted, including those of later versions.
READS = (
    "Describe",
    "List",
    "GetKey",
    "GetPublicKey",
    "Encrypt",
    "Decrypt",
    "ReEncrypt",
    "Generate",
    "Sign",
    "Verify",
    "Derive",
)

changing = threading.RLock()  # one change at a time: each snapshot holds whole operations only


def save() -> None:
    """Replace the snapshot, durably."""
    with kms_stores.lock:  # held by LocalStack while it adds the store of a new account or region
        stores = [
            (account, region, dict(vars(store)))
            for account, region, store in kms_stores.iter_stores()
        ]
    content = pickle.dumps(
        [
            (a, r, {k: v for k, v in s.items() if k.startswith(LOCAL_ATTR_PREFIX)})
            for a, r, s in stores
        ]
    )
    draft = SNAPSHOT.with_suffix(".draft")
    with open(draft, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(hashlib.sha256(content).digest() + content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(SNAPSHOT)
    directory = os.open(DIRECTORY, os.O_RDONLY)
    try:
        os.fsync(directory)  # the rename itself
    finally:
        os.close(directory)


def restore() -> None:
    """Load the snapshot into the stores. Raises any error of a damaged one."""
    data = SNAPSHOT.read_bytes()
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        raise ValueError("its checksum does not match")
    for account, region, attributes in pickle.loads(data[32:]):  # noqa: S301 - our own file
        vars(kms_stores[account][region]).update(attributes)


def destroy(context: Any) -> bool:
    """Drop a key with its material, aliases, grants and tags, if the request asks for it."""
    request = context.service_request or {}
    tags = {tag.get("TagKey"): tag.get("TagValue") for tag in request.get("Tags") or ()}
    if context.operation.name != "TagResource" or DESTROY not in tags:
        return False
    store, key_id = kms_stores[context.account_id][context.region], tags[DESTROY]
    # It may be gone already, if the response to an earlier request was lost.
    key = store.keys.pop(key_id, None)
    store.aliases = {
        name: alias
        for name, alias in store.aliases.items()
        if alias.metadata["TargetKeyId"] != key_id
    }
    store.grants = {
        name: grant
        for name, grant in store.grants.items()
        if not grant.metadata["KeyArn"].endswith(f"/{key_id}")
    }
    store.grant_tokens = {
        token: name for token, name in store.grant_tokens.items() if name in store.grants
    }
    store.imports = {
        token: state for token, state in store.imports.items() if state.key_id != key_id
    }
    if key:
        store.tags.delete_all_tags(key.metadata["Arn"])
    return True


def prepare_replication(context: Any) -> None:
    """Let a key be replicated: the testbed knows the primary, and where replicas are.

    A replica that it does not know is left from a call that was cut short.
    """
    key = related(context).get(context.region)
    if context.operation.name == "ReplicateKey" and key and key.metadata["MultiRegion"]:
        key.metadata["MultiRegionConfiguration"]["MultiRegionKeyType"] = "PRIMARY"
        replica_store = kms_stores[context.account_id][context.service_request["ReplicaRegion"]]
        replica_store.keys.pop(key.metadata["KeyId"], None)


def share(context: Any) -> None:
    """Give a key's new material to the multi-Region keys that are related to it."""
    if context.operation.name != "RotateKeyOnDemand":
        return
    keys = related(context)
    rotated = keys.get(context.region)
    for key in keys.values():
        if key is not rotated:
            key.crypto_key, key.previous_keys = rotated.crypto_key, list(rotated.previous_keys)
            key.metadata["CurrentKeyMaterialId"] = rotated.metadata["CurrentKeyMaterialId"]


def related(context: Any) -> dict[str, Any]:
    """Return the keys with the requested id in all Regions of the account."""
    key_id = str((context.service_request or {}).get("KeyId", "")).rpartition("/")[2]
    return {
        region: store.keys[key_id]
        for account, region, store in kms_stores.iter_stores()
        if account == context.account_id and key_id in store.keys
    }


def invoke(
    self: Skeleton, context: Any, original: Callable[[Skeleton, Any], Any] = Skeleton.invoke
) -> Any:
    """Perform an operation; persist it before it is answered if it may change something."""
    if context.service.service_name != "kms":
        return original(self, context)
    # Naming an AWS managed key (alias/aws/s3) creates it on first use, whatever the operation.
    request = context.service_request or {}
    named = any(
        member.endswith("KeyId") and "alias/aws/" in str(value) for member, value in request.items()
    )
    reads = context.operation.name.startswith(READS)
    if reads and not named:
        return original(self, context)
    with changing:
        if destroy(context):
            save()
            serializer = create_serializer(context.service, context.protocol)
            return serializer.serialize_to_response(
                {}, context.operation, context.request.headers, context.request_id
            )
        keys = kms_stores[context.account_id][context.region].keys
        before = len(keys)
        prepare_replication(context)
        response = original(self, context)
        share(context)
        if not reads or len(keys) != before:
            save()  # if this fails, the response is an internal failure, not a success
        return response


kms_stores.validate = False  # else GovCloud and China need the models of services not in this image
try:
    DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
    if SNAPSHOT.exists():
        restore()
    save()  # find a read-only directory now, not at the first key
except Exception as error:  # noqa: BLE001 - whatever it is, starting empty would be worse
    print(  # noqa: T201 - LocalStack's log is not set up yet
        f"testbed-kms: REFUSING TO START: {SNAPSHOT} cannot be used: {error!r}. "
        "Restore it from a copy, or remove it to start without any key: volumes under the lost "
        "keys stay closed.",
        file=sys.stderr,
        flush=True,
    )
    os._exit(78)  # LocalStack logs what a script raises and starts regardless
models.ON_DEMAND_ROTATION_LIMIT = sys.maxsize
Skeleton.invoke = invoke
