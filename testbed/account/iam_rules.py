"""IAM's names, quotas, and what has to be removed before an entity can be deleted.

Sources: "IAM and AWS STS quotas", IAM User Guide; the sentences are as users quote them.
"""

from collections.abc import Collection, Iterable
from typing import Any

from moto.iam.exceptions import IAMException

from testbed.policy.language import QUOTAS, size

_ATTACHED = 10  # managed policies of a user, group or role


def check_free(name: str, names: Iterable[str], called: str, rest: str = "") -> None:
    """Raise ``EntityAlreadyExists`` for a name that is taken; its case does not count."""
    if name.lower() in map(str.lower, names):
        raise IAMException("EntityAlreadyExists", f"{called} already exists.{rest}")


def check_tags(tags: list[dict[str, str]]) -> None:
    """Raise ``InvalidInput`` for tags of which two have the same key; its case does not count."""
    keys = [tag["Key"].lower() for tag in tags]
    if len(set(keys)) < len(keys):
        raise IAMException(
            "InvalidInput",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        )


def check_user_unused(user: Any, groups: list[Any]) -> None:
    """Raise ``DeleteConflict`` for a user who still has something."""
    if user.access_keys:
        raise _conflict("must delete access keys first.")
    if user.mfa_devices:
        raise _conflict("must delete MFA device first.")
    if user.password:
        raise _conflict("must delete login profile first.")
    if any(user in group.users for group in groups):
        raise _conflict("must remove users from group first.")


def check_group_unused(group: Any) -> None:
    """Raise ``DeleteConflict`` for a group with users or policies."""
    if group.users:
        raise _conflict("must remove users from group first.")
    if group.managed_policies:
        raise _conflict("must detach all policies first.")
    if group.policies:
        raise _conflict("must delete policies first.")


def check_policy_unused(policy: Any, boundaries: Collection[str | None]) -> None:
    """Raise ``DeleteConflict`` for a policy in use, or with several versions."""
    if policy.attachment_count or policy.arn in boundaries:
        raise IAMException("DeleteConflict", "Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise IAMException(
            "DeleteConflict",
            "This policy has more than one version. Before you delete a policy, you must delete "
            "the policy's versions. The default version is deleted with the policy.",
        )


def check_managed(document: str) -> None:
    """Raise ``LimitExceeded`` for a managed policy that is too long."""
    if size(document) > QUOTAS["managed policy"]:
        raise _exceeded(f"Cannot exceed quota for PolicySize: {QUOTAS['managed policy']}")


def check_trust(document: str) -> None:
    """Raise ``LimitExceeded`` for a trust policy that is too long."""
    if size(document) > QUOTAS["trust policy"]:
        raise _exceeded(f"Cannot exceed quota for ACLSizePerRole: {QUOTAS['trust policy']}")


def check_inline(kind: str, owner: Any, name: str, document: str) -> None:
    """Raise ``LimitExceeded`` if all inline policies of an entity would be too long.

    ``kind`` is user, group or role.
    """
    others = (text for other, text in owner.policies.items() if other != name)
    most = QUOTAS[f"{kind}'s inline policies"]
    if size(document) + sum(map(size, others)) > most:
        raise _exceeded(f"Maximum policy size of {most} bytes exceeded for {kind} {owner.name}")


def check_attached(kind: str, owner: Any, arn: str) -> None:
    """Raise ``LimitExceeded`` if an entity would have too many managed policies."""
    if arn not in owner.managed_policies and len(owner.managed_policies) >= _ATTACHED:
        raise _exceeded(f"Cannot exceed quota for PoliciesPer{kind.title()}: {_ATTACHED}")


def _conflict(rest: str) -> IAMException:
    return IAMException("DeleteConflict", f"Cannot delete entity, {rest}")


def _exceeded(sentence: str) -> IAMException:
    return IAMException("LimitExceeded", sentence)
