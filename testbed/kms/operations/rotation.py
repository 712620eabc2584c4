"""Rotation of key material, on demand and by the clock. What was encrypted before still opens.

LocalStack makes the new material and keeps the old; the ledger has the schedule and the list. Of
imported material the new one has to be imported first, see ``imports``. A
rotation on demand is complete when it is answered, so none is ever in progress. A disabled key is
not rotated; when it is enabled again and overdue it is rotated once, "and every year thereafter"
(API reference, GetKeyRotationStatus).
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from testbed.documented.key_states import DYING
from testbed.kms import refusals
from testbed.kms.backend import Backend
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.key import DAY, YEAR, Key
from testbed.kms.material import Material
from testbed.kms.naming import owner
from testbed.kms.operations import imports
from testbed.kms.operations.multi_region import check_primary, put_shared
from testbed.kms.paging import page

ON_DEMAND_LIMIT = 25  # for each key (API reference, RotateKeyOnDemand)


def enable(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """EnableKeyRotation."""
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        _check_material(key)
        _check_primary(key)
        period = call.parameters.get("RotationPeriodInDays", YEAR)
        rotates = key.rotates if key.rotation_period == period else call.now + period * DAY
        put_shared(change, replace(key, rotation_period=period, rotates=rotates))
    return {}


def disable(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """DisableKeyRotation."""
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        _check_material(key)
        _check_primary(key)
        put_shared(change, replace(key, rotation_period=0, rotates=None))
    return {}


def status(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """GetKeyRotationStatus."""
    key = call.key
    if key.symmetric:
        _check_material(key)
    enabled = bool(key.rotation_period) and key.state not in DYING
    answer: dict[str, Any] = {"KeyId": key.arn, "KeyRotationEnabled": enabled}
    if enabled:
        answer |= {
            "RotationPeriodInDays": key.rotation_period,
            "NextRotationDate": datetime.fromtimestamp(key.rotates or 0, UTC),
        }
    return answer


def rotate_on_demand(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """RotateKeyOnDemand. The rotation itself is an event of its own (KMSG, RotateKey)."""
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        _check_symmetric(key)
        _check_primary(key)
        if sum(kind == "ON_DEMAND" for _, _, kind in key.rotations) >= ON_DEMAND_LIMIT:
            raise refusals.refusal(
                "LimitExceededException",
                "The on-demand rotations limit has been reached for the given keyId. "
                f"No more on-demand rotations can be performed for this key: {key.arn}",
            )
        if key.external:
            put_shared(change, _rotate_imported(key, change.related(key), call.now))
        else:
            put_shared(change, rotate(services.backend, key, call.now, "ON_DEMAND"))
        services.on_event("RotateKey", key.arn, call.now, {"rotationType": "ON_DEMAND"})
    return {"KeyId": key.arn}


def list_rotations(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """ListKeyRotations."""
    key = call.key
    _check_symmetric(key)
    everything = call.parameters.get("IncludeKeyMaterial") == "ALL_KEY_MATERIAL"
    related = call.ledger.related(key) if key.multi_region else []
    return page(call, "Rotations", enumerate(_listed(key, related, everything=everything)))


def _listed(key: Key, related: Iterable[Key], *, everything: bool) -> list[dict[str, Any]]:
    """Return ListKeyRotations' entries: of rotations, and of all other materials if so asked."""
    entries: list[dict[str, Any]] = [
        {
            "KeyId": key.arn,
            "KeyMaterialId": material,
            "RotationDate": datetime.fromtimestamp(date, UTC),
            "RotationType": kind,
            "KeyMaterialState": "NON_CURRENT",
        }
        for material, date, kind in key.rotations
    ]
    if everything and key.first_material:
        first = {"KeyMaterialId": key.first_material, "KeyMaterialState": "NON_CURRENT"}
        entries.insert(0, {"KeyId": key.arn, **first})
    if entries:
        entries[-1]["KeyMaterialState"] = "CURRENT"
    if everything and (waiting := key.pending_rotation):
        lacking = not key.is_replica and any(not _awaits(other, waiting.id) for other in related)
        state = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION" if lacking else "PENDING_ROTATION"
        pending = {"KeyMaterialId": waiting.id, "KeyMaterialState": state}
        entries.append({"KeyId": key.arn, **pending})
    if not key.external:
        return entries
    known = {material.id: material for material in key.materials}
    missing = {identity: Material(identity, imported=False) for identity in key.material_ids}
    return [
        {**entry, **imports.entry((missing | known)[entry["KeyMaterialId"]])} for entry in entries
    ]


def rotate(backend: Backend, key: Key, date: float, kind: str) -> Key:
    """Make new material and return the key with it, for the caller to keep.

    A process killed in between leaves a material that is not listed.
    """
    caller, named = owner(key.arn), {"KeyId": key.arn}
    backend.call(caller, "RotateKeyOnDemand", named)
    material = backend.call(caller, "DescribeKey", named)["KeyMetadata"]["CurrentKeyMaterialId"]
    return replace(key, rotations=(*key.rotations, (material, date, kind)))


def _rotate_imported(key: Key, related: Iterable[Key], date: float) -> Key:
    """Return the key with the material current that waits for it, in all ``related`` keys too."""
    waiting = key.pending_rotation
    if waiting is None:
        raise refusals.nothing_pending_rotation(key.arn)
    for other in related:
        if not _awaits(other, waiting.id):
            raise refusals.nothing_pending_rotation(other.arn)
    rotation = (waiting.id, date, "ON_DEMAND")
    return replace(key, rotations=(*key.rotations, rotation))


def _awaits(key: Key, material: str) -> bool:
    """Return whether the next rotation of ``key`` can make ``material`` current."""
    return key.pending_rotation is not None and key.pending_rotation.id == material


def _check_primary(key: Key) -> None:
    if key.multi_region:
        check_primary(key)


def _check_symmetric(key: Key) -> None:
    if not key.symmetric:
        raise refusals.refusal("UnsupportedOperationException")


def _check_material(key: Key) -> None:
    """Check that KMS made the material: only then can the clock rotate it."""
    _check_symmetric(key)
    if key.origin != "AWS_KMS":
        raise refusals.invalid_origin(key.arn, key.origin)
