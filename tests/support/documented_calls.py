"""AWS's examples of key policies: what the examples share, and how they are asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from testbed.kms.base import Caller
from testbed.policy.evaluate import Request
from tests.support.key_policies import KEY, Statement, allow, request

ACCOUNT, OTHER = "111122223333", "444455556666"
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
OWN = replace(KEY, arn=KEY.arn.replace("000000000000", ACCOUNT))


def user(name: str, account: str = ACCOUNT) -> Caller:
    return Caller(f"arn:aws:iam::{account}:user/{name}", account, "IAMUser")


def session(role: str, account: str = ACCOUNT) -> Caller:
    arn = f"arn:aws:sts::{account}:assumed-role/{role}/session"
    return Caller(arn, account, "AssumedRole")


def service(name: str, source_arn: str = "") -> Caller:
    return Caller(f"{name}.amazonaws.com", ACCOUNT, "AWSService", source_arn=source_arn)


USER, OTHER_USER = user("ExampleUser"), user("bob", OTHER)
APP, TESTERS = session("RoleForExampleApp"), session("testers")
TO_USER = {"AWS": USER.principal}
TO_APP = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/RoleForExampleApp"}
USES = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]


@dataclass(frozen=True)
class Call:
    """A call and whether the example allows it."""

    allowed: bool
    caller: Caller
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)

    def request(self) -> Request:
        return request(self.caller, self.operation, self.parameters, **{"key": OWN, **self.rest})


def yes(caller: Caller, operation: str, rest: Mapping[str, Any] = {}, /, **params: Any) -> Call:
    return Call(True, caller, operation, params, rest)


def no(caller: Caller, operation: str, rest: Mapping[str, Any] = {}, /, **params: Any) -> Call:
    return Call(False, caller, operation, params, rest)


def pairs(**context: str) -> dict[str, Any]:
    return {"EncryptionContext": context}


def via(caller: Caller, name: str) -> Caller:
    return replace(caller, invoked_by=f"{name}.amazonaws.com")


def to_app(action: str, condition: Mapping[str, Any]) -> dict[str, Any]:
    return allow(TO_APP, action, Condition=condition)


def to_user(action: Any, condition: Mapping[str, Any]) -> dict[str, Any]:
    return allow(TO_USER, action, Condition=condition)


Example = tuple[list[Statement], list[Call]]
"""A policy's statements, and calls under it."""
