"""Make a broker's key unusable, as its owner can."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from testbed.errors import KmsError
from testbed.faults.base import Fault, Options, Record, Target, broker_of
from testbed.kms import naming
from testbed.kms.operations.key_states import SHORTEST_WINDOW

logger = logging.getLogger(__name__)


class DisableKey(Fault):
    name = "disable-key"
    summary = "Disable the broker's key; it takes effect after the delay of KMS."
    in_aws = "The key's owner disables it: CRITICAL_ACTION_REQUIRED, and lost nodes stay lost."
    of = "broker"

    def refusal(self, target: Target) -> str:
        broker = broker_of(target)
        if broker.key_ownership != "CUSTOMER_MANAGED":
            return "Only a customer managed key can be disabled or deleted."
        if (state := _state(target, broker.key_arn)) != "Enabled":
            return f"The state of its key is {state}."
        return ""

    def plan(self, target: Target, options: Options) -> Record:
        return {"subject": target.subject, "key": broker_of(target).key_arn}

    def inject(self, target: Target, record: Record) -> None:
        call_owner(target, "DisableKey", record["key"])

    def undo(self, target: Target, record: Record) -> None:
        """Make the key usable again, and check it. A key that KMS has deleted stays deleted."""
        key = record["key"]
        with unless_deleted(key):
            if _state(target, key) == "PendingDeletion":
                call_owner(target, "CancelKeyDeletion", key)
            self._restore(target, record)
        if target.broker:
            target.testbed.upkeep.check(target.broker.broker_id)

    def _restore(self, target: Target, record: Record) -> None:
        """Undo what the fault did to a key that is not pending deletion."""
        if _state(target, record["key"]) == "Disabled":
            call_owner(target, "EnableKey", record["key"])

    def describe(self, record: Record) -> str:
        return f"Disabled the key {record['key']}."


class ScheduleKeyDeletion(DisableKey):
    name = "schedule-key-deletion"
    summary = "Schedule the deletion of the broker's key; it takes effect after the delay of KMS."
    in_aws = "The key's owner wants to delete it: CRITICAL_ACTION_REQUIRED until that is cancelled."

    def inject(self, target: Target, record: Record) -> None:
        call_owner(
            target, "ScheduleKeyDeletion", record["key"], PendingWindowInDays=SHORTEST_WINDOW
        )

    def describe(self, record: Record) -> str:
        return f"Scheduled the deletion of the key {record['key']}."


def _state(target: Target, key: str) -> str:
    return str(call_owner(target, "DescribeKey", key)["KeyMetadata"]["KeyState"])


@contextmanager
def unless_deleted(key: str) -> Iterator[None]:
    """Leave the block where KMS does not find the key: it was deleted in the meantime."""
    try:
        yield
    except KmsError as error:
        if error.code != "NotFoundException":
            raise
        logger.warning("the key %s is gone", key)


def call_owner(target: Target, operation: str, key: str, **parameters: Any) -> dict[str, Any]:
    """Call KMS as the broker's owner, who owns its key, too. Raises ``KmsError``."""
    # A broker may be deleted before its fault is undone.
    caller = target.broker.owner if target.broker else naming.owner(key)
    return target.testbed.kms.call(caller, operation, {"KeyId": key, **parameters})
