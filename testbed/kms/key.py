"""What is known of a key beyond its material, and what its state allows. Pure.

A key has two states. The *requested* one is what its owner last asked for: calls that administer
the key go by it, and the owner is shown it at once. The *effective* one is what everyone else
gets, cryptography included: a key that was disabled or scheduled for deletion becomes unusable a
delay later ("Deactivating a key ... will not take place immediately", DP), while a key that is
enabled again is usable at once. A change that is taken back within the delay has no effect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from testbed.arn import Arn
from testbed.documented.key_states import ALLOWED, DYING, STATES, USES
from testbed.kms import refusals
from testbed.kms.key_policy import aws_managed
from testbed.kms.material import Material

DAY = 86400.0
YEAR = 365  # days; also the default period of automatic rotation


@dataclass(frozen=True)
class Key:
    """One key. Times are seconds since 1970; ``policy`` is the document's text.

    ``managed_by`` is the service principal of an AWS managed key, empty for a key that its account
    manages. ``unusable`` is when the key stops being usable, None while it is enabled. ``rotates``
    is when it is rotated next, ``rotation_period`` the days between rotations, 0 for none.
    ``rotations`` are the material's id, the date, and AUTOMATIC or ON_DEMAND. ``materials`` are the
    imported ones in the order of their first import, see ``with_materials``. ``primary_region`` is
    where the primary of a multi-Region key is, empty for a single-Region key. ``window`` is the
    waiting period in days of a primary that is deleted after its replicas.
    """

    arn: str
    policy: str
    spec: str = "SYMMETRIC_DEFAULT"
    usage: str = "ENCRYPT_DECRYPT"
    origin: str = "AWS_KMS"
    managed_by: str = ""
    created: float = 0.0
    state: str = "Enabled"
    unusable: float | None = None
    deletion: float | None = None
    rotation_period: int = 0
    rotates: float | None = None
    rotations: tuple[tuple[str, float, str], ...] = ()
    first_material: str = ""
    materials: tuple[Material, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    primary_region: str = ""
    window: int = 0

    @property
    def key_id(self) -> str:
        return Arn.parse(self.arn).resource_id

    @property
    def account(self) -> str:
        return Arn.parse(self.arn).account

    @property
    def region(self) -> str:
        return Arn.parse(self.arn).region

    @property
    def multi_region(self) -> bool:
        return bool(self.primary_region)

    @property
    def is_replica(self) -> bool:
        """Whether it is a multi-Region key whose primary is in another Region."""
        return self.primary_region not in ("", self.region)

    @property
    def symmetric(self) -> bool:
        return self.spec == "SYMMETRIC_DEFAULT"

    @property
    def external(self) -> bool:
        """Whether its material is imported."""
        return self.origin == "EXTERNAL"

    @property
    def material_ids(self) -> tuple[str, ...]:
        """The ids of the materials that belong to the key for good, the current one last."""
        first = (self.first_material,) if self.first_material else ()
        return (*first, *(material for material, _, _ in self.rotations))

    @property
    def current_material(self) -> str:
        """The id of the material that encrypts; empty before the first import."""
        return self.material_ids[-1] if self.material_ids else ""

    @property
    def belonging(self) -> tuple[Material, ...]:
        """The imported materials that belong to the key for good."""
        known = self.material_ids
        return tuple(material for material in self.materials if material.id in known)

    @property
    def pending_rotation(self) -> Material | None:
        """The imported material that RotateKeyOnDemand will make current."""
        belonging = self.belonging
        return next((material for material in self.materials if material not in belonging), None)

    @property
    def expiring(self) -> Material | None:
        """The imported material that expires first."""
        dated = [
            material
            for material in self.materials
            if material.imported and material.expires is not None
        ]
        return min(dated, key=lambda material: material.expires or 0, default=None)

    @property
    def due(self) -> float | None:
        """When the key is due for rotation, deletion or the end of material; None for never."""
        expires = self.expiring.expires if self.expiring else None
        if self.state in DYING:
            own = self.deletion
        else:  # a replica is rotated with its primary
            own = self.rotates if self.state == "Enabled" and not self.is_replica else None
        return min((time for time in (own, expires) if time is not None), default=None)

    def usable(self, now: float) -> bool:
        return self.unusable is None or now < self.unusable

    def effective_state(self, now: float) -> str:
        return "Enabled" if self.usable(now) else self.state

    def disabled(self, now: float, delay: float) -> "Key":
        if self.state == "Disabled":
            return self
        return replace(self, state="Disabled", unusable=now + delay)

    def enabled(self) -> "Key":
        return replace(self, state="Enabled", unusable=None)

    def scheduled(
        self, now: float, delay: float, days: int, *, after_replicas: bool = False
    ) -> "Key":
        """Return the key with a deletion in ``days``, or in as many days after its replicas'.

        A key that was disabled before becomes unusable when it would have been.
        """
        unusable = now + delay if self.unusable is None else self.unusable
        if after_replicas:
            return replace(self, state="PendingReplicaDeletion", unusable=unusable, window=days)
        return replace(self, state="PendingDeletion", unusable=unusable, deletion=now + days * DAY)

    def without_replicas(self, now: float) -> "Key":
        """Return the primary key whose last replica was deleted: its waiting period begins."""
        if self.state != "PendingReplicaDeletion":
            return self
        deletion = now + self.window * DAY
        return replace(self, state="PendingDeletion", deletion=deletion, window=0)

    def replica(self, arn: str, now: float) -> "Key":
        """Return a new replica of this primary key, whose policy is still to be chosen."""
        gone = tuple(replace(material, imported=False, expires=None) for material in self.belonging)
        key = replace(self, arn=arn, policy="", created=now, state="Enabled", unusable=None)
        return replace(key, materials=()).with_materials(gone, now) if self.external else key

    def synchronized(self, primary: "Key") -> "Key":
        """Return a replica with what it shares with its primary."""
        return replace(
            self,
            first_material=primary.first_material,
            rotations=primary.rotations,
            rotation_period=primary.rotation_period,
            rotates=primary.rotates,
        )

    def cancelled(self) -> "Key":
        """Return the key without its deletion: disabled, and unusable when it would have been."""
        key = replace(self, state="Disabled", deletion=None, window=0)
        return key.with_materials(self.materials, self.unusable or 0) if self.external else key

    def with_materials(self, materials: tuple[Material, ...], now: float) -> "Key":
        """Return the key with these imported materials.

        It is usable only while it has all that belong to it for good. What is missing takes effect
        at once; when the last one is back, the key is enabled.
        """
        changed = replace(self, materials=materials)
        present = {material.id for material in materials if material.imported}
        if self.material_ids and present.issuperset(self.material_ids):
            return changed.enabled() if self.state == "PendingImport" else changed
        unusable = now if self.unusable is None else min(now, self.unusable)
        state = self.state if self.state in DYING else "PendingImport"
        return replace(changed, state=state, unusable=unusable)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any], policy: str) -> "Key":
        """Return the key of KMS's ``KeyMetadata`` and the text of its policy."""
        key = cls(
            arn=metadata["Arn"],
            policy=policy,
            spec=metadata["KeySpec"],
            usage=metadata["KeyUsage"],
            origin=metadata["Origin"],
            created=metadata["CreationDate"].timestamp(),
            first_material=metadata.get("CurrentKeyMaterialId", ""),
            primary_region=_primary_region(metadata),
        )
        return key.with_materials((), key.created) if key.external else key

    def managed_by_service(self, service: str) -> "Key":
        """Return the key as an AWS managed key of ``service``, e.g. ``mq``.

        Its policy is the service's, and it is rotated every year.
        """
        return replace(
            self,
            policy=aws_managed(self.account, service, self.region),
            managed_by=f"{service}.amazonaws.com",
            rotation_period=YEAR,
            rotates=self.created + YEAR * DAY,
        )


def related_arn(key: Key, region: str) -> str:
    """Return what the ARN of a related multi-Region key is, or would be, in any ``region``."""
    return str(replace(Arn.parse(key.arn), region=region))


def multi_region_members(key: Key, related: Sequence[Key]) -> dict[str, Any]:
    """Return DescribeKey's members about a multi-Region key, ``related`` to itself and others."""
    primary = replace(Arn.parse(key.arn), region=key.primary_region)
    configuration = {
        "MultiRegionKeyType": "REPLICA" if key.is_replica else "PRIMARY",
        "PrimaryKey": {"Arn": str(primary), "Region": primary.region},
        "ReplicaKeys": [
            {"Arn": other.arn, "Region": other.region} for other in related if other.is_replica
        ],
    }
    return {"MultiRegion": True, "MultiRegionConfiguration": configuration}


def _primary_region(metadata: Mapping[str, Any]) -> str:
    configuration: Mapping[str, Any] = metadata.get("MultiRegionConfiguration", {})
    return str(configuration["PrimaryKey"]["Region"]) if configuration else ""


def check_state(key: Key, operation: str, now: float) -> None:
    """Raise KMS's refusal when the state of ``key`` does not allow ``operation``."""
    state = key.effective_state(now) if operation in USES else key.state
    if state in ALLOWED.get(operation, STATES):
        return
    if operation == "CancelKeyDeletion":
        raise refusals.not_pending_deletion(key.arn)
    raise refusals.wrong_state(key.arn, state)
