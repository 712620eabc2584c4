"""Keys that do not fit an algorithm sign nothing; nothing is opened beside a Recipient."""

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from testbed.kms.base import USER
from tests.support.kms_authority import DAY, VOLUME, Authority

pytestmark = pytest.mark.containers


@pytest.mark.parametrize("operation", ["Sign", "Verify"])
def test_an_algorithm_of_another_curve(aws: Authority, operation: str) -> None:
    key = aws.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    request = {"KeyId": key, "Message": b"m"}
    signed = aws.call(USER, "Sign", **request, SigningAlgorithm="ECDSA_SHA_256")
    if operation == "Verify":
        request["Signature"] = signed["Signature"]
    assert aws.code(USER, operation, **request, SigningAlgorithm="ECDSA_SHA_256") == ""
    for algorithm in ("ECDSA_SHA_384", "RSASSA_PSS_SHA_256", "ED25519_SHA_512", "SM2DSA"):
        assert str(aws.refusal(USER, operation, **request, SigningAlgorithm=algorithm)) == (
            "InvalidKeyUsageException: "
            f"Algorithm {algorithm} is incompatible with key spec ECC_NIST_P256."
        )


def test_a_digest_is_signed_as_its_message(aws: Authority) -> None:
    key = aws.key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    request = {"KeyId": key, "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256"}
    digest = {"Message": hashlib.sha256(b"m").digest(), "MessageType": "DIGEST"}
    signatures = {
        aws.call(USER, "Sign", **request, **message)["Signature"]
        for message in ({"Message": b"m"}, digest)
    }
    assert len(signatures) == 1, "PKCS #1 v1.5 is deterministic"
    wrong = {**request, **digest, "Signature": bytes(256)}
    assert str(aws.refusal(USER, "Verify", **wrong)) == "KMSInvalidSignatureException"


def test_an_edwards_key_signs_as_every_other_implementation_verifies(aws: Authority) -> None:
    key = aws.key(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")
    described = aws.call(USER, "DescribeKey", KeyId=key)["KeyMetadata"]
    assert described["KeySpec"] == described["CustomerMasterKeySpec"] == "ECC_NIST_EDWARDS25519"
    assert described["SigningAlgorithms"] == ["ED25519_SHA_512", "ED25519_PH_SHA_512"]
    request = {"KeyId": key, "Message": b"m", "SigningAlgorithm": "ED25519_SHA_512"}
    signature = aws.call(USER, "Sign", **request)["Signature"]
    public = load_der_public_key(aws.call(USER, "GetPublicKey", KeyId=key)["PublicKey"])
    assert isinstance(public, Ed25519PublicKey)
    public.verify(signature, b"m")
    assert aws.call(USER, "Verify", **request, Signature=signature)["SignatureValid"]
    other = {**request, "Message": b"n", "Signature": signature}
    assert aws.code(USER, "Verify", **other) == "KMSInvalidSignatureException"
    hashed = {"KeyId": key, "Message": bytes(64), "MessageType": "DIGEST"}
    algorithm = "ED25519_PH_SHA_512"
    code = aws.code(USER, "Sign", **hashed, SigningAlgorithm=algorithm)
    assert code == "UnsupportedOperationException"


def test_edwards_keys_are_deleted_with_their_private_keys(aws: Authority) -> None:
    key = aws.key(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")
    assert aws.ledger.secret(key, "private key")
    aws.call(USER, "ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    aws.clock.turn(8 * DAY)
    assert aws.code(USER, "DescribeKey", KeyId=key) == "NotFoundException"
    assert aws.ledger.secret(key, "private key") is None


def test_a_shared_secret_names_the_key_by_its_arn(aws: Authority) -> None:
    mine, theirs = (aws.key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT") for _ in range(2))
    secrets = set()
    for key, other in ((mine, theirs), (theirs, mine)):
        public = aws.call(USER, "GetPublicKey", KeyId=other)
        assert public["KeyAgreementAlgorithms"] == ["ECDH"]
        answer = aws.call(
            USER,
            "DeriveSharedSecret",
            KeyId=key.rpartition("/")[2],
            KeyAgreementAlgorithm="ECDH",
            PublicKey=public["PublicKey"],
        )
        assert answer["KeyId"] == key
        secrets.add(answer["SharedSecret"])
    assert len(secrets) == 1


@pytest.mark.parametrize("curve", [None, ec.SECP384R1(), ec.SECP256K1()])
def test_no_secret_is_shared_with_what_is_no_key_of_the_curve(
    aws: Authority, curve: ec.EllipticCurve | None
) -> None:
    key = aws.key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    public = b"garbage"
    if curve:
        other = ec.generate_private_key(curve).public_key()
        public = other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    request = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public}
    assert aws.code(USER, "DeriveSharedSecret", **request) == "ValidationException"


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
def test_garbage_for_an_rsa_key_is_no_ciphertext(aws: Authority, algorithm: str) -> None:
    key = aws.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    request = {"KeyId": key, "EncryptionAlgorithm": algorithm}
    blob = aws.call(USER, "Encrypt", **request, Plaintext=b"p")["CiphertextBlob"]
    assert aws.call(USER, "Decrypt", **request, CiphertextBlob=blob)["Plaintext"] == b"p"
    for garbage in (b"x", bytes(256), b"\xff" * 256, blob[:-1]):
        refusal = aws.refusal(USER, "Decrypt", **request, CiphertextBlob=garbage)
        assert str(refusal) == "InvalidCiphertextException"


def test_what_is_encrypted_elsewhere_with_an_rsa_keys_public_key_opens(aws: Authority) -> None:
    key = aws.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    public = load_der_public_key(aws.call(USER, "GetPublicKey", KeyId=key)["PublicKey"])
    assert isinstance(public, RSAPublicKey)
    opened = {}
    for name, digest in (("SHA_256", hashes.SHA256()), ("SHA_1", hashes.SHA1())):
        blob = public.encrypt(b"p", OAEP(MGF1(digest), digest, None))
        request = {
            "KeyId": key,
            "CiphertextBlob": blob,
            "EncryptionAlgorithm": f"RSAES_OAEP_{name}",
        }
        opened[name] = aws.code(USER, "Decrypt", **request)
    # LocalStack knows one of the two; docs/choices.md says so.
    assert opened == {"SHA_256": "", "SHA_1": "InvalidCiphertextException"}


def test_keys_that_cannot_be_made_are_refused_with_a_sentence(aws: Authority) -> None:
    for spec, usage in (("ML_DSA_44", "SIGN_VERIFY"), ("ML_KEM_512", "ENCAPSULATE_DECAPSULATE")):
        refusal = aws.refusal(USER, "CreateKey", KeySpec=spec, KeyUsage=usage)
        assert str(refusal) == (
            f"UnsupportedOperationException: Keys of KeySpec {spec} are not supported here."
        )
    key = aws.key()
    for operation, rest in (
        ("Encapsulate", {}),
        ("Decapsulate", {"SharedSecretCiphertextBlob": b"x"}),
    ):
        assert str(
            aws.refusal(USER, operation, KeyId=key, EncapsulationAlgorithm="ML_KEM", **rest)
        ) == (
            f"InvalidKeyUsageException: {key} key usage is ENCRYPT_DECRYPT which is not valid for "
            f"{operation}."
        )


def test_no_plaintext_beside_a_recipient(aws: Authority) -> None:
    key = aws.key()
    requests: dict[str, dict[str, Any]] = {
        "Decrypt": {"CiphertextBlob": aws.encrypt(key), "EncryptionContext": VOLUME},
        "GenerateDataKey": {"KeyId": key, "KeySpec": "AES_256"},
        "GenerateDataKeyPair": {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"},
        "GenerateRandom": {"NumberOfBytes": 8},
    }
    recipient = {"AttestationDocument": b"garbage", "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    for operation, request in requests.items():
        assert aws.code(USER, operation, **request) == "", "the control, without a recipient"
        for given in (recipient, {}):
            assert aws.code(USER, operation, **request, Recipient=given) == "ValidationException", (
                operation
            )
