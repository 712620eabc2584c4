"""UpdateAlias: an alias goes to a key of the same type and usage, as whoever uses it expects."""

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

KINDS = {
    "symmetric": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    "RSA": ("RSA_2048", "ENCRYPT_DECRYPT"),
    "signing RSA": ("RSA_2048", "SIGN_VERIFY"),
    "signing ECC": ("ECC_NIST_P256", "SIGN_VERIFY"),
    "HMAC": ("HMAC_256", "GENERATE_VERIFY_MAC"),
    "longer HMAC": ("HMAC_512", "GENERATE_VERIFY_MAC"),
}
ALIKE = [{"signing RSA", "signing ECC"}, {"HMAC", "longer HMAC"}]


def key(number: int, kind: str) -> Key:
    spec, usage = KINDS[kind]
    arn = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-{number:012}"
    return Key(arn, key_policy.default(USER_ACCOUNT), spec, usage)


class OneAlias:
    """LocalStack, which gives an alias to any key."""

    def __init__(self, target: Key) -> None:
        self.target, self.updated = target, False

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.updated |= operation == "UpdateAlias"
        if operation == "ListAliases":
            return {"Aliases": [], "Truncated": False}
        target = self.target
        return {
            "KeyMetadata": {"Arn": target.arn, "KeySpec": target.spec, "KeyUsage": target.usage}
        }


@pytest.mark.parametrize("old", KINDS)
@pytest.mark.parametrize("new", KINDS)
def test_an_alias_keeps_its_kind(tmp_path: Path, old: str, new: str) -> None:
    state, (target, other) = State(tmp_path / "state"), (key(1, old), key(2, new))
    with Ledger(state).change() as change:
        change.put_key(target)
        change.put_key(other)
    localstack = OneAlias(target)
    kms, code = KmsAuthority(localstack, state, Clock(state)), ""
    try:
        kms.call(USER, "UpdateAlias", {"AliasName": "alias/a", "TargetKeyId": other.arn})
    except KmsError as refusal:
        code = refusal.code
    assert code == ("" if old == new or {old, new} in ALIKE else "ValidationException")
    assert localstack.updated is not bool(code)
