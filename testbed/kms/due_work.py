"""What falls due without a request: rotation, expiry and deletion of keys, the end of grants.

It is done before the first call after its time, so that nobody can tell when it was done. Each
piece may be done twice without harm, so it does not matter where it is cut short.
"""

from dataclasses import replace

from testbed.kms.backend import Backend
from testbed.kms.call import OnServiceEvent
from testbed.kms.key import DAY, Key
from testbed.kms.ledger import Change, Ledger
from testbed.kms.naming import owner
from testbed.kms.operations.imports import forget
from testbed.kms.operations.multi_region import put_shared
from testbed.kms.operations.rotation import rotate

# With this tag LocalStack drops a key (``containers/localstack/persist.py``); no caller can set it.
DESTROY = "aws:testbed:destroy"


def run(backend: Backend, ledger: Ledger, now: float, on_event: OnServiceEvent) -> None:
    """Do all that is due by ``now``.

    Raises ``KmsError`` when KMS does not answer; the rest is done the next time.
    """
    with ledger.change() as change:
        change.drop_ended_grants(now)
    while due := ledger.due(now):
        with ledger.change() as change:
            key = change.key(due[0].arn)  # another process may have been faster
            if key is None or key.due is None or key.due > now:
                continue
            material = key.expiring
            if material and material.expires == key.due:
                change.put_key(forget(backend, change, key, material, key.due))
                details = {"keyMaterialId": material.id} if key.symmetric else {}
                on_event("DeleteExpiredKeyMaterial", key.arn, key.due, details)
            elif key.state == "PendingDeletion":
                _destroy(backend, change, key, key.due)
                on_event("DeleteKey", key.arn, key.due, {})
            else:
                _rotate(backend, change, key, key.due)
                on_event("RotateKey", key.arn, key.due, {"rotationType": "AUTOMATIC"})


def _destroy(backend: Backend, change: Change, key: Key, at: float) -> None:
    """Destroy the material first: a key that is still in the ledger is tried again.

    The waiting period of a primary key may begin with the end of its last replica.
    """
    tag = {"TagKey": DESTROY, "TagValue": key.key_id}
    backend.call(owner(key.arn), "TagResource", {"KeyId": key.arn, "Tags": [tag]})
    change.drop_key(key.arn)
    remaining = change.related(key) if key.is_replica else []
    if len(remaining) == 1:
        change.put_key(remaining[0].without_replicas(at))


def _rotate(backend: Backend, change: Change, key: Key, at: float) -> None:
    rotated = rotate(backend, key, at, "AUTOMATIC")
    put_shared(change, replace(rotated, rotates=at + key.rotation_period * DAY))
