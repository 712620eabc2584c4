"""Cryptography as AWS does it, over the real LocalStack; the control is LocalStack alone."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.errors import KmsError
from testbed.kms.base import USER
from testbed.kms.naming import key_id_in
from tests.support.kms_authority import (
    EC2,
    GRANTEE,
    NOWHERE,
    SERVICE,
    STRANGER,
    VOLUME,
    Authority,
    container,
)

pytestmark = pytest.mark.containers


# Data keys


@pytest.mark.parametrize(
    ("length", "size"),
    [
        ({"NumberOfBytes": 64}, 64),
        ({"NumberOfBytes": 1}, 1),
        ({"NumberOfBytes": 1024}, 1024),
        ({"KeySpec": "AES_128"}, 16),
        ({"KeySpec": "AES_256"}, 32),
    ],
)
def test_a_data_key_is_as_long_as_it_is_asked_for(
    aws: Authority, length: dict[str, Any], size: int
) -> None:
    key = aws.key()
    answer = aws.call(USER, "GenerateDataKey", KeyId=key, EncryptionContext=VOLUME, **length)
    assert len(answer["Plaintext"]) == size
    assert set(answer) == {"KeyId", "KeyMaterialId", "Plaintext", "CiphertextBlob"}
    assert answer["KeyId"] == key
    assert aws.decrypt(answer["CiphertextBlob"]) == answer["Plaintext"]

    closed = aws.call(
        USER, "GenerateDataKeyWithoutPlaintext", KeyId=key, EncryptionContext=VOLUME, **length
    )
    assert set(closed) == {"KeyId", "KeyMaterialId", "CiphertextBlob"}
    assert len(aws.decrypt(closed["CiphertextBlob"])) == size
    assert (
        len(container().kms.call(USER, "GenerateDataKey", {"KeyId": key, **length})["Plaintext"])
        == 32
    ), "control: LocalStack ignores the length"


@pytest.mark.parametrize("operation", ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"])
@pytest.mark.parametrize("length", [{}, {"NumberOfBytes": 32, "KeySpec": "AES_256"}])
def test_exactly_one_of_size_and_spec(
    aws: Authority, operation: str, length: dict[str, Any]
) -> None:
    with pytest.raises(
        KmsError, match="^ValidationException: Please specify either number of bytes or key spec.$"
    ):
        aws.call(USER, operation, KeyId=aws.key(), **length)


def test_no_two_data_keys_are_the_same(aws: Authority) -> None:
    key = aws.key()
    answers = [aws.call(USER, "GenerateDataKey", KeyId=key, KeySpec="AES_256") for _ in range(20)]
    assert (
        len({answer["Plaintext"] for answer in answers})
        == len({answer["CiphertextBlob"] for answer in answers})
        == 20
    )


def test_a_data_key_pair_opens_with_its_context_alone(aws: Authority) -> None:
    key = aws.key()
    pair = aws.call(
        USER,
        "GenerateDataKeyPair",
        KeyId=key,
        KeyPairSpec="ECC_NIST_P256",
        EncryptionContext={"a": "bc"},
    )
    assert aws.decrypt(pair["PrivateKeyCiphertextBlob"], {"a": "bc"}) == pair["PrivateKeyPlaintext"]
    assert (
        aws.code(
            USER,
            "Decrypt",
            CiphertextBlob=pair["PrivateKeyCiphertextBlob"],
            EncryptionContext={"ab": "c"},
        )
        == "InvalidCiphertextException"
    )
    assert "PrivateKeyPlaintext" not in aws.call(
        USER, "GenerateDataKeyPairWithoutPlaintext", KeyId=key, KeyPairSpec="ECC_NIST_P256"
    )


# Encryption context


contexts = st.dictionaries(st.text("ab", max_size=2), st.text("ab", max_size=2), max_size=2)


def test_a_ciphertext_opens_with_the_pairs_it_was_closed_with_alone(aws: Authority) -> None:
    key = aws.key()

    @settings(max_examples=60)
    @given(contexts, contexts)
    def holds(closed: dict[str, str], opened: dict[str, str]) -> None:
        code = aws.code(
            USER,
            "Decrypt",
            CiphertextBlob=aws.encrypt(key, context=closed),
            EncryptionContext=opened,
        )
        assert code == ("" if closed == opened else "InvalidCiphertextException")

    holds()


def test_control_localstack_opens_with_another_context(aws: Authority) -> None:
    """The pairs of the known bug (LocalStack, ``_serialize_encryption_context``)."""
    key = aws.key()
    raw = container().kms.call(
        USER,
        "Encrypt",
        {"KeyId": key, "Plaintext": b"x", "EncryptionContext": {"aws:mq:broker": "b-1"}},
    )["CiphertextBlob"]
    assert (
        container().kms.call(
            USER, "Decrypt", {"CiphertextBlob": raw, "EncryptionContext": {"aws:mq:brokerb": "-1"}}
        )["Plaintext"]
        == b"x"
    )

    blob = aws.encrypt(key, context={"aws:mq:broker": "b-1"})
    assert aws.decrypt(blob, {"aws:mq:broker": "b-1"}) == b"data"
    assert (
        aws.code(USER, "Decrypt", CiphertextBlob=blob, EncryptionContext={"aws:mq:brokerb": "-1"})
        == "InvalidCiphertextException"
    )


# Decrypt


def test_what_no_key_made_is_an_invalid_ciphertext(aws: Authority) -> None:
    key = aws.key()
    blob = aws.encrypt(key)
    for garbage in (
        b"x",
        b"garbage" * 40,
        blob[:-1],
        blob[:60],
        blob[:70] + b"?" + blob[71:],
        b"\xff" * 200,
    ):
        for named in ({}, {"KeyId": key}):
            refusal = aws.refusal(
                USER, "Decrypt", CiphertextBlob=garbage, EncryptionContext=VOLUME, **named
            )
            assert refusal
            assert (refusal.code, refusal.message, refusal.status) == (
                "InvalidCiphertextException",
                "",
                400,
            )
    assert aws.decrypt(blob, KeyId=key) == b"data", "control"


def test_a_key_that_did_not_make_it_is_the_incorrect_one(aws: Authority) -> None:
    """Sentence: TestKMS::test_error_messaging_for_invalid_keys, decrypt-invalid-key-id."""
    blob, other_key = aws.encrypt(aws.key()), aws.key()
    refusal = aws.refusal(
        USER, "Decrypt", CiphertextBlob=blob, KeyId=other_key, EncryptionContext=VOLUME
    )
    assert (
        str(refusal) == "IncorrectKeyException: The key ID in the request does not identify a CMK "
        "that can perform this operation."
    )
    renamed = other_key.rpartition("/")[2].encode() + blob[36:]
    assert (
        aws.code(USER, "Decrypt", CiphertextBlob=renamed, EncryptionContext=VOLUME)
        == "InvalidCiphertextException"
    )


def test_a_ciphertext_of_an_unknown_key(aws: Authority) -> None:
    blob = NOWHERE.encode() + aws.encrypt(aws.key())[36:]
    refusal = aws.refusal(USER, "Decrypt", CiphertextBlob=blob)
    assert refusal
    assert refusal.code == "AccessDeniedException"
    assert "the resource associated with this ciphertext" in refusal.message
    assert aws.code(USER, "Decrypt", CiphertextBlob=blob, KeyId=NOWHERE) == "NotFoundException"


def test_answers_name_key_and_algorithm(aws: Authority) -> None:
    """TestKMS::test_encrypt_decrypt_encryption_context."""
    key = aws.key()
    closed = aws.call(USER, "Encrypt", KeyId=key, Plaintext=b"p")
    assert set(closed) == {"CiphertextBlob", "KeyId", "EncryptionAlgorithm"}
    assert closed["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    opened = aws.call(USER, "Decrypt", CiphertextBlob=closed["CiphertextBlob"])
    assert opened == {
        "KeyId": key,
        "Plaintext": b"p",
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "KeyMaterialId": aws.call(USER, "DescribeKey", KeyId=key)["KeyMetadata"][
            "CurrentKeyMaterialId"
        ],
    }


def test_key_id_in() -> None:
    assert key_id_in(NOWHERE.encode() + b"x" * 40) == NOWHERE
    assert key_id_in(b"mrk-" + b"0" * 32 + b"x" * 40) == "mrk-" + "0" * 32
    assert (
        key_id_in(NOWHERE.encode() + b"x" * 32)
        == key_id_in(b"")
        == key_id_in(b"z" * 100)
        == key_id_in(b"\xff" * 100)
        == ""
    )


# ReEncrypt


def test_reencrypt_finds_its_source_in_the_ciphertext(aws: Authority) -> None:
    source, destination = aws.key(), aws.key()
    blob = aws.encrypt(source)
    for named in ({}, {"SourceKeyId": source}):
        answer = aws.call(
            USER,
            "ReEncrypt",
            CiphertextBlob=blob,
            SourceEncryptionContext=VOLUME,
            DestinationKeyId=destination,
            DestinationEncryptionContext={"k": "v"},
            **named,
        )
        assert (answer["SourceKeyId"], answer["KeyId"]) == (source, destination)
        assert (
            answer["SourceEncryptionAlgorithm"]
            == answer["DestinationEncryptionAlgorithm"]
            == "SYMMETRIC_DEFAULT"
        )
        assert aws.decrypt(answer["CiphertextBlob"], {"k": "v"}, KeyId=destination) == b"data"
        assert "Plaintext" not in answer
    assert (
        aws.code(
            USER,
            "ReEncrypt",
            CiphertextBlob=blob,
            SourceEncryptionContext={},
            DestinationKeyId=destination,
        )
        == "InvalidCiphertextException"
    )
    assert (
        aws.code(
            USER,
            "ReEncrypt",
            CiphertextBlob=blob,
            SourceKeyId=destination,
            SourceEncryptionContext=VOLUME,
            DestinationKeyId=source,
        )
        == "IncorrectKeyException"
    )
    with pytest.raises(KmsError) as control:
        container().kms.call(
            USER, "ReEncrypt", {"CiphertextBlob": blob, "DestinationKeyId": destination}
        )
    assert control.value.status == 500


def test_reencrypt_needs_a_permission_on_each_key(aws: Authority) -> None:
    source, destination = aws.key(), aws.key()
    blob = aws.encrypt(source)
    request = {
        "CiphertextBlob": blob,
        "SourceKeyId": source,
        "DestinationKeyId": destination,
        "SourceEncryptionContext": VOLUME,
    }
    aws.grant(source, GRANTEE.principal, "ReEncryptFrom", "ReEncryptTo")
    refusal = aws.refusal(GRANTEE, "ReEncrypt", **request)
    assert refusal
    assert "kms:ReEncryptTo" in refusal.message
    aws.grant(destination, GRANTEE.principal, "ReEncryptTo")
    assert aws.decrypt(aws.call(GRANTEE, "ReEncrypt", **request)["CiphertextBlob"], {}) == b"data"
    refusal = aws.refusal(STRANGER, "ReEncrypt", **request)
    assert refusal
    assert "kms:ReEncryptFrom" in refusal.message


# DryRun


def test_dry_runs_say_what_would_have_been(aws: Authority) -> None:
    key = aws.key()
    blob = aws.encrypt(key)
    would = (
        "^DryRunOperationException: The request would have succeeded, but the DryRun "
        "option is set.$"
    )
    permitted: dict[str, dict[str, Any]] = {
        "Encrypt": {"KeyId": key, "Plaintext": b"x"},
        "Decrypt": {"CiphertextBlob": blob, "EncryptionContext": VOLUME},
        "GenerateDataKey": {"KeyId": key, "KeySpec": "AES_256"},
        "GenerateDataKeyWithoutPlaintext": {"KeyId": key, "NumberOfBytes": 64},
        "GenerateDataKeyPair": {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"},
        "ReEncrypt": {
            "CiphertextBlob": blob,
            "SourceEncryptionContext": VOLUME,
            "DestinationKeyId": key,
        },
        "CreateGrant": {
            "KeyId": key,
            "GranteePrincipal": GRANTEE.principal,
            "Operations": ["Decrypt"],
        },
    }
    for operation, parameters in permitted.items():
        with pytest.raises(KmsError, match=would):
            aws.call(USER, operation, DryRun=True, **parameters)
        assert aws.code(STRANGER, operation, DryRun=True, **parameters) == "AccessDeniedException"
    assert aws.call(USER, "ListGrants", KeyId=key)["Grants"] == []
    assert (
        aws.code(USER, "Decrypt", CiphertextBlob=blob, DryRun=True) == "InvalidCiphertextException"
    ), "and a dry run of a call that would fail"
    assert (
        aws.code(USER, "Decrypt", KeyId=key, DryRun=True, DryRunModifiers=["IGNORE_CIPHERTEXT"])
        == "DryRunOperationException"
    )
    assert (
        aws.code(SERVICE, "Decrypt", KeyId=key, DryRun=True, DryRunModifiers=["IGNORE_CIPHERTEXT"])
        == "AccessDeniedException"
    )
    grant = aws.grant(key, GRANTEE.principal, "Decrypt", RetiringPrincipal=GRANTEE.principal)
    for caller, operation in ((USER, "RevokeGrant"), (GRANTEE, "RetireGrant")):
        assert (
            aws.code(caller, operation, KeyId=key, GrantId=grant, DryRun=True)
            == "DryRunOperationException"
        )
    assert aws.decrypt(blob, caller=GRANTEE) == b"data"


# Keys that are not symmetric


def test_other_keys_do_what_they_are_for(aws: Authority) -> None:
    """Sentences of TestKMS::test_error_messaging_for_invalid_keys, test_invalid_generate_mac."""
    rsa, signing = (
        aws.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"),
        aws.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"),
    )
    mac, symmetric = aws.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"), aws.key()

    blob = aws.call(
        USER, "Encrypt", KeyId=rsa, Plaintext=b"p", EncryptionAlgorithm="RSAES_OAEP_SHA_256"
    )
    assert blob["EncryptionAlgorithm"] == "RSAES_OAEP_SHA_256"
    assert (
        aws.call(
            USER,
            "Decrypt",
            KeyId=rsa,
            CiphertextBlob=blob["CiphertextBlob"],
            EncryptionAlgorithm="RSAES_OAEP_SHA_256",
        )["Plaintext"]
        == b"p"
    )
    signature = aws.call(
        USER, "Sign", KeyId=signing, Message=b"m", SigningAlgorithm="ECDSA_SHA_256"
    )["Signature"]
    assert aws.call(
        USER,
        "Verify",
        KeyId=signing,
        Message=b"m",
        Signature=signature,
        SigningAlgorithm="ECDSA_SHA_256",
    )["SignatureValid"]
    code = aws.call(USER, "GenerateMac", KeyId=mac, Message=b"m", MacAlgorithm="HMAC_SHA_256")[
        "Mac"
    ]
    assert aws.call(
        USER, "VerifyMac", KeyId=mac, Message=b"m", Mac=code, MacAlgorithm="HMAC_SHA_256"
    )["MacValid"]
    assert "PublicKey" in aws.call(USER, "GetPublicKey", KeyId=signing)

    incompatible = (
        "InvalidKeyUsageException: Algorithm SYMMETRIC_DEFAULT is "
        "incompatible with key spec RSA_2048."
    )
    for operation, parameters, sentence in (
        ("Encrypt", {"KeyId": rsa, "Plaintext": b"p"}, incompatible),
        ("GenerateDataKey", {"KeyId": rsa, "KeySpec": "AES_256"}, incompatible),
        (
            "Encrypt",
            {"KeyId": signing, "Plaintext": b"p"},
            (
                f"InvalidKeyUsageException: {signing} key usage is SIGN_VERIFY which is not "
                "valid for Encrypt."
            ),
        ),
        (
            "GenerateDataKey",
            {"KeyId": mac, "KeySpec": "AES_256"},
            (
                f"InvalidKeyUsageException: {mac} key usage is GENERATE_VERIFY_MAC which is "
                "not valid for GenerateDataKey."
            ),
        ),
        (
            "GenerateMac",
            {"KeyId": symmetric, "Message": b"m", "MacAlgorithm": "HMAC_SHA_256"},
            (
                f"InvalidKeyUsageException: {symmetric} key usage is ENCRYPT_DECRYPT which is "
                "not valid for GenerateMac."
            ),
        ),
        (
            "Sign",
            {"KeyId": mac, "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"},
            (
                f"InvalidKeyUsageException: {mac} key usage is GENERATE_VERIFY_MAC which is "
                "not valid for Sign."
            ),
        ),
        ("GetPublicKey", {"KeyId": symmetric}, "UnsupportedOperationException"),
        ("GetPublicKey", {"KeyId": mac}, "UnsupportedOperationException"),
    ):
        assert str(aws.refusal(USER, operation, **parameters)) == sentence
    assert aws.code(EC2, "GetPublicKey", KeyId=signing) == "AccessDeniedException"
