"""Encrypted volumes as EBS and EFS have them: a data key of their own, wrapped by the broker's KMS key.

Creating a volume asks KMS for a data key and keeps only its ciphertext. Attaching asks KMS to open it; the plaintext goes
to the node's standard input and into its mount, and nowhere else. So a key that KMS will not use is a volume that does
not attach, while one that is attached works on (EBS: "How Amazon EBS uses AWS KMS").
"""

import base64
import secrets
from dataclasses import dataclass, replace

from testbed.documented.engines import VOLUME_CONTEXT_KEY, VOLUME_KEY_BYTES
from testbed.errors import KmsError, VolumeRefused
from testbed.kms.base import EFS, MQ, Caller, Kms, is_outage


@dataclass(frozen=True)
class Volume:
    """A volume and its wrapped data key; ``key_arn`` is empty on a control's unencrypted volume."""

    volume_id: str
    key_arn: str
    encrypted_data_key: str  # base64 of KMS's CiphertextBlob

    @property
    def encrypted(self) -> bool:
        return bool(self.key_arn)

    @property
    def storage_type(self) -> str:
        return storage_type(self.volume_id)


def new_id(storage_type: str = "EBS") -> str:
    """An id in the shape of EBS's volumes or EFS's file systems."""
    return f"{'fs' if storage_type == 'EFS' else 'vol'}-0{secrets.token_hex(8)}"


def storage_type(volume_id: str) -> str:
    return "EFS" if volume_id.startswith("fs-") else "EBS"


def create(kms: Kms, key_arn: str, volume_id: str) -> Volume:
    """A volume whose data key is wrapped by ``key_arn``. Raises ``KmsError``. EBS asks for 64 bytes (XTS)."""
    answer = kms.call(
        service(key_arn),
        "GenerateDataKeyWithoutPlaintext",
        {
            "KeyId": key_arn,
            "NumberOfBytes": VOLUME_KEY_BYTES,
            "EncryptionContext": context(volume_id),
        },
    )
    return Volume(volume_id, key_arn, base64.b64encode(answer["CiphertextBlob"]).decode())


def unencrypted(volume_id: str) -> Volume:
    """The control's volume: what the checks of encryption at rest must find fault with."""
    return Volume(volume_id, "", "")


def open_data_key(kms: Kms, volume: Volume) -> bytes | None:
    """The plaintext data key, for attaching; None for an unencrypted volume.

    Raises ``VolumeRefused`` in KMS's words when KMS will not open it, ``KmsError`` when KMS does not answer.
    """
    if not volume.encrypted:
        return None
    caller = (
        replace(EFS, account=_account(volume.key_arn))
        if volume.storage_type == "EFS"
        else service(volume.key_arn)
    )
    try:
        answer = kms.call(
            caller,
            "Decrypt",
            {
                "CiphertextBlob": base64.b64decode(volume.encrypted_data_key),
                "KeyId": volume.key_arn,
                "EncryptionContext": context(volume.volume_id),
            },
        )
    except KmsError as error:
        if is_outage(error):
            raise
        raise VolumeRefused(
            f"The volume {volume.volume_id} does not attach: {error}",
            hint="EnableKey, or CancelKeyDeletion and then EnableKey, make the key usable again.",
        ) from error
    return answer["Plaintext"]


def service(key_arn: str) -> Caller:
    """Amazon MQ, at work in the account that the key is in."""
    return replace(MQ, account=_account(key_arn))


def context(volume_id: str) -> dict[str, str]:
    """The encryption context that binds a data key, and the grant to use it, to its volume."""
    return {VOLUME_CONTEXT_KEY[storage_type(volume_id)]: volume_id}


def _account(key_arn: str) -> str:
    return key_arn.split(":")[4]
