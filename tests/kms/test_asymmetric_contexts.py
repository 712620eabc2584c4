"""An encryption context under an asymmetric key, whose algorithms cannot bind one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import KmsError
from testbed.kms import key_policy
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER, USER_ACCOUNT, Caller
from testbed.kms.key import Key
from testbed.kms.ledger import Ledger
from testbed.state.clock import Clock
from testbed.state.store import State

RSA = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OAEP = "RSAES_OAEP_SHA_256"
REENCRYPT = {
    "CiphertextBlob": b"closed",
    "SourceKeyId": RSA,
    "SourceEncryptionAlgorithm": OAEP,
    "DestinationKeyId": RSA,
    "DestinationEncryptionAlgorithm": OAEP,
}


class Rsa:
    """LocalStack, which takes an encryption context under an RSA key."""

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {"KeyId": RSA, "CiphertextBlob": b"closed", "Plaintext": b"open"}


@pytest.mark.parametrize(
    ("operation", "member", "parameters"),
    [
        (
            "Encrypt",
            "EncryptionContext",
            {"KeyId": RSA, "Plaintext": b"open", "EncryptionAlgorithm": OAEP},
        ),
        (
            "Decrypt",
            "EncryptionContext",
            {"KeyId": RSA, "CiphertextBlob": b"closed", "EncryptionAlgorithm": OAEP},
        ),
        ("ReEncrypt", "SourceEncryptionContext", REENCRYPT),
        ("ReEncrypt", "DestinationEncryptionContext", REENCRYPT),
    ],
)
def test_a_context_is_refused_and_an_empty_one_is_none(
    tmp_path: Path, operation: str, member: str, parameters: dict[str, Any]
) -> None:
    state = State(tmp_path / "state")
    with Ledger(state).change() as change:
        change.put_key(Key(RSA, key_policy.default(USER_ACCOUNT), "RSA_2048"))
    kms = KmsAuthority(Rsa(), state, Clock(state))
    kms.call(USER, operation, {**parameters, member: {}})
    with pytest.raises(KmsError) as refused:
        kms.call(USER, operation, {**parameters, member: {"tenant": "a"}})
    assert (refused.value.code, RSA in refused.value.message) == ("ValidationException", True)
