"""Aliases by their keys; tests/console/test_calls.py has those of a running KMS."""

from collections.abc import Mapping
from typing import Any

from testbed.console.aliases import aliases
from testbed.errors import KmsError
from testbed.kms.base import Caller
from testbed.kms.key import Key
from tests.support.brokers_offline import KEY

HERE, THERE = Key(KEY, "{}"), Key(KEY.replace("us-east-1", "eu-west-1"), "{}")


class Answers:
    """A KMS that has aliases in one Region, or fails."""

    def __init__(self, code: str = "") -> None:
        self._code = code

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if self._code:
            raise KmsError("It fails.", code=self._code)
        if caller.region != "us-east-1":
            return {"Aliases": []}
        return {
            "Aliases": [
                {"AliasName": "alias/orders", "TargetKeyId": HERE.key_id},
                {"AliasName": "alias/also", "TargetKeyId": HERE.key_id},
                {"AliasName": "alias/aws/mq"},
            ]
        }


def test_a_key_has_the_aliases_of_its_region() -> None:
    found = aliases(Answers(), [HERE, THERE])
    assert found == {HERE.arn: ("alias/orders", "alias/also"), THERE.arn: ()}


def test_a_kms_that_does_not_answer_has_none() -> None:
    assert aliases(Answers("KMSInternalException"), [HERE]) == {}
