"""Key policies and what they decide on a call of KMS, without KMS."""

import json
from collections.abc import Mapping
from typing import Any

from testbed.kms import condition_keys, key_policy
from testbed.kms.base import USER_ACCOUNT, Caller
from testbed.kms.call import KmsCall
from testbed.kms.condition_keys import Subject
from testbed.kms.key import Key
from testbed.policy.evaluate import ADMINISTRATOR, Decision, Policies, Request, evaluate

KEY = Key(f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab", "")
ROOT = {"AWS": f"arn:aws:iam::{USER_ACCOUNT}:root"}
NOON = 1_750_000_000.0  # 2025-06-15T15:06:40Z
_UNREACHED: Any = None  # LocalStack and the ledger, by keys that are not about aliases or tags

Statement = dict[str, Any]


def document(*statements: Statement, **elements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **elements})


def allow(principal: Any = "*", action: Any = "kms:*", **elements: Any) -> Statement:
    return {
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": "*",
        **elements,
    }


def deny(principal: Any = "*", action: Any = "kms:*", **elements: Any) -> Statement:
    return {**allow(principal, action, **elements), "Effect": "Deny"}


def request(
    caller: Caller,
    operation: str = "Decrypt",
    parameters: Mapping[str, Any] = {},
    *,
    action: str = "",
    key: Key | None = KEY,
    requested: Mapping[str, Any] = {},
) -> Request:
    """Return what policies decide on; ``action`` differs from ``operation`` for ReEncrypt."""
    call = KmsCall(caller, operation, parameters, NOON, _UNREACHED, requested=requested)
    subject = Subject(_UNREACHED, call, action or operation, key)
    return condition_keys.request(subject, key.arn if key else "*")


def decide(text: str, request: Request) -> Decision:
    """Decide for a caller in whose account all are administrators."""
    return evaluate(request, Policies([ADMINISTRATOR], key_policy.in_force(text), delegates=True))


def decision(text: str, caller: Caller, action: str = "Decrypt", **parameters: Any) -> str:
    """Return ``deny``, ``allow`` if the policy itself allows, ``account``, or nothing."""
    decision = decide(text, request(caller, action, parameters))
    if decision.reason.startswith("with an explicit deny"):
        return "deny"
    if decision.source == "resource-based policy":
        return "allow" if decision.allowed else ""
    return "account" if decision.allowed else ""
