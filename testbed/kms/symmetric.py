"""Encryption under symmetric keys, and which of a key's materials a ciphertext was made with.

A ciphertext is the id of its key (36 characters), what LocalStack or AES-256-GCM made, and the
first bytes of the id of the key material. LocalStack tries all materials of a key and does not say
which one it was. AWS does not publish its format.

LocalStack cannot delete imported material and open old ciphertexts when the same material is
imported again, so material imported into a symmetric key is kept in the ledger and used here.
"""

import json
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from testbed.kms import refusals
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.key import Key

_MARK, _NONCE = 8, 12  # bytes


def seal(
    services: KmsServices, call: KmsCall, key: Key, plaintext: bytes, context: Mapping[str, str]
) -> bytes:
    """Return a ciphertext under the current material of ``key``. Raises ``KmsError``."""
    material = key.current_material
    if key.external:
        nonce = os.urandom(_NONCE)
        cipher = AESGCM(_secret(services, call, key, material))
        sealed = nonce + cipher.encrypt(nonce, plaintext, _bound(key, material, context))
        return key.key_id.encode() + sealed + _mark(material)
    request = {"KeyId": key.arn, "Plaintext": plaintext, "EncryptionContext": context}
    answer = services.backend.call(call.caller, "Encrypt", request)
    return bytes(answer["CiphertextBlob"]) + _mark(material)


def unseal(
    services: KmsServices, call: KmsCall, key: Key, blob: bytes, context: Mapping[str, str]
) -> tuple[bytes, str]:
    """Return the plaintext of a ciphertext under ``key``, and the id of the material.

    Raises ``InvalidCiphertextException`` for another context and a damaged ciphertext.
    """
    sealed, mark = bytes(blob[:-_MARK]), bytes(blob[-_MARK:])
    material = next((known for known in key.material_ids if _mark(known) == mark), "")
    if key.external:
        if not material:
            raise refusals.invalid_ciphertext()
        secret, bound = _secret(services, call, key, material), _bound(key, material, context)
        return _open(secret, sealed[len(key.key_id) :], bound), material
    # Without a mark it may be a ciphertext of LocalStack's own port; of which material is unknown.
    request = {
        "KeyId": key.arn,
        "CiphertextBlob": sealed if material else blob,
        "EncryptionContext": context,
    }
    answer = services.backend.call(call.caller, "Decrypt", request)
    return answer["Plaintext"], material or key.current_material


def _open(secret: bytes, sealed: bytes, bound: bytes) -> bytes:
    """Undo AES-256-GCM. Raises ``InvalidCiphertextException``."""
    try:
        return AESGCM(secret).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound)
    except (InvalidTag, ValueError) as error:  # ValueError: too short for a nonce
        raise refusals.invalid_ciphertext() from error


def _secret(services: KmsServices, call: KmsCall, key: Key, material: str) -> bytes:
    """Return imported material.

    LocalStack is asked for the key first, so that an outage of KMS is one for these keys too.
    """
    services.backend.call(call.caller, "DescribeKey", {"KeyId": key.arn})
    secret = services.ledger.secret(key.arn, material)
    if secret is None:  # deleted since the call began
        raise refusals.wrong_state(key.arn, "PendingImport")
    return secret


def _bound(key: Key, material: str, context: Mapping[str, str]) -> bytes:
    """Return what a ciphertext is bound to besides its key material."""
    return json.dumps([key.key_id, material, sorted(context.items())]).encode()


def _mark(material: str) -> bytes:
    return bytes.fromhex(material[: 2 * _MARK])
