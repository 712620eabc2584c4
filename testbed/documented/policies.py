"""The policies that an Amazon MQ for RabbitMQ broker has from the start, all on the virtual host "/" alone.

Sources: RDEF (names, priorities, and which keys they set), "Applying default policies" (the operator policy). Not
documented, and chosen here: ``max-length`` of RabbitMQ 4 (the one documented for a cluster of mq.m5.large), the order of
keys between the two policies of a cluster, and the patterns, which are everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """``apply_to`` is RabbitMQ's: which kind of queue or exchange it is about."""

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


def policies(version: str, cluster: bool) -> tuple[Policy, ...]:
    """The default policies of RabbitMQ ``version``, major.minor."""
    if not cluster:
        return _SINGLE
    return _CLUSTER_3 if version.startswith("3.") else _CLUSTER_4


def operator_policy(version: str) -> Policy:
    """What no user of the broker can change."""
    mirrored = {"ha-mode": "all", "ha-sync-mode": "automatic"} if version.startswith("3.") else {}
    return Policy(_OPERATOR, "classic_queues", 0, {**mirrored, "queue-version": 2})
