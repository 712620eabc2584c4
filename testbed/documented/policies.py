"""The default policies of an Amazon MQ for RabbitMQ broker, all on the virtual host "/" only.

Sources: RDEF for names, priorities and keys; "Applying default policies" for the operator policy.
Undocumented and chosen here: RabbitMQ 4's ``max-length`` (the one documented for a cluster of
mq.m5.large), which keys each of a cluster's two policies has, and the patterns, which match all.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """A policy; ``apply_to`` is a kind of queue or exchange, in RabbitMQ's words."""

    name: str
    apply_to: str
    priority: int
    definition: Mapping[str, object]
    pattern: str = ".*"


_LIMIT = {"max-length": 8_000_000, "overflow": "reject-publish"}

_SINGLE = (Policy("AWS-DEFAULT-POLICY-SINGLE-INSTANCE", "queues", 0, {"queue-mode": "lazy"}),)
_CLUSTER_3 = (
    Policy("AWS-DEFAULT-POLICY-CLUSTER-MULTI-AZ", "queues", 0, {"queue-mode": "lazy", **_LIMIT}),
    Policy("AWS-DEFAULT-QUORUM-QUEUES-POLICY-CLUSTER-MULTI-AZ", "quorum_queues", 1, _LIMIT),
)
_CLUSTER_4 = (
    Policy("AWS-DEFAULT-POLICY-CLUSTER", "queues", 0, {"queue-mode": "lazy", **_LIMIT}),
    Policy("AWS-DEFAULT-QUORUM-QUEUES-POLICY-CLUSTER-MULTI-AZ", "quorum_queues", 1, _LIMIT),
)
_OPERATOR = "default_operator_policy_AWS_managed"


def policies(version: str, *, cluster: bool) -> tuple[Policy, ...]:
    """Return the default policies of RabbitMQ ``version`` (major.minor)."""
    if not cluster:
        return _SINGLE
    return _CLUSTER_3 if version.startswith("3.") else _CLUSTER_4


def operator_policy(version: str) -> Policy:
    """Return the operator policy, which no user of the broker can change."""
    mirrored = {"ha-mode": "all", "ha-sync-mode": "automatic"} if version.startswith("3.") else {}
    return Policy(_OPERATOR, "classic_queues", 0, {**mirrored, "queue-version": 2})
