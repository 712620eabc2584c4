"""Make a broker's key unusable, as its owner can."""

import logging
from typing import Any

from testbed.broker.model import Broker
from testbed.errors import KmsError
from testbed.faults.base import Fault, Options, Record, Target
from testbed.kms.operations.key_states import SHORTEST_WINDOW

logger = logging.getLogger(__name__)


class DisableKey(Fault):
    name = "disable-key"
    summary = "Disable the broker's key; it takes effect after the delay of KMS."
    in_aws = "The key's owner disables it: CRITICAL_ACTION_REQUIRED, and lost nodes stay lost."
    of = "broker"

    def refusal(self, target: Target) -> str:
        broker = _broker(target)
        if broker.key_ownership != "CUSTOMER_MANAGED":
            return "Only a customer managed key can be disabled or deleted."
        if (state := _state(target, broker.key_arn)) != "Enabled":
            return f"The state of its key is {state}."
        return ""

    def plan(self, target: Target, options: Options) -> Record:
        return {"subject": target.subject, "key": _broker(target).key_arn}

    def inject(self, target: Target, record: Record) -> None:
        _call(target, "DisableKey", record["key"])

    def undo(self, target: Target, record: Record) -> None:
        """Enable the key, and check it. A key that KMS has deleted stays deleted."""
        key = record["key"]
        try:
            if _state(target, key) == "PendingDeletion":
                _call(target, "CancelKeyDeletion", key)
            if _state(target, key) == "Disabled":
                _call(target, "EnableKey", key)
        except KmsError as error:
            if error.code != "NotFoundException":
                raise
            logger.warning("the key %s is gone", key)
        if target.broker:
            target.testbed.brokers.check(target.broker.broker_id)

    def describe(self, record: Record) -> str:
        return f"Disabled the key {record['key']}."


class ScheduleKeyDeletion(DisableKey):
    name = "schedule-key-deletion"
    summary = "Schedule the deletion of the broker's key; it takes effect after the delay of KMS."
    in_aws = "The key's owner wants to delete it: CRITICAL_ACTION_REQUIRED until that is cancelled."

    def inject(self, target: Target, record: Record) -> None:
        _call(target, "ScheduleKeyDeletion", record["key"], PendingWindowInDays=SHORTEST_WINDOW)

    def describe(self, record: Record) -> str:
        return f"Scheduled the deletion of the key {record['key']}."


def _broker(target: Target) -> Broker:
    if target.broker is None:
        raise ValueError("a fault of a broker")
    return target.broker


def _state(target: Target, key: str) -> str:
    return str(_call(target, "DescribeKey", key)["KeyMetadata"]["KeyState"])


def _call(target: Target, operation: str, key: str, **parameters: int) -> dict[str, Any]:
    """Call KMS as the broker's owner. Raises ``KmsError``."""
    caller = target.broker.owner if target.broker else target.testbed.user
    return target.testbed.kms.call(caller, operation, {"KeyId": key, **parameters})
