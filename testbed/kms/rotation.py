"""Rotation of key material: on demand, and by the clock. What was encrypted before still opens.

LocalStack makes the new material and keeps the old; when, how often, and the list of it is the ledger's. A rotation on
demand is complete when it is answered, so none is ever in progress. While a key is disabled it is not rotated; enabled
again, one that is overdue is rotated once, "and every year thereafter" (API reference, GetKeyRotationStatus).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from testbed.kms import refusals
from testbed.kms.base import Caller, Kms
from testbed.kms.ledger import Ledger
from testbed.kms.naming import owner
from testbed.kms.states import DAY, YEAR, Key

ON_DEMAND_LIMIT = 25  # for each key (API reference, RotateKeyOnDemand)
_PAGE = 100


class RotatingKms:
    """Answer the operations on rotation. Whether the key's state allows them is settled."""

    def __init__(self, kms: Kms, ledger: Ledger, now: Callable[[], float]) -> None:
        self._kms, self._ledger, self._now = kms, ledger, now
        self._answers: dict[str, Callable[[Key, Mapping[str, Any]], dict[str, Any]]] = {
            "EnableKeyRotation": self._enable,
            "DisableKeyRotation": self._disable,
            "GetKeyRotationStatus": self._status,
            "RotateKeyOnDemand": self._on_demand,
            "ListKeyRotations": self._list,
        }

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``; raises ``UnsupportedOperationException`` for a key that cannot be rotated."""
        answer = self._answers.get(operation)
        if not answer:
            return self._kms.call(caller, operation, parameters)
        with self._ledger.change():
            key = self._ledger.key(parameters["KeyId"])
            if key is None:
                raise refusals.no_such_key(parameters["KeyId"])
            if not key.symmetric:
                raise refusals.refusal("UnsupportedOperationException")
            return answer(key, parameters)

    def rotated(self, key: Key, date: float, kind: str) -> Key:
        """With new material, as of ``date``; to be kept by the caller. Killed in between, there is a material more than is listed."""
        self._kms.call(owner(key.account), "RotateKeyOnDemand", {"KeyId": key.arn})
        metadata = self._kms.call(owner(key.account), "DescribeKey", {"KeyId": key.arn})[
            "KeyMetadata"
        ]
        return replace(
            key, rotations=(*key.rotations, (metadata["CurrentKeyMaterialId"], date, kind))
        )

    def _enable(self, key: Key, parameters: Mapping[str, Any]) -> dict[str, Any]:
        _ours(key)
        period = parameters.get("RotationPeriodInDays", YEAR)
        rotates = key.rotates if key.rotation_period == period else self._now() + period * DAY
        self._ledger.put_key(replace(key, rotation_period=period, rotates=rotates))
        return {}

    def _disable(self, key: Key, parameters: Mapping[str, Any]) -> dict[str, Any]:
        _ours(key)
        self._ledger.put_key(replace(key, rotation_period=0, rotates=None))
        return {}

    def _status(self, key: Key, parameters: Mapping[str, Any]) -> dict[str, Any]:
        _ours(key)
        status: dict[str, Any] = {
            "KeyId": key.arn,
            "KeyRotationEnabled": bool(key.rotation_period) and key.state != "PendingDeletion",
        }
        if status["KeyRotationEnabled"]:
            status |= {
                "RotationPeriodInDays": key.rotation_period,
                "NextRotationDate": _date(key.rotates),
            }
        return status

    def _on_demand(self, key: Key, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if sum(kind == "ON_DEMAND" for _, _, kind in key.rotations) >= ON_DEMAND_LIMIT:
            raise refusals.refusal(
                "LimitExceededException",
                "The on-demand rotations limit has been reached for the given keyId. "
                f"No more on-demand rotations can be performed for this key: {key.arn}",
            )
        self._ledger.put_key(self.rotated(key, self._now(), "ON_DEMAND"))
        return {"KeyId": key.arn}

    def _list(self, key: Key, parameters: Mapping[str, Any]) -> dict[str, Any]:
        materials = [
            {
                "KeyId": key.arn,
                "KeyMaterialId": material,
                "RotationDate": _date(date),
                "RotationType": kind,
                "KeyMaterialState": "NON_CURRENT",
            }
            for material, date, kind in key.rotations
        ]
        if parameters.get("IncludeKeyMaterial") == "ALL_KEY_MATERIAL":
            materials.insert(
                0,
                {
                    "KeyId": key.arn,
                    "KeyMaterialId": key.first_material,
                    "KeyMaterialState": "NON_CURRENT",
                },
            )
        if materials:
            materials[-1]["KeyMaterialState"] = "CURRENT"
        start, limit = _start(parameters), parameters.get("Limit", _PAGE)
        page: dict[str, Any] = {
            "Rotations": materials[start : start + limit],
            "Truncated": len(materials) > start + limit,
        }
        return {**page, "NextMarker": str(start + limit)} if page["Truncated"] else page


def _ours(key: Key) -> None:
    """Only material that KMS makes itself is rotated by the clock."""
    if key.origin != "AWS_KMS":
        raise refusals.refusal(
            "UnsupportedOperationException",
            f"{key.arn} origin is {key.origin} which is not valid for this operation.",
        )


def _start(parameters: Mapping[str, Any]) -> int:
    marker = parameters.get("Marker", "0")
    if not marker.isdecimal():
        raise refusals.refusal("InvalidMarkerException")
    return int(marker)


def _date(seconds: float | None) -> datetime:
    return datetime.fromtimestamp(seconds or 0, UTC)
