"""Every operation of KMS's model: malformed requests get AWS's code, whatever is wrong in them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from testbed import api_models
from testbed.aws import shapes
from testbed.aws.https import Request
from testbed.aws.json_protocol import JsonService
from testbed.errors import ApiError
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER, Caller
from testbed.kms.validation import check
from testbed.state.clock import Clock
from testbed.state.store import State
from tests.support import models

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
        with pytest.raises(ApiError) as refusal:
            service.answer(Request(sent.method, sent.path, headers=headers, body=sent.body), USER)
        if (refusal.value.code, refusal.value.status) != (CODES[request.kind], 400):
            wrong[str(request)] = refusal.value.code
    assert wrong == {}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_request_without_a_fault_passes_the_same_gates(name: str) -> None:
    shape = OPERATIONS[name].input_shape
    # Only some dry runs lack a ciphertext, so the model does not require it.
    known = {"CiphertextBlob": b"c"} if name in ("Decrypt", "ReEncrypt") else {}
    for document in models.legal(OPERATIONS[name], known):
        check(name, shapes.parse(shape, document) if shape else {})
