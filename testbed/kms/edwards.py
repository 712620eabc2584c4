"""Signing with ECC_NIST_EDWARDS25519 keys, which LocalStack lacks.

LocalStack has a key of ``PLACEHOLDER`` in the place of each, so that there is one list of keys. The
private key is in the ledger.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from testbed.kms import material, refusals
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.key import Key
from testbed.kms.ledger import Change

SPEC, PLACEHOLDER = "ECC_NIST_EDWARDS25519", "ECC_NIST_P256"
_PRIVATE = "private key"


def put(change: Change, key: Key, private_key: bytes) -> None:
    """Keep the private key of a key, in PKCS #8."""
    change.put_secret(key.arn, _PRIVATE, private_key)


def drop(change: Change, key: Key) -> None:
    """Forget the private key of a key."""
    change.drop_secret(key.arn, _PRIVATE)


def public_key(services: KmsServices, call: KmsCall) -> bytes:
    """Return the public key as SubjectPublicKeyInfo."""
    return material.public_der(_private_key(services, call))


def sign(services: KmsServices, call: KmsCall) -> bytes:
    """Return the signature of a message. Raises ``KmsError``."""
    _check_algorithm(call)
    return _private_key(services, call).sign(call.parameters["Message"])


def verify(services: KmsServices, call: KmsCall) -> None:
    """Raise ``KMSInvalidSignatureException`` unless the signature is genuine."""
    _check_algorithm(call)
    key = _private_key(services, call).public_key()
    try:
        key.verify(call.parameters["Signature"], call.parameters["Message"])
    except InvalidSignature:
        raise refusals.refusal("KMSInvalidSignatureException") from None


def _check_algorithm(call: KmsCall) -> None:
    algorithm = call.parameters["SigningAlgorithm"]
    if algorithm == "ED25519_PH_SHA_512":  # OpenSSL's prehashed form is not in ``cryptography``
        raise refusals.unsupported(f"{algorithm} is not supported here; use ED25519_SHA_512.")


def _private_key(services: KmsServices, call: KmsCall) -> Ed25519PrivateKey:
    """Return the private key.

    LocalStack is asked for the key first, so that an outage of KMS is one for these keys too.
    """
    arn = call.key.arn
    services.backend.call(call.caller, "DescribeKey", {"KeyId": arn})
    secret = services.ledger.secret(arn, _PRIVATE)
    if secret is None:  # deleted since the call began
        raise refusals.no_such_key(arn)
    key = load_der_private_key(secret, password=None)
    assert isinstance(key, Ed25519PrivateKey), "it was made here"
    return key
