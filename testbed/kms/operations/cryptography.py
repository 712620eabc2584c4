"""Cryptography as AWS does it, where LocalStack does it differently.

==============================  ============================  ==================================
request                         LocalStack 2026.3             here, as AWS
==============================  ============================  ==================================
data key of some size           always 32 bytes               the size, or ValidationException
Decrypt of garbage              a sentence of its own         InvalidCiphertextException, empty
Decrypt by an RSA key           with any EncryptionAlgorithm  InvalidKeyUsageException
ReEncrypt without SourceKeyId   HTTP 500                      the ciphertext names its key
EncryptionAlgorithm             absent from answers           SYMMETRIC_DEFAULT
public key of a symmetric key   an answer without one         UnsupportedOperationException
==============================  ============================  ==================================
"""

import secrets
from typing import Any

from testbed.kms import refusals
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.key import Key
from testbed.kms.naming import key_id_in

SYMMETRIC = "SYMMETRIC_DEFAULT"
_SIZES = {"AES_256": 32, "AES_128": 16}  # bytes


def data_key(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """GenerateDataKey and GenerateDataKeyWithoutPlaintext."""
    parameters = call.parameters
    if ("NumberOfBytes" in parameters) == ("KeySpec" in parameters):
        raise refusals.invalid("Please specify either number of bytes or key spec.")
    _check_key(call.key, call.operation, SYMMETRIC)
    plaintext = secrets.token_bytes(
        parameters.get("NumberOfBytes") or _SIZES[parameters["KeySpec"]]
    )
    wrapped = services.backend.call(
        call.caller,
        "Encrypt",
        {
            "KeyId": call.key.arn,
            "Plaintext": plaintext,
            "EncryptionContext": parameters.get("EncryptionContext", {}),
        },
    )
    answer = {"CiphertextBlob": wrapped["CiphertextBlob"], "KeyId": wrapped["KeyId"]}
    if call.operation == "GenerateDataKey":
        answer["Plaintext"] = plaintext
    return answer


def data_key_pair(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext."""
    _check_key(call.key, call.operation, SYMMETRIC)
    return services.backend.call(call.caller, call.operation, call.parameters)


def encrypt(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """Encrypt."""
    return _encrypt(services, call, call.key, dict(call.parameters))


def decrypt(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """Decrypt."""
    return _decrypt(services, call, call.key, dict(call.parameters))


def re_encrypt(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """ReEncrypt: Decrypt, then Encrypt."""
    parameters = call.parameters
    source, destination = call.keys["SourceKeyId"], call.keys["DestinationKeyId"]
    opened = _decrypt(
        services,
        call,
        source,
        {
            "CiphertextBlob": parameters["CiphertextBlob"],
            "KeyId": source.arn,
            "EncryptionContext": parameters.get("SourceEncryptionContext", {}),
            "EncryptionAlgorithm": parameters.get("SourceEncryptionAlgorithm", SYMMETRIC),
        },
    )
    closed = _encrypt(
        services,
        call,
        destination,
        {
            "KeyId": destination.arn,
            "Plaintext": opened["Plaintext"],
            "EncryptionContext": parameters.get("DestinationEncryptionContext", {}),
            "EncryptionAlgorithm": parameters.get("DestinationEncryptionAlgorithm", SYMMETRIC),
        },
    )
    return {
        "CiphertextBlob": closed["CiphertextBlob"],
        "SourceKeyId": opened["KeyId"],
        "KeyId": closed["KeyId"],
        "SourceEncryptionAlgorithm": opened["EncryptionAlgorithm"],
        "DestinationEncryptionAlgorithm": closed["EncryptionAlgorithm"],
    }


def public_key(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """GetPublicKey."""
    if call.key.spec.startswith(("SYMMETRIC", "HMAC")):
        raise refusals.refusal("UnsupportedOperationException")
    return services.backend.call(call.caller, call.operation, call.parameters)


def _encrypt(
    services: KmsServices, call: KmsCall, key: Key, request: dict[str, Any]
) -> dict[str, Any]:
    algorithm = request.get("EncryptionAlgorithm", SYMMETRIC)
    _check_key(key, call.operation, algorithm)
    answer = services.backend.call(call.caller, "Encrypt", request)
    return {**answer, "EncryptionAlgorithm": algorithm}


def _decrypt(
    services: KmsServices, call: KmsCall, key: Key, request: dict[str, Any]
) -> dict[str, Any]:
    algorithm = request.get("EncryptionAlgorithm", SYMMETRIC)
    if algorithm == SYMMETRIC:
        key_id = key_id_in(request["CiphertextBlob"])
        if not key_id:
            raise refusals.invalid_ciphertext()
        if key.key_id != key_id:
            raise refusals.incorrect_key()
    _check_key(key, call.operation, algorithm)
    answer = services.backend.call(call.caller, "Decrypt", request)
    return {**answer, "EncryptionAlgorithm": algorithm}


def _check_key(key: Key, operation: str, algorithm: str) -> None:
    """Check that the key can encrypt, and with ``algorithm``."""
    if key.usage != "ENCRYPT_DECRYPT":
        raise refusals.invalid_usage(key.arn, key.usage, operation)
    if key.symmetric != (algorithm == SYMMETRIC):
        raise refusals.incompatible(algorithm, key.spec)
