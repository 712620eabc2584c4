"""No secret is in any record or in the bytes of the trail; recorded, each would be found."""

import base64
import json
import secrets
from typing import Any

import pytest

from testbed.errors import BadRequestException, KmsError
from testbed.kms import material as materials
from testbed.kms.base import MQ, SERVICE_ACCOUNT, USER, USER_ACCOUNT
from testbed.trail import record as record_module
from testbed.trail.store import DATABASE
from tests.support.trail_bench import Bench

MISSING = "00000000-0000-4000-8000-000000000000"
PASSWORD = f"pass-{secrets.token_hex(12)}"
MATERIAL = secrets.token_bytes(32)
PRIVATE = f"private-{secrets.token_hex(12)}"


def busy(bench: Bench) -> dict[str, bytes]:
    """Make calls of every kind with secrets in them, some refused, and return the secrets."""
    arn = bench.key(Tags=[{"TagKey": "Team", "TagValue": "a"}])
    context = {"EncryptionContext": {"aws:ebs:id": "vol-1"}}
    data_key = bench.kms.call(
        USER, "GenerateDataKey", {"KeyId": arn, "KeySpec": "AES_256", **context}
    )
    grant = {
        "KeyId": arn,
        "GranteePrincipal": USER.principal,
        "Operations": ["Decrypt"],
        "Name": "g",
    }
    token = bench.kms.call(USER, "CreateGrant", grant)["GrantToken"]
    opened = bench.kms.call(
        USER,
        "Decrypt",
        {"CiphertextBlob": data_key["CiphertextBlob"], "GrantTokens": [token], **context},
    )
    assert opened["Plaintext"] == data_key["Plaintext"]
    blob = bench.kms.call(USER, "Encrypt", {"KeyId": arn, "Plaintext": PRIVATE.encode()})[
        "CiphertextBlob"
    ]
    for operation, parameters in (
        (
            "Decrypt",
            {"CiphertextBlob": data_key["CiphertextBlob"], "GrantTokens": [token]},
        ),  # the context is missing
        ("Encrypt", {"KeyId": arn, "Plaintext": {"not": PRIVATE}}),  # botocore's refusal quotes it
        ("Decrypt", {"CiphertextBlob": [PRIVATE], "GrantTokens": token}),
        ("Sign", {"KeyId": arn, "Message": PRIVATE.encode(), "SigningAlgorithm": "ECDSA_SHA_256"}),
    ):
        with pytest.raises(KmsError):
            bench.kms.call(USER, operation, parameters)
    bench.kms.call(USER, "RetireGrant", {"GrantToken": token})
    imported = {"KeyId": bench.key(Origin="EXTERNAL")}
    algorithm = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    agreed = bench.kms.call(USER, "GetParametersForImport", {**imported, **algorithm})
    wrapped = materials.wrap(MATERIAL, agreed["PublicKey"], algorithm["WrappingAlgorithm"])
    request = {
        **imported,
        "ImportToken": agreed["ImportToken"],
        "EncryptedKeyMaterial": wrapped,
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    }
    bench.kms.call(USER, "ImportKeyMaterial", request)
    bench.kms.call(USER, "DeleteImportedKeyMaterial", imported)
    users = [{"Username": "alice", "Password": PASSWORD}]
    with bench.recorder.mq_call(
        USER, "CreateBroker", {"BrokerName": "orders", "Users": users}
    ) as answer:
        answer.elements = {"BrokerId": "b-1", "Users": users}
    with bench.recorder.mq_call(
        USER, "UpdateConfiguration", {"ConfigurationId": "c-1", "Data": PRIVATE}
    ):
        pass
    with (
        pytest.raises(BadRequestException),
        bench.recorder.mq_call(
            USER, "CreateUser", {"BrokerId": "b-1", "Username": "u", "Password": PASSWORD}
        ),
    ):
        raise BadRequestException(f"The password {PASSWORD} will not do.")
    with bench.recorder.mq_call(MQ, "DescribeUser", {"BrokerId": "b-1", "Username": "u"}) as answer:
        answer.elements = {"Username": "u", "Password": PASSWORD}
    return {
        "data key": data_key["Plaintext"],
        "encrypted data key": data_key["CiphertextBlob"],
        "ciphertext": blob,
        "grant token": token.encode(),
        "password": PASSWORD.encode(),
        "wrapped key material": wrapped,
        "import token": agreed["ImportToken"],
        "message": PRIVATE.encode(),
    }


def leaked(bench: Bench, secrets: dict[str, bytes]) -> set[str]:
    """Return the secrets in records or in the bytes of the trail's files, however encoded."""
    bench.trail.index()
    haystack = [
        path.read_bytes() for path in bench.state.folder.iterdir() if path.name.startswith(DATABASE)
    ]
    haystack += [
        json.dumps(record).encode()
        for account in (USER_ACCOUNT, SERVICE_ACCOUNT)
        for record in bench.records(account)
    ]
    leaks = set()
    for name, secret in secrets.items():
        ways = {
            secret,
            base64.b64encode(secret),
            secret.hex().encode(),
            repr(secret)[2:-1].encode(),
            json.dumps(repr(secret)[2:-1])[1:-1].encode(),
        }
        if any(way in hay for way in ways for hay in haystack):
            leaks.add(name)
    return leaks


@pytest.mark.containers
def test_no_secret_is_in_any_record_or_in_the_file(bench: Bench) -> None:
    secrets = busy(bench)
    assert leaked(bench, secrets) == set()
    shown = json.dumps(bench.records())
    assert shown.count('"***"') == 3
    assert "vol-1" in shown
    assert shown.count("is not recorded") >= 2


@pytest.mark.containers
def test_control_records_of_everything_are_found_to_leak(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plain(values: Any) -> Any:
        return {name: repr(value) for name, value in values.items()}

    monkeypatch.setattr(record_module, "visible", lambda values, *_: plain(values))
    monkeypatch.setattr(record_module, "message", lambda error, *_: error.message)
    assert leaked(bench, secrets := busy(bench)) == set(secrets)


def test_the_recorder_keeps_no_secret_either(offline: Bench) -> None:
    with pytest.raises(KmsError):
        offline.kms.call(USER, "Encrypt", {"KeyId": MISSING, "Plaintext": PRIVATE.encode()})
    assert PRIVATE not in repr(vars(offline.recorder)) + repr(vars(offline.recorder._arns))
