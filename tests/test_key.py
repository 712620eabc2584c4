"""A key of the library: each operation names it in the member that it has for a key."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from testbed.key import Key
from testbed.kms import validation
from testbed.kms.base import Caller

ARN = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


class Checking:
    """KMS as far as the form of requests goes."""

    def __init__(self) -> None:
        self.calls: list[tuple[Caller, str, Mapping[str, Any]]] = []

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        validation.check(operation, parameters)
        self.calls.append((caller, operation, parameters))
        return {}


@pytest.mark.parametrize(
    ("operation", "parameters", "named"),
    [
        ("TagResource", {"Tags": []}, {"KeyId": ARN}),
        ("CreateAlias", {"AliasName": "alias/orders"}, {"TargetKeyId": ARN}),
        ("UpdateAlias", {"AliasName": "alias/orders"}, {"TargetKeyId": ARN}),
        ("DeleteAlias", {"AliasName": "alias/orders"}, {}),
        ("ReEncrypt", {"CiphertextBlob": b"c", "DestinationKeyId": ARN}, {}),
    ],
)
def test_every_operation_can_be_called(
    operation: str, parameters: dict[str, Any], named: dict[str, str]
) -> None:
    kms = Checking()
    Key(SimpleNamespace(kms=kms), ARN).call(operation, **parameters)  # type: ignore[arg-type]  # it has no more
    [(caller, called, sent)] = kms.calls
    assert (caller.account, caller.region, called) == ("111122223333", "eu-west-1", operation)
    assert sent == {**parameters, **named}
