"""Key material: its id, what each key spec requires of it, and how it is wrapped. Pure."""

import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from testbed.documented.key_material import KEY_WRAP, LENGTHS
from testbed.kms import refusals

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "ECC_NIST_P256": ec.SECP256R1,
    "ECC_NIST_P384": ec.SECP384R1,
    "ECC_NIST_P521": ec.SECP521R1,
    "ECC_SECG_P256K1": ec.SECP256K1,
}
_ED25519 = "ECC_NIST_EDWARDS25519"
_HASHES: Mapping[str, type[hashes.HashAlgorithm]] = {"1": hashes.SHA1, "256": hashes.SHA256}
# RFC 5208: a sequence of version and algorithm. Other encodings of a private key have a number or
# a string in the algorithm's place.
_PKCS8 = re.compile(rb"\x30(?:[\x00-\x7f]|\x81.|\x82..)\x02\x01[\x00\x01]\x30", re.DOTALL)


@dataclass(frozen=True)
class Material:
    """What is known of imported key material, which is not here itself.

    ``expires`` is in seconds since 1970, None for never. ``imported`` is false once the material
    has been deleted or has expired, until it is imported again.
    """

    id: str
    expires: float | None = None
    description: str = ""
    imported: bool = True


def id_of(key_id: str, material: bytes) -> str:
    """Return the id of imported material, 64 hexadecimal digits.

    As on AWS it depends on the id of the key and on the material, which it does not betray.
    """
    return hmac.digest(material, key_id.encode(), "sha256").hex()


def can_generate(spec: str) -> bool:
    """Return whether ``generate_pair`` knows the key spec."""
    return spec.startswith("RSA_") or spec in _CURVES or spec == _ED25519


def generate_pair(spec: str) -> PrivateKey:
    """Return a new private key of an asymmetric key spec."""
    if spec == _ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    if spec.startswith("RSA_"):
        return rsa.generate_private_key(65537, int(spec.removeprefix("RSA_")))
    return ec.generate_private_key(_CURVES[spec]())


def generate(spec: str) -> bytes:
    """Return new random material for any key spec that material can be imported for."""
    if spec in LENGTHS:
        return secrets.token_bytes(LENGTHS[spec])
    return private_der(generate_pair(spec))


def private_der(key: PrivateKey) -> bytes:
    """Return a private key in PKCS #8."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def public_der(key: PrivateKey) -> bytes:
    """Return the public key of a private one as SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def checked(spec: str, material: bytes) -> bytes:
    """Return the material in its canonical encoding.

    Raises ``IncorrectKeyMaterialException`` when it does not suit the key spec.
    """
    if spec in LENGTHS:
        if len(material) != LENGTHS[spec]:
            raise refusals.incorrect_key_material(
                f"Key material for {spec} must be {LENGTHS[spec]} bytes long."
            )
        return material
    try:
        key = load_der_private_key(material, password=None) if _PKCS8.match(material) else None
    except (ValueError, TypeError):  # not a key, or one behind a password
        key = None
    if not _suits(spec, key):
        raise refusals.incorrect_key_material(
            f"Key material for {spec} must be a private key of that spec in DER-encoded PKCS #8."
        )
    return private_der(key)  # type: ignore[arg-type]  # _suits has looked


def _suits(spec: str, key: object) -> bool:
    if isinstance(key, rsa.RSAPrivateKey):
        return spec == f"RSA_{key.key_size}"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return spec in _CURVES and isinstance(key.curve, _CURVES[spec])
    return isinstance(key, ed25519.Ed25519PrivateKey) and spec == _ED25519


def wrap(material: bytes, public_key: bytes, algorithm: str) -> bytes:
    """Wrap material for ImportKeyMaterial, with a public key of GetParametersForImport."""
    key = load_der_public_key(public_key)
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("a wrapping key is an RSA key")
    if algorithm not in KEY_WRAP:
        return key.encrypt(material, _oaep(algorithm))
    aes = os.urandom(32)
    return key.encrypt(aes, _oaep(algorithm)) + keywrap.aes_key_wrap_with_padding(aes, material)


def unwrap(wrapped: bytes, private_key: bytes, algorithm: str) -> bytes:
    """Return wrapped material. Raises ``InvalidCiphertextException`` for anything else."""
    key = load_der_private_key(private_key, password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("a wrapping key is an RSA key")
    length = key.key_size // 8 if algorithm in KEY_WRAP else len(wrapped)
    try:
        opened = key.decrypt(wrapped[:length], _oaep(algorithm))
        if algorithm in KEY_WRAP:
            return keywrap.aes_key_unwrap_with_padding(opened, wrapped[length:])
    except (ValueError, keywrap.InvalidUnwrap) as error:
        raise refusals.invalid_ciphertext() from error
    return opened


def _oaep(algorithm: str) -> padding.OAEP:
    digest = _HASHES[algorithm.rpartition("_")[2]]
    return padding.OAEP(padding.MGF1(digest()), digest(), None)
