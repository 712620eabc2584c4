"""Whether a key can do what is asked of it: its usage, its spec and the algorithm. Pure."""

from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from testbed.documented.key_specs import CURVES, DIGESTS, algorithms
from testbed.kms import refusals
from testbed.kms.key import Key


def check(key: Key, usage: str, operation: str, algorithm: str) -> None:
    """Raise ``InvalidKeyUsageException`` unless the key is for ``usage`` by ``algorithm``."""
    if key.usage != usage:
        raise refusals.invalid_usage(key.arn, key.usage, operation)
    if algorithm not in algorithms(key.spec, usage):
        raise refusals.incompatible(algorithm, key.spec)


def check_no_context(key: Key, context: Mapping[str, str] | None) -> None:
    """Raise ``ValidationException`` for an encryption context, which RSA cannot bind.

    "You cannot specify an encryption context in a cryptographic operation with an asymmetric KMS
    key" (KMS, "Encryption context"). The code and the sentence are the testbed's own.
    """
    if context:
        raise refusals.invalid(
            f"{key.arn} is of {key.spec}: only symmetric encryption keys have a context."
        )


def check_public_key(key: Key, der: bytes) -> None:
    """Raise ``ValidationException`` unless the public key is on the curve of ``key``."""
    try:
        other = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        other = None
    curve = other.curve.name if isinstance(other, ec.EllipticCurvePublicKey) else ""
    if curve != CURVES[key.spec]:
        raise refusals.invalid(
            f"PublicKey is not a DER-encoded SubjectPublicKeyInfo of key spec {key.spec}."
        )


def check_message(key: Key, parameters: Mapping[str, Any]) -> None:
    """Raise ``ValidationException`` unless the message of Sign or Verify has the stated type."""
    algorithm, kind = parameters["SigningAlgorithm"], parameters.get("MessageType", "RAW")
    if kind == "EXTERNAL_MU":  # for ML-DSA keys, which the testbed lacks
        raise refusals.invalid(f"Message type {kind} is incompatible with key spec {key.spec}.")
    required = {"ED25519_SHA_512": "RAW", "ED25519_PH_SHA_512": "DIGEST"}.get(algorithm, kind)
    if kind != required:
        raise refusals.invalid(f"Message type {kind} is incompatible with algorithm {algorithm}.")
    length = DIGESTS["_".join(algorithm.split("_")[-2:])]
    if kind == "DIGEST" and len(parameters["Message"]) != length:
        raise refusals.invalid(f"Digest is invalid length for algorithm {algorithm}.")
