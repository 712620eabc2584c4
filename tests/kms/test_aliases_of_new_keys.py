"""A key that is still to be created has no aliases, which its policy may ask about."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testbed.errors import KmsError
from testbed.kms import key_policy
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER, USER_ACCOUNT, Caller
from testbed.state.clock import Clock
from testbed.state.store import State
from tests.support.kms_offline import ARN, described


class Creating:
    """LocalStack, which lists no aliases of keys that it does not have."""

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if operation == "ListAliases":
            raise KmsError("Invalid keyId", code="NotFoundException")
        return described()


def test_a_new_keys_policy_may_ask_for_aliases(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    kms = KmsAuthority(Creating(), state, Clock(state))
    document = json.loads(key_policy.default(USER_ACCOUNT))
    document["Statement"].append(
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "kms:*",
            "Resource": "*",
            "Condition": {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/retired/*"}},
        }
    )
    answer = kms.call(USER, "CreateKey", {"Policy": json.dumps(document)})
    assert answer["KeyMetadata"]["Arn"] == ARN
