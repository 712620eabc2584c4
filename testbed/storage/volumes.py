"""Encrypted volumes as EBS and EFS have them: each has a data key, wrapped by the broker's KMS key.

Creating a volume asks KMS for a data key and keeps only its ciphertext. Attaching asks KMS to open
it; the plaintext goes to the node's standard input and into its mount, and nowhere else. So a
volume under a key that KMS refuses does not attach, while an attached one works on (EBS: "How
Amazon EBS uses AWS KMS").
"""

import base64
import secrets
from dataclasses import dataclass, replace
from typing import Any, Literal

from testbed.arn import Arn
from testbed.documented.engines import VOLUME_CONTEXT_KEY, VOLUME_KEY_BYTES
from testbed.errors import KmsError, VolumeRefused
from testbed.kms.base import EFS, MQ, Caller, Kms, is_outage

Kind = Literal["block", "files"]


@dataclass(frozen=True)
class Volume:
    """A volume and its wrapped data key; ``key_arn`` is empty on a control's unencrypted volume.

    Attempts to attach it are counted. ``attached`` is the last after which the broker served, or 0.
    The volume has the number as well, so that an emptied or older one is not taken for it.

    ``kind`` says what encrypts it: the kernel, on a block device of ``size`` bytes, or gocryptfs,
    on files in as much space as there is.
    """

    volume_id: str
    key_arn: str
    encrypted_data_key: str  # base64 of KMS's CiphertextBlob
    attempts: int = 0
    attached: int = 0
    kind: Kind = "files"
    size: int = 0

    @property
    def encrypted(self) -> bool:
        return bool(self.key_arn)

    @property
    def storage_type(self) -> str:
        return storage_type(self.volume_id)

    def ordered(self, kind: Kind, size: int) -> "Volume":
        """Return the volume of this kind, and of at least ``size`` bytes if it has a size."""
        return replace(self, kind=kind, size=max(self.size, size) if kind == "block" else 0)

    def attaching(self) -> "Volume":
        """Return the volume with another attempt to attach it.

        A file system is attached by whichever node takes over, so only its first time is known.
        """
        attempt = 1 if self.storage_type == "EFS" else self.attempts + 1
        return replace(self, attempts=attempt)

    def serving(self) -> "Volume":
        """Return the volume after its broker served."""
        return replace(self, attached=self.attempts)


def new_id(storage_type: str = "EBS") -> str:
    """Return an id in the shape of EBS's volumes or EFS's file systems."""
    return f"{'fs' if storage_type == 'EFS' else 'vol'}-0{secrets.token_hex(8)}"


def storage_type(volume_id: str) -> str:
    return "EFS" if volume_id.startswith("fs-") else "EBS"


def create(kms: Kms, key_arn: str, volume_id: str, source_arn: str = "") -> Volume:
    """Return a volume whose data key is wrapped by ``key_arn``. Raises ``KmsError``.

    ``source_arn`` is the broker that the volume is for, here and below.
    """
    answer = kms.call(
        service(key_arn, source_arn),
        "GenerateDataKeyWithoutPlaintext",
        {
            "KeyId": key_arn,
            "NumberOfBytes": VOLUME_KEY_BYTES,  # as EBS asks for (XTS)
            "EncryptionContext": context(volume_id),
        },
    )
    return Volume(volume_id, key_arn, base64.b64encode(answer["CiphertextBlob"]).decode())


def unencrypted(volume_id: str) -> Volume:
    """Return the volume of a control, in which checks of encryption at rest must find a fault."""
    return Volume(volume_id, "", "")


def open_data_key(kms: Kms, volume: Volume, source_arn: str = "") -> bytes | None:
    """Return the plaintext data key, for attaching; None for an unencrypted volume.

    Raises ``VolumeRefused`` in KMS's words when KMS refuses, ``KmsError`` when KMS does not answer.
    """
    if not volume.encrypted:
        return None
    try:
        answer = _decrypt(kms, volume, source_arn)
    except KmsError as error:
        if is_outage(error):
            raise
        raise VolumeRefused(
            f"The volume {volume.volume_id} does not attach: {error}",
            hint="EnableKey, CancelKeyDeletion and then EnableKey, or ImportKeyMaterial make the "
            "key usable again.",
        ) from error
    plaintext: bytes = answer["Plaintext"]
    return plaintext


def check_data_key(kms: Kms, volume: Volume, source_arn: str = "") -> None:
    """Ask whether the data key could be opened. Raises KMS's refusal; nothing is returned."""
    if not volume.encrypted:
        return
    try:
        _decrypt(kms, volume, source_arn, DryRun=True)
    except KmsError as error:
        if error.code != "DryRunOperationException":
            raise


def service(key_arn: str, source_arn: str = "") -> Caller:
    """Return Amazon MQ, at work for a broker in account and Region of the key."""
    return _at_work(MQ, key_arn, source_arn)


def _decrypt(kms: Kms, volume: Volume, source_arn: str, **options: bool) -> dict[str, Any]:
    by = EFS if volume.storage_type == "EFS" else MQ
    parameters = {
        "CiphertextBlob": base64.b64decode(volume.encrypted_data_key),
        "KeyId": volume.key_arn,
        "EncryptionContext": context(volume.volume_id),
        **options,
    }
    return kms.call(_at_work(by, volume.key_arn, source_arn), "Decrypt", parameters)


def _at_work(service: Caller, key_arn: str, source_arn: str) -> Caller:
    key = Arn.parse(key_arn)
    return replace(service, account=key.account, region=key.region, source_arn=source_arn)


def context(volume_id: str) -> dict[str, str]:
    """Return the encryption context that binds a data key, and its grant, to the volume."""
    return {VOLUME_CONTEXT_KEY[storage_type(volume_id)]: volume_id}
