"""Cryptography as AWS does it, where LocalStack does it differently.

==============================  ============================  ==================================
request                         LocalStack 2026.3             here, as AWS
==============================  ============================  ==================================
data key of some size           always 32 bytes               the size, or ValidationException
Decrypt of garbage              a sentence of its own         InvalidCiphertextException, empty
Decrypt by an RSA key           with any EncryptionAlgorithm  InvalidKeyUsageException
ReEncrypt without SourceKeyId   HTTP 500                      the ciphertext names its key
EncryptionAlgorithm             absent from answers           SYMMETRIC_DEFAULT
KeyMaterialId                   absent from answers           the material that was used
public key of a symmetric key   an answer without one         UnsupportedOperationException
==============================  ============================  ==================================
"""

import secrets
from typing import Any

from testbed.documented.key_specs import ALGORITHMS_MEMBER, algorithms
from testbed.kms import edwards, key_usage, material, refusals, symmetric
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.key import Key
from testbed.kms.naming import key_id_in

SYMMETRIC = "SYMMETRIC_DEFAULT"
USAGE = "ENCRYPT_DECRYPT"
_SIZES = {"AES_256": 32, "AES_128": 16}  # bytes


def data_key(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """GenerateDataKey and GenerateDataKeyWithoutPlaintext."""
    parameters = call.parameters
    if ("NumberOfBytes" in parameters) == ("KeySpec" in parameters):
        raise refusals.invalid("Please specify either number of bytes or key spec.")
    key_usage.check(call.key, USAGE, call.operation, SYMMETRIC)
    plaintext = secrets.token_bytes(
        parameters.get("NumberOfBytes") or _SIZES[parameters["KeySpec"]]
    )
    context = parameters.get("EncryptionContext", {})
    answer = {
        "CiphertextBlob": symmetric.seal(services, call, call.key, plaintext, context),
        "KeyId": call.key.arn,
        "KeyMaterialId": call.key.current_material,
    }
    if call.operation == "GenerateDataKey":
        answer["Plaintext"] = plaintext
    return answer


def data_key_pair(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext."""
    parameters, key = call.parameters, call.key
    key_usage.check(key, USAGE, call.operation, SYMMETRIC)
    spec = parameters["KeyPairSpec"]
    if not material.can_generate(spec):
        raise refusals.unsupported(f"Data key pairs of {spec} are not supported here.")
    pair = material.generate_pair(spec)
    plaintext, context = material.private_der(pair), parameters.get("EncryptionContext", {})
    answer = {
        "PrivateKeyCiphertextBlob": symmetric.seal(services, call, key, plaintext, context),
        "PublicKey": material.public_der(pair),
        "KeyId": key.arn,
        "KeyPairSpec": spec,
        "KeyMaterialId": key.current_material,
    }
    if call.operation == "GenerateDataKeyPair":
        answer["PrivateKeyPlaintext"] = plaintext
    return answer


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
    answer = {
        "CiphertextBlob": closed["CiphertextBlob"],
        "SourceKeyId": opened["KeyId"],
        "KeyId": closed["KeyId"],
        "SourceEncryptionAlgorithm": opened["EncryptionAlgorithm"],
        "DestinationEncryptionAlgorithm": closed["EncryptionAlgorithm"],
    }
    if source.symmetric:
        answer["SourceKeyMaterialId"] = opened["KeyMaterialId"]
    if destination.symmetric:
        answer["DestinationKeyMaterialId"] = destination.current_material
    return answer


def public_key(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """GetPublicKey."""
    key = call.key
    if key.spec.startswith(("SYMMETRIC", "HMAC")):
        raise refusals.unsupported()
    if key.spec == edwards.SPEC:
        public = edwards.public_key(services, call)
    else:
        answer = services.backend.call(call.caller, call.operation, call.parameters)
        public = answer["PublicKey"]
    return {
        "KeyId": key.arn,
        "PublicKey": public,
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "KeyUsage": key.usage,
        ALGORITHMS_MEMBER[key.usage]: list(algorithms(key.spec, key.usage)),
    }


def random(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """GenerateRandom."""
    if "CustomKeyStoreId" in call.parameters:
        raise refusals.no_such_key_store()
    return services.backend.call(call.caller, call.operation, call.parameters)


def _encrypt(
    services: KmsServices, call: KmsCall, key: Key, request: dict[str, Any]
) -> dict[str, Any]:
    algorithm = request.get("EncryptionAlgorithm", SYMMETRIC)
    key_usage.check(key, USAGE, call.operation, algorithm)
    if algorithm == SYMMETRIC:
        context = request.get("EncryptionContext", {})
        blob = symmetric.seal(services, call, key, request["Plaintext"], context)
        return {"CiphertextBlob": blob, "KeyId": key.arn, "EncryptionAlgorithm": algorithm}
    key_usage.check_no_context(key, request.get("EncryptionContext"))
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
    key_usage.check(key, USAGE, call.operation, algorithm)
    if algorithm == SYMMETRIC:
        blob, context = request["CiphertextBlob"], request.get("EncryptionContext", {})
        plaintext, used = symmetric.unseal(services, call, key, blob, context)
        return {
            "KeyId": key.arn,
            "Plaintext": plaintext,
            "EncryptionAlgorithm": algorithm,
            "KeyMaterialId": used,
        }
    key_usage.check_no_context(key, request.get("EncryptionContext"))
    answer = services.backend.call(call.caller, "Decrypt", request)
    return {**answer, "EncryptionAlgorithm": algorithm}
