"""Make LocalStack's KMS remember: keys, material, states, aliases, grants, policies, tags.

LocalStack executes this file inside its own process, before it serves (``/etc/localstack/init/start.d``),
in this image as in ``localstack/localstack``. The stores are restored from the snapshot in
``TESTBED_KMS_DIR``, and every operation that changes them is written there *before* it is answered:
what was acknowledged survives ``kill -9``. Operations that change nothing (Decrypt, GenerateDataKey)
take no lock and write nothing.

A key whose waiting period is over is dropped by a TagResource with ``DESTROY``: LocalStack itself only marks it. The
prefix is one that AWS reserves, so that no caller of KMS can set such a tag. No key is limited in its rotations here:
how often it may be rotated on demand is decided before the call arrives.

The snapshot is a SHA-256 digest followed by a pickle. The process stops when it cannot be read:
starting empty would turn a broken file into volumes that never open again.
"""

import hashlib
import os
import pickle
import sys
import threading
from pathlib import Path

from localstack.aws.protocol.serializer import create_serializer
from localstack.aws.skeleton import Skeleton
from localstack.services.kms import models
from localstack.services.kms.models import kms_stores
from localstack.services.stores import LOCAL_ATTR_PREFIX

DIRECTORY = Path(os.environ.get("TESTBED_KMS_DIR", "/var/lib/testbed-kms"))
SNAPSHOT = DIRECTORY / "kms.snapshot"

DESTROY = "aws:testbed:destroy"  # the tag's value is the id of the key

# Operations known to change nothing; any other is written down, also one that a later LocalStack adds.
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
    data = SNAPSHOT.read_bytes()
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        raise ValueError("its checksum does not match")
    for account, region, attributes in pickle.loads(data[32:]):
        vars(kms_stores[account][region]).update(attributes)


def destroyed(context) -> bool:
    """Drop a key with its material, aliases, grants and tags, if that is what the request asks for."""
    request = context.service_request or {}
    tags = {tag.get("TagKey"): tag.get("TagValue") for tag in request.get("Tags") or ()}
    if context.operation.name != "TagResource" or DESTROY not in tags:
        return False
    store, key_id = kms_stores[context.account_id][context.region], tags[DESTROY]
    key = store.keys.pop(
        key_id, None
    )  # it may be gone already: the answer to an earlier request was lost
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


def invoke(self, context, original=Skeleton.invoke):
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
        if destroyed(context):
            save()
            serializer = create_serializer(context.service, context.protocol)
            return serializer.serialize_to_response(
                {}, context.operation, context.request.headers, context.request_id
            )
        keys = kms_stores[context.account_id][context.region].keys
        before = len(keys)
        response = original(self, context)
        if not reads or len(keys) != before:
            save()  # what goes wrong here is answered as KMS's internal failure, not as success
        return response


try:
    DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
    if SNAPSHOT.exists():
        restore()
    save()  # a directory that cannot be written is found now, not at the first key
except Exception as error:
    print(
        f"testbed-kms: REFUSING TO START: {SNAPSHOT} cannot be used: {error!r}. "
        "Restore it from a copy, or remove it to start without any key: volumes under the lost keys stay closed.",
        file=sys.stderr,
        flush=True,
    )
    os._exit(78)  # LocalStack logs what a script raises and starts regardless
models.ON_DEMAND_ROTATION_LIMIT = sys.maxsize
Skeleton.invoke = invoke
