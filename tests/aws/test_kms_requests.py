"""Every operation of the model: legal requests are answered as it says, malformed ones refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from testbed import api_models
from testbed.aws import shapes
from testbed.aws.json_protocol import JsonService, refusal
from testbed.errors import ApiError
from testbed.https.server import Request
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER, Caller
from testbed.kms.validation import check
from testbed.state.clock import Clock
from testbed.state.store import State
from tests.support import models
from tests.support.answers import differences
from tests.support.aws_endpoint import Served
from tests.support.kms_requests import known

OPERATIONS = api_models.operations("kms")
CODES = {"type": "SerializationException", "value": "ValidationException"}


class Unreachable:
    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        raise AssertionError(operation)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_fault_of_every_member_gets_its_code(tmp_path: Path, name: str) -> None:
    state = State(tmp_path / "state")
    kms = KmsAuthority(Unreachable(), state, Clock(state))
    service, wrong = JsonService("kms", "TrentService", kms.call), {}
    for request in models.malformed(OPERATIONS[name], {}):
        sent = models.encode(OPERATIONS[name], request.document)
        headers = {name.lower(): text for name, text in sent.headers.items()}
        with pytest.raises(ApiError) as refused:
            service.answer(Request(sent.method, sent.path, headers=headers, body=sent.body), USER)
        if (refused.value.code, refused.value.status) != (CODES[request.kind], 400):
            wrong[str(request)] = refused.value.code
    assert wrong == {}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_request_without_a_fault_passes_the_same_gates(name: str) -> None:
    shape = OPERATIONS[name].input_shape
    # Only some dry runs lack a ciphertext, so the model does not require it.
    known = {"CiphertextBlob": b"c"} if name in ("Decrypt", "ReEncrypt") else {}
    for document in models.legal(OPERATIONS[name], known):
        check(name, shapes.parse(shape, document) if shape else {})


def test_a_refusal_without_a_sentence_has_no_message() -> None:
    error = ApiError("", code="InvalidCiphertextException", status=400)
    assert json.loads(refusal(error).body) == {"__type": "InvalidCiphertextException"}


# Operations that need what does not exist here, or what no generated value is, with the code that
# a legal request gets.
REFUSED = {
    "ConnectCustomKeyStore": "CustomKeyStoreNotFoundException",
    "CreateCustomKeyStore": "ValidationException",
    "Decapsulate": "InvalidKeyUsageException",
    "DeleteCustomKeyStore": "CustomKeyStoreNotFoundException",
    "DisconnectCustomKeyStore": "CustomKeyStoreNotFoundException",
    "Encapsulate": "InvalidKeyUsageException",
    "ImportKeyMaterial": "InvalidImportTokenException",
    "UpdateCustomKeyStore": "CustomKeyStoreNotFoundException",
    "UpdatePrimaryRegion": "NotFoundException",
}
# Codes that any operation may answer (API reference, "Common errors"), and those of the members
# that get any legal value.
COMMON = {
    "AccessDeniedException",
    "InvalidGrantTokenException",
    "InvalidMarkerException",
    "UnsupportedOperationException",
    "ValidationException",
}


@pytest.mark.containers
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_answers_as_its_model_says(aws: Served, name: str) -> None:
    """Each optional member is added in turn, with any legal value: it works, or is refused."""
    model, client, wrong = OPERATIONS[name], aws.client("kms"), []
    logged = len(aws.log)
    members = model.input_shape.members if model.input_shape else {}
    allowed = COMMON | {error.name for error in model.error_shapes}
    count = len(list(models.legal(model, known(client, name, members))))
    for number in range(count):
        document = list(models.legal(model, known(client, name, members)))[number]
        sent = models.encode(model, document)
        answer = aws.send(sent.method, sent.path, sent.body, service="kms", headers=sent.headers)
        if answer.status == 200 and number == 0 and name in REFUSED:
            wrong.append(f"not refused: {answer.document}")
        elif answer.status == 200:
            body = json.loads(answer.body) if answer.body else {}
            wrong += [
                f"{sorted(document)}: {fault}" for fault in differences(model.output_shape, body)
            ]
        elif number == 0 and answer.document["__type"] != REFUSED.get(name):
            wrong.append(f"refused: {answer.document}")
        elif answer.status != 400 or answer.document["__type"] not in allowed:
            wrong.append(f"{sorted(document)}: {answer.status} {answer.document}")
    assert wrong == []
    assert aws.log[logged:] == []


@pytest.mark.containers
@pytest.mark.nightly("malformed requests over HTTPS; every push has them without a container")
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_fault_gets_its_code_over_https(aws: Served, name: str) -> None:
    wrong, logged = {}, len(aws.log)
    for request in models.malformed(OPERATIONS[name], {}):
        sent = models.encode(OPERATIONS[name], request.document)
        answer = aws.send(sent.method, sent.path, sent.body, service="kms", headers=sent.headers)
        if (answer.status, answer.document["__type"]) != (400, CODES[request.kind]):
            wrong[str(request)] = answer.document
    assert wrong == {}
    assert aws.log[logged:] == []
