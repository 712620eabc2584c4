"""Short ways to write policies and requests, and the principals of two accounts."""

from collections.abc import Sequence
from typing import Any

from testbed.policy.evaluate import Decision, Policies, Request, evaluate
from testbed.policy.language import Kind, Policy, parse
from testbed.policy.principals import Principal

ACCOUNT, OTHER = "111122223333", "444455556666"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
USER = f"arn:aws:iam::{ACCOUNT}:user/exampleuser"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/examplerole"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/examplerole/examplerolesessionname"
FEDERATED = f"arn:aws:sts::{ACCOUNT}:federated-user/exampleuser"
STRANGER = f"arn:aws:iam::{OTHER}:user/bob"
STRANGERS_ROOT = f"arn:aws:iam::{OTHER}:root"
SERVICE = "mq.amazonaws.com"

Statement = dict[str, Any]
Context = dict[str, str | Sequence[str]]


def policy(*statements: Statement, kind: Kind = "identity") -> Policy:
    return parse({"Version": "2012-10-17", "Statement": list(statements)}, kind)


def key_policy(*statements: Statement) -> Policy:
    return policy(*statements, kind="resource")


def allow(
    action: str | list[str] = "kms:*", resource: str | list[str] = "*", **more: Any
) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(
    action: str | list[str] = "kms:*", resource: str | list[str] = "*", **more: Any
) -> Statement:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def to(name: str) -> Policy:
    """The key policy that allows everything to a principal, an account or everyone."""
    return key_policy(allow(Principal=name if name == "*" else {"AWS": name}))


def decide(
    caller: str,
    policies: Policies,
    action: str = "kms:Decrypt",
    resource: str = KEY,
    context: Context | None = None,
) -> Decision:
    return evaluate(Request(Principal.of(caller), action, resource, context or {}), policies)
