"""How many aliases a key can have."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from testbed.documented.key_listings import ALIASES_PER_KEY
from testbed.errors import KmsError
from testbed.kms import key_policy
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER, USER_ACCOUNT, Caller
from testbed.kms.key import Key
from testbed.kms.ledger import Ledger
from testbed.state.clock import Clock
from testbed.state.store import State
from tests.support.kms_offline import described

FULL, OTHER = (
    f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-{number:012}"
    for number in (1, 2)
)


class Aliases:
    """LocalStack, which gives a key as many aliases as are asked for."""

    def __init__(self) -> None:
        self.targets: dict[str, str] = {}

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        named = parameters.get("KeyId", "")
        if operation == "ListAliases":
            names = [name for name, key in self.targets.items() if named.endswith(key)]
            return {"Aliases": [{"AliasName": name} for name in names], "Truncated": False}
        if operation == "DescribeKey":
            return described(f"{FULL.rpartition('/')[0]}/{self.targets[named]}")
        self.targets[parameters["AliasName"]] = parameters["TargetKeyId"]
        return {}


@pytest.fixture
def kms(tmp_path: Path) -> KmsAuthority:
    state = State(tmp_path / "state")
    with Ledger(state).change() as change:
        for arn in (FULL, OTHER):
            change.put_key(Key(arn, key_policy.default(USER_ACCOUNT)))
    localstack = Aliases()
    localstack.targets["alias/aws/mq"] = FULL.rpartition("/")[2]  # it does not count
    kms = KmsAuthority(localstack, state, Clock(state))
    for number in range(ALIASES_PER_KEY):
        kms.call(USER, "CreateAlias", {"AliasName": f"alias/{number}", "TargetKeyId": FULL})
    kms.call(USER, "CreateAlias", {"AliasName": "alias/other", "TargetKeyId": OTHER})
    return kms


@pytest.mark.parametrize(
    ("operation", "name"), [("CreateAlias", "alias/new"), ("UpdateAlias", "alias/other")]
)
def test_a_key_has_fifty_aliases_at_most(kms: KmsAuthority, operation: str, name: str) -> None:
    with pytest.raises(KmsError) as refused:
        kms.call(USER, operation, {"AliasName": name, "TargetKeyId": FULL})
    assert (refused.value.code, FULL in refused.value.message) == ("LimitExceededException", True)


def test_an_alias_of_a_full_key_can_be_given_to_it_again(kms: KmsAuthority) -> None:
    kms.call(USER, "UpdateAlias", {"AliasName": "alias/0", "TargetKeyId": FULL})
    kms.call(USER, "UpdateAlias", {"AliasName": "alias/0", "TargetKeyId": OTHER})
    kms.call(USER, "CreateAlias", {"AliasName": "alias/new", "TargetKeyId": FULL})
