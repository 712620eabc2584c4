"""The periodic check of a broker's key and grants, and what comes of it.

"A RabbitMQ broker with a CMK periodically verifies that the KMS key is enabled and the broker has all necessary grants"
(KMSERR). A broker that fails the check is in ``CRITICAL_ACTION_REQUIRED`` with the invalid-key code until a later check
passes. The period is not documented: a parameter of the testbed.
"""

from dataclasses import replace

from testbed.broker import grants
from testbed.broker.model import Broker
from testbed.documented.engines import INVALID_KMS_KEY, ActionRequired
from testbed.documented.grants import grants as shapes_of
from testbed.errors import KmsError
from testbed.kms.base import Kms, is_outage
from testbed.storage import volumes

_IN_SERVICE = ("RUNNING", "CRITICAL_ACTION_REQUIRED")


def key_problem(kms: Kms, broker: Broker) -> str:
    """Why Amazon MQ cannot use the broker's key, one sentence; empty when it can. Raises ``KmsError`` in an outage."""
    if not broker.key_arn:
        return ""
    try:
        key = kms.call(volumes.service(broker.key_arn), "DescribeKey", {"KeyId": broker.key_arn})[
            "KeyMetadata"
        ]
        if key["KeyState"] != "Enabled":
            return (
                f"The KMS key {broker.key_arn} is {_STATES.get(key['KeyState'], key['KeyState'])}."
            )
        gone = grants.missing(
            kms,
            broker.key_arn,
            broker.grants,
            shapes_of(broker.deployment_mode, broker.storage_type),
        )
    except KmsError as error:
        if is_outage(error):
            raise
        return f"Amazon MQ has no access to the KMS key {broker.key_arn} ({error})."
    if gone:
        return f"The KMS key {broker.key_arn} lacks the {' and the '.join(dict.fromkeys(grant.name for grant in gone))} of this broker."
    return ""


def checked(kms: Kms, broker: Broker, now: float) -> Broker:
    """The broker after a check at ``now``. An outage of KMS says nothing about the key: the state stays as it is."""
    if broker.broker_state not in _IN_SERVICE:
        return broker
    try:
        problem = key_problem(kms, broker)
    except KmsError:
        return broker
    action = ActionRequired(INVALID_KMS_KEY[broker.engine_type], problem)
    return replace(
        broker,
        broker_state="CRITICAL_ACTION_REQUIRED" if problem else "RUNNING",
        actions_required=(action,) if problem else (),
        checked=now,
    )


def noted(broker: Broker, seen: Broker) -> Broker:
    """``broker`` as it is by now, with what a check found on the broker as it was ``seen``."""
    if broker.broker_state not in _IN_SERVICE or seen.broker_state not in _IN_SERVICE:
        return broker
    return replace(
        broker,
        broker_state=seen.broker_state,
        actions_required=seen.actions_required,
        checked=seen.checked,
    )


_STATES = {"Disabled": "disabled", "PendingDeletion": "pending deletion"}
