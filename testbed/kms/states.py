"""What is known of a key beyond its material, and what its state allows. Pure.

A key has two states. The *requested* one is what its owner last asked for: calls that administer the key go by it, and
the owner is shown it at once. The *effective* one is what everyone else gets, cryptography included: a key that was
disabled or scheduled for deletion becomes unusable a delay later ("Deactivating a key ... will not take place
immediately", DP), while one that is enabled again is usable at once, and a change taken back within the delay was none.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from testbed.kms import refusals
from testbed.kms.policy import aws_managed

DAY = 86400.0
YEAR = 365  # days; also how often automatic rotation rotates when not told otherwise

# The rows of the key-state table (KMS, "Key states of AWS KMS keys") that are not "allowed in any state". GetPublicKey
# of a disabled key, which the table refuses, is answered by AWS (LocalStack's provider says so of its recordings).
NEEDS_ENABLED = frozenset(
    [
        "Encrypt",
        "Decrypt",
        "ReEncrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "Sign",
        "Verify",
        "GenerateMac",
        "VerifyMac",
        "DeriveSharedSecret",
        "CreateGrant",
    ]
)
NEEDS_ENABLED_NOW = frozenset(
    [
        "EnableKeyRotation",
        "DisableKeyRotation",
        "RotateKeyOnDemand",
        "ReplicateKey",
        "UpdatePrimaryRegion",
    ]
)
NOT_PENDING_DELETION = frozenset(
    [
        "CreateAlias",
        "UpdateAlias",
        "DisableKey",
        "EnableKey",
        "ScheduleKeyDeletion",
        "TagResource",
        "UntagResource",
        "UpdateKeyDescription",
        "GetPublicKey",
        "GetParametersForImport",
        "ImportKeyMaterial",
        "DeleteImportedKeyMaterial",
    ]
)


@dataclass(frozen=True)
class Key:
    """One key. Times are seconds since 1970; ``policy`` is the document's text.

    ``managed_by`` is the service principal of an AWS managed key, empty for a key that its account manages.
    ``unusable`` is when the key stops being usable, None while it is enabled. ``rotates`` is when it is rotated next.
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
    rotation_period: int = 0  # days; 0: not rotated automatically
    rotates: float | None = None
    rotations: tuple[
        tuple[str, float, str], ...
    ] = ()  # id of the material, date, AUTOMATIC or ON_DEMAND
    first_material: str = ""

    @property
    def key_id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]

    @property
    def symmetric(self) -> bool:
        return self.spec == "SYMMETRIC_DEFAULT"

    @property
    def due(self) -> float | None:
        """When something has to be done to it without anyone's asking: rotation, or its end."""
        return (
            self.deletion
            if self.state == "PendingDeletion"
            else self.rotates
            if self.state == "Enabled"
            else None
        )

    def usable(self, now: float) -> bool:
        return self.unusable is None or now < self.unusable

    def effective_state(self, now: float) -> str:
        return "Enabled" if self.usable(now) else self.state

    # What its owner asks for

    def disabled(self, now: float, delay: float) -> "Key":
        return (
            self
            if self.state == "Disabled"
            else replace(self, state="Disabled", unusable=now + delay)
        )

    def enabled(self) -> "Key":
        return replace(self, state="Enabled", unusable=None)

    def scheduled(self, now: float, delay: float, days: int) -> "Key":
        """To be deleted in ``days``. A key that was disabled before is unusable when it would have been."""
        unusable = now + delay if self.unusable is None else self.unusable
        return replace(self, state="PendingDeletion", unusable=unusable, deletion=now + days * DAY)

    def cancelled(self) -> "Key":
        """Its deletion cancelled, it is disabled; as unusable, and as soon, as it was going to be."""
        return replace(self, state="Disabled", deletion=None)

    # Where it comes from

    @classmethod
    def described(cls, metadata: Mapping[str, Any], document: str) -> "Key":
        """From KMS's ``KeyMetadata`` and the text of its policy."""
        return cls(
            arn=metadata["Arn"],
            policy=document,
            spec=metadata["KeySpec"],
            usage=metadata["KeyUsage"],
            origin=metadata["Origin"],
            created=metadata["CreationDate"].timestamp(),
            first_material=metadata.get("CurrentKeyMaterialId", ""),
        )

    def managed_by_service(self, service: str) -> "Key":
        """As an AWS managed key of ``service``, e.g. ``mq``: its policy is the service's, and it is rotated every year."""
        return replace(
            self,
            policy=aws_managed(self.account, service),
            managed_by=f"{service}.amazonaws.com",
            rotation_period=YEAR,
            rotates=self.created + YEAR * DAY,
        )

    # As it is kept

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Key":
        return cls(
            **{
                **document,
                "rotations": tuple(
                    (material, date, kind) for material, date, kind in document["rotations"]
                ),
            }
        )


def check(key: Key, operation: str, now: float) -> None:
    """Raises KMS's refusal when the state of ``key`` does not allow ``operation``."""
    if operation in NEEDS_ENABLED:
        _refuse(key, key.effective_state(now))
    elif operation in NEEDS_ENABLED_NOW:
        _refuse(key, key.state)
    elif operation in NOT_PENDING_DELETION and key.state == "PendingDeletion":
        raise refusals.pending_deletion(key.arn)
    elif operation == "CancelKeyDeletion" and key.state != "PendingDeletion":
        raise refusals.not_pending_deletion(key.arn)


def _refuse(key: Key, state: str) -> None:
    if state == "Disabled":
        raise refusals.disabled(key.arn)
    if state == "PendingDeletion":
        raise refusals.pending_deletion(key.arn)
