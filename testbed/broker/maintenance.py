"""The periodic check of a broker's key and grants.

"A RabbitMQ broker with a CMK periodically verifies that the KMS key is enabled and the broker has
all necessary grants" (KMSERR). A broker that fails the check is in ``CRITICAL_ACTION_REQUIRED``
with the invalid-key code until a later check passes; one with a node that does not come back is in
that state, too. The period is not documented: it is a parameter of the testbed.
"""

from dataclasses import dataclass, replace

from testbed.broker import grants
from testbed.broker.model import Broker, Node
from testbed.documented.engines import INVALID_KMS_KEY, ActionRequired
from testbed.documented.grants import grants as shapes_of
from testbed.errors import KmsError
from testbed.kms.base import Kms, is_outage
from testbed.storage import volumes

IN_SERVICE = ("RUNNING", "CRITICAL_ACTION_REQUIRED")
_KEY_STATES = {
    "Disabled": "disabled",
    "PendingDeletion": "pending deletion",
    "PendingImport": "pending import",
}


_ALARMS = {
    "RABBITMQ_MEMORY_ALARM": "a node uses more memory than its limit",
    "RABBITMQ_DISK_ALARM": "a node has less free disk space than its limit",
}


@dataclass(frozen=True)
class Check:
    """The result of a check at the time ``at``. ``problem`` is a sentence, empty for a good key."""

    problem: str
    at: float


def check(kms: Kms, broker: Broker, now: float) -> Check | None:
    """Check the key and the grants. None if the broker is not in service.

    Raises ``KmsError`` during an outage, which says nothing about the key.
    """
    if broker.broker_state not in IN_SERVICE:
        return None
    return Check(key_problem(kms, broker), now)


def with_check(broker: Broker, result: Check | None) -> Broker:
    """Return a copy of the broker with the result of a check, if it is still in service."""
    if result is None or broker.broker_state not in IN_SERVICE:
        return broker
    if broker.key_problem and not result.problem:  # with the key again, nodes come back at once
        nodes = tuple(replace(node, failure=None) for node in broker.nodes)
        broker = replace(broker, nodes=nodes)
    return in_service(replace(broker, key_problem=result.problem, checked=result.at))


def in_service(broker: Broker) -> Broker:
    """Return a copy in the state that follows from its key and its nodes.

    For a node that does not come back no action code is documented, so it has none.
    """
    actions = [
        ActionRequired("", f"Node {node.name} does not come back: {node.failure.reason}")
        for node in broker.nodes
        if node.failure
    ]
    actions += [
        ActionRequired(code, f"RabbitMQ blocks publishers: {_ALARMS[code]}.")
        for code in broker.alarms
    ]
    if broker.key_problem:  # the reason of the others
        actions = [ActionRequired(INVALID_KMS_KEY[broker.engine_type], broker.key_problem)]
    return replace(
        broker,
        broker_state="CRITICAL_ACTION_REQUIRED" if actions else "RUNNING",
        actions_required=tuple(actions),
    )


def with_alarms(broker: Broker, alarms: tuple[str, ...]) -> Broker:
    """Return a copy with ``alarms``, and in the state that follows if it is in service."""
    broker = replace(broker, alarms=alarms)
    return in_service(broker) if broker.broker_state in IN_SERVICE else broker


def with_node(broker: Broker, node: Node) -> Broker:
    """Return a copy with ``node``, and in the state that follows if the broker is in service."""
    broker = broker.with_node(node)
    return in_service(broker) if broker.broker_state in IN_SERVICE else broker


def key_problem(kms: Kms, broker: Broker) -> str:
    """Return in one sentence why Amazon MQ cannot use the broker's key; empty when it can.

    Raises ``KmsError`` during an outage.
    """
    arn = broker.key_arn
    if not arn:
        return ""
    try:
        service = volumes.service(arn, broker.arn)
        state = kms.call(service, "DescribeKey", {"KeyId": arn})["KeyMetadata"]["KeyState"]
        if state != "Enabled":
            return f"The KMS key {arn} is {_KEY_STATES.get(state, state)}."
        shapes = shapes_of(broker.deployment_mode, broker.storage_type, broker.region)
        missing = grants.missing(kms, broker, shapes)
        if not missing:  # a Deny in the key's policy outweighs grants
            for volume in broker.volumes:
                volumes.check_data_key(kms, volume, broker.arn)
    except KmsError as error:
        if is_outage(error):
            raise
        return f"Amazon MQ has no access to the KMS key {arn} ({error})."
    if missing:
        names = " and the ".join(dict.fromkeys(grant.name for grant in missing))
        return f"The KMS key {arn} lacks the {names} of this broker."
    return ""
