"""Import tokens: the private half of a wrapping key, sealed so that only KMS can read it."""

import os
from dataclasses import dataclass, field

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12  # bytes


@dataclass(frozen=True)
class ImportToken:
    """What GetParametersForImport agreed on for one key.

    ``private_key`` is that of the wrapping key, in PKCS #8; ``expires`` in seconds since 1970.
    """

    key_arn: str
    algorithm: str
    expires: float
    private_key: bytes = field(repr=False)

    def seal(self, secret: bytes) -> bytes:
        """Return the token as its holder gets it, at most 6144 bytes."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(secret).encrypt(nonce, msgspec.msgpack.encode(self), None)

    @staticmethod
    def unseal(token: bytes, secret: bytes) -> "ImportToken | None":
        """Return what was sealed with ``secret``, None for anything else."""
        try:
            content = AESGCM(secret).decrypt(token[:_NONCE], token[_NONCE:], None)
        except (InvalidTag, ValueError):  # ValueError: too short for a nonce
            return None
        return msgspec.msgpack.decode(content, type=ImportToken)
