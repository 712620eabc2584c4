"""Signatures, message authentication codes and shared secrets, for keys that fit the algorithm."""

from typing import Any

from testbed.kms import edwards, key_usage
from testbed.kms.call import KmsCall, KmsServices


def sign(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """Sign and Verify."""
    algorithm = call.parameters["SigningAlgorithm"]
    key_usage.check(call.key, "SIGN_VERIFY", call.operation, algorithm)
    key_usage.check_message(call.key, call.parameters)
    if call.key.spec == edwards.SPEC:
        answer = {"KeyId": call.key.arn, "SigningAlgorithm": algorithm}
        if call.operation == "Sign":
            return {**answer, "Signature": edwards.sign(services, call)}
        edwards.verify(services, call)
        return {**answer, "SignatureValid": True}
    return services.backend.call(call.caller, call.operation, call.parameters)


def mac(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """GenerateMac and VerifyMac."""
    algorithm = call.parameters["MacAlgorithm"]
    key_usage.check(call.key, "GENERATE_VERIFY_MAC", call.operation, algorithm)
    return services.backend.call(call.caller, call.operation, call.parameters)


def shared_secret(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """DeriveSharedSecret."""
    algorithm = call.parameters["KeyAgreementAlgorithm"]
    key_usage.check(call.key, "KEY_AGREEMENT", call.operation, algorithm)
    key_usage.check_public_key(call.key, call.parameters["PublicKey"])
    answer = services.backend.call(call.caller, call.operation, call.parameters)
    return {**answer, "KeyId": call.key.arn}  # LocalStack repeats the name in the request


def encapsulate(_: KmsServices, call: KmsCall) -> dict[str, Any]:
    """Encapsulate and Decapsulate, always refused: there are no ML-KEM keys here."""
    algorithm = call.parameters["EncapsulationAlgorithm"]
    key_usage.check(call.key, "ENCAPSULATE_DECAPSULATE", call.operation, algorithm)
    return {}
