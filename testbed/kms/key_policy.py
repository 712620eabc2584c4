"""Key policies: those that KMS writes, and what it accepts and keeps of a user's. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from testbed.arn import is_account
from testbed.documented import regions
from testbed.documented.regions import DEFAULT_REGION
from testbed.kms.refusals import malformed_policy, refusal
from testbed.policy.evaluate import ADMINISTRATOR, Policies, Request, evaluate
from testbed.policy.language import NO_PRINCIPAL, MalformedPolicyDocument, Policy, parse

LARGEST = 32_768  # bytes (KMS, "Resource quotas")


def default(account: str, region: str = DEFAULT_REGION) -> str:
    """Return the policy of a key that was created without one (KMS, "Default key policy")."""
    root = _statement(
        "Enable IAM User Permissions", {"AWS": regions.iam_arn(region, account, "root")}, "kms:*"
    )
    return _document("key-default-1", root)


def aws_managed(account: str, service: str, region: str = DEFAULT_REGION) -> str:
    """Return the policy of an AWS managed key of ``service``, e.g. ``mq``.

    Its account uses the key through the service alone, and nobody but the service can change the
    key or its policy (KMS, "Viewing a key policy").
    """
    use = [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:ReEncrypt*",
        "kms:GenerateDataKey*",
        "kms:CreateGrant",
        "kms:DescribeKey",
    ]
    through = {
        "StringEquals": {
            "kms:CallerAccount": account,
            "kms:ViaService": via_service(service, region),
        }
    }
    return _document(
        f"auto-{service}-1",
        _statement(
            f"Allow access through {service} for all principals in the account that are "
            "authorized to use it",
            {"AWS": "*"},
            use,
        )
        | {"Condition": through},
        _statement(
            "Allow direct access to key metadata to the account",
            {"AWS": regions.iam_arn(region, account, "root")},
            ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
        ),
    )


def via_service(service: str, region: str) -> str:
    """Return a service's ``kms:ViaService``; the suffix is the same in all partitions (KMSKEYS)."""
    return f"{service}.{region}.amazonaws.com"


def in_force(document: str) -> Policy:
    """Return a key's policy. An unreadable one, put on LocalStack itself, allows nothing."""
    try:
        return parse(document, "key")
    except MalformedPolicyDocument:
        return Policy(())


def accepted(document: str, partition: str = "aws") -> str:
    """Return a new policy as KMS keeps it: each account is named by its root's ARN, and once.

    Raises ``LimitExceededException`` or ``MalformedPolicyDocumentException``.
    """
    if len(document.encode()) > LARGEST:
        raise refusal("LimitExceededException", f"The key policy is larger than {LARGEST} bytes.")
    try:
        policy = parse(document, "key")
    except MalformedPolicyDocument as error:
        sentence = ""
        if error.element == "Principal":
            missing = error.reason == NO_PRINCIPAL
            sentence = _NO_PRINCIPAL if missing else _INVALID_PRINCIPALS
        raise malformed_policy(sentence, f"{error.element}: {error.reason}") from error
    for statement in policy.statements:
        assert statement.principals, "a key policy's statement without principals is malformed"
        if not all(_is_valid(kind, name) for kind, name in statement.principals.names):
            raise malformed_policy(_INVALID_PRINCIPALS)
        for condition in statement.conditions:
            for prefix, subject in _SINGLE_VALUED.items():
                if condition.set_operator == "ForAllValues" and condition.key.startswith(prefix):
                    raise malformed_policy(_OVERLY_PERMISSIVE.format(*subject))
    return _with_roots(document, partition)


def check_lockout(document: str, request: Request) -> None:
    """Raise ``MalformedPolicyDocumentException`` unless ``request``, a PutKeyPolicy, is allowed.

    Whoever the policy leaves to the account's identity policies may be an administrator there.
    """
    policies = Policies([ADMINISTRATOR], in_force(document), delegates=True)
    if not evaluate(request, policies).allowed:
        raise malformed_policy(
            "The new key policy will not allow you to update the key policy in the future."
        )


def _is_valid(kind: str, name: str) -> bool:
    """Return whether KMS takes a principal: not the unique id of a deleted one."""
    if kind != "AWS":
        return kind in ("*", "Service")
    return name == "*" or name.startswith("arn:") or is_account(name)


def _with_roots(document: str, partition: str) -> str:
    """Return the document as it is unless a statement names an account by its id, or twice."""
    content, changed = json.loads(document), False
    for statement in _many(content["Statement"]):
        for element in ("Principal", "NotPrincipal"):
            principals = statement.get(element)
            if not isinstance(principals, dict) or "AWS" not in principals:
                continue
            written = _many(principals["AWS"])
            kept = list(dict.fromkeys(_arn(name, partition) for name in written))
            if kept != written:
                principals["AWS"], changed = kept if len(kept) > 1 else kept[0], True
    return json.dumps(content, ensure_ascii=False) if changed else document


def _arn(name: str, partition: str) -> str:
    return f"arn:{partition}:iam::{name}:root" if is_account(name) else name


def _many(one_or_many: Any) -> list[Any]:
    return one_or_many if isinstance(one_or_many, list) else [one_or_many]


def _statement(sid: str, principal: Mapping[str, str], action: str | list[str]) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": dict(principal),
        "Action": action,
        "Resource": "*",
    }


def _document(identity: str, *statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Id": identity, "Statement": list(statements)})


_NO_PRINCIPAL = "Policy contains a statement with no principal."
_INVALID_PRINCIPALS = "Policy contains a statement with one or more invalid principals."
# KMSKEYS, "Using set operators with condition keys".
_OVERLY_PERMISSIVE = (
    "OverlyPermissiveCondition:{0}: Using the ForAllValues set operator with a single-valued "
    "condition key matches requests without the specified {1} or with an unspecified {1}. "
    "To fix, remove ForAllValues."
)
_SINGLE_VALUED = {
    "kms:encryptioncontext:": ("EncryptionContext", "encryption context"),
    "aws:requesttag/": ("RequestTag", "tag"),
}
