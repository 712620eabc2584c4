"""ListAliases of a key: whose permission it needs, and on what."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import KmsError
from testbed.kms import key_policy
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER_ACCOUNT, Caller
from testbed.kms.key import Key
from testbed.kms.ledger import Ledger
from testbed.policy.evaluate import Policies
from testbed.policy.language import parse
from testbed.state.clock import Clock
from testbed.state.store import State

KEY = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
THEIRS = KEY.replace(USER_ACCOUNT, "222222222222")
ALICE = Caller(f"arn:aws:iam::{USER_ACCOUNT}:user/alice", USER_ACCOUNT, "IAMUser")


class NoAliases:
    """LocalStack, in which no key has an alias."""

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {"Aliases": [], "Truncated": False}


@pytest.mark.parametrize(
    ("resource", "asked", "code"),
    [
        ("*", KEY, ""),
        (KEY, KEY, "AccessDeniedException"),  # the operation has no resource
        ("*", THEIRS, "AccessDeniedException"),
    ],
)
def test_the_permission_is_on_no_key(tmp_path: Path, resource: str, asked: str, code: str) -> None:
    own = {"Effect": "Allow", "Action": "kms:ListAliases", "Resource": resource}
    policies = Policies((parse({"Statement": own}, "identity"),))
    state = State(tmp_path / "state")
    with Ledger(state).change() as change:
        for arn in (KEY, THEIRS):
            change.put_key(Key(arn, key_policy.default(USER_ACCOUNT)))
    kms = KmsAuthority(NoAliases(), state, Clock(state), identities=lambda _: policies)
    refused = ""
    try:
        kms.call(ALICE, "ListAliases", {"KeyId": asked})
    except KmsError as refusal:
        refused = refusal.code
    assert refused == code
