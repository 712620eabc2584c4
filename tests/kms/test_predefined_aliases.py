"""Aliases that every account has: their key is made when somebody in the account names it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import KmsError
from testbed.kms import key_policy
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER, USER_ACCOUNT, Caller
from testbed.kms.key import DAY
from testbed.state.clock import Clock
from testbed.state.store import State
from tests.support.kms_offline import described

ALIASES = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:alias/aws"
STRANGER = Caller("arn:aws:iam::333333333333:root", "333333333333", "Root")


class OnMention:
    """LocalStack, which makes an alias's key when it is mentioned; Amazon MQ's it does not know."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        named = parameters.get("KeyId", "")
        if operation == "ListAliases":
            here = self.made and caller.account == USER_ACCOUNT
            names = ["alias/aws/s3", "alias/aws/mq"] if here else []
            return {"Aliases": [{"AliasName": name} for name in names], "Truncated": False}
        if operation == "DescribeKey" and named == "alias/aws/mq" and not self.made:
            raise KmsError("Alias is not found", code="NotFoundException")
        if operation == "CreateKey" or (named == "alias/aws/s3" and not self.made):
            self.made.append(caller.account)
        if operation == "GetKeyPolicy":
            return {"Policy": key_policy.default(USER_ACCOUNT)}
        if operation == "ListResourceTags":
            return {"Tags": [], "Truncated": False}
        return described()


@pytest.mark.parametrize("service", ["s3", "mq"])
def test_nobody_makes_a_key_in_another_account_or_region(tmp_path: Path, service: str) -> None:
    state, localstack = State(tmp_path / "state"), OnMention()
    clock, named = Clock(state), {"KeyId": f"{ALIASES}/{service}"}
    kms = KmsAuthority(localstack, state, clock)
    for caller, code in (
        (STRANGER, "AccessDeniedException"),
        (replace(USER, region="eu-west-1"), "NotFoundException"),
    ):
        with pytest.raises(KmsError) as refused:
            kms.call(caller, "DescribeKey", named)
        assert (refused.value.code, localstack.made) == (code, [])
    clock.turn(400 * DAY)
    described = kms.call(USER, "DescribeKey", named)["KeyMetadata"]
    assert localstack.made == [USER_ACCOUNT]
    assert described["CreationDate"].timestamp() == pytest.approx(clock.now(), abs=60)
    with pytest.raises(KmsError, match="AccessDenied"):
        kms.call(STRANGER, "DescribeKey", named)
