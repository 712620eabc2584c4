"""Aliases that every account has: their key is made when somebody in the account names it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import KmsError
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER, USER_ACCOUNT, Caller
from testbed.state.clock import Clock
from testbed.state.store import State

ARN = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ALIAS = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:alias/aws/s3"
STRANGER = Caller("arn:aws:iam::333333333333:root", "333333333333", "Root")


class NoAliases:
    """LocalStack, in which no alias has a key yet."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if operation == "DescribeKey" and "alias/" in parameters["KeyId"]:
            raise KmsError("Alias is not found", code="NotFoundException")
        if operation == "CreateKey":
            self.made.append(caller.account)
        return {
            "KeyMetadata": {
                "Arn": ARN,
                "KeySpec": "SYMMETRIC_DEFAULT",
                "KeyUsage": "ENCRYPT_DECRYPT",
                "Origin": "AWS_KMS",
                "CreationDate": datetime.now(UTC),
            }
        }


def test_nobody_makes_a_key_in_another_account(tmp_path: Path) -> None:
    state, localstack = State(tmp_path / "state"), NoAliases()
    kms = KmsAuthority(localstack, state, Clock(state))
    with pytest.raises(KmsError) as refused:
        kms.call(STRANGER, "DescribeKey", {"KeyId": ALIAS})
    assert (refused.value.code, localstack.made) == ("AccessDeniedException", [])
    kms.call(USER, "DescribeKey", {"KeyId": ALIAS})
    assert localstack.made == [USER_ACCOUNT]


def test_nobody_makes_a_key_in_another_region(tmp_path: Path) -> None:
    state, localstack = State(tmp_path / "state"), NoAliases()
    kms = KmsAuthority(localstack, state, Clock(state))
    with pytest.raises(KmsError) as refused:
        kms.call(replace(USER, region="eu-west-1"), "DescribeKey", {"KeyId": ALIAS})
    assert (refused.value.code, localstack.made) == ("NotFoundException", [])
