"""Enabling, disabling and deleting keys, and the delay until that takes effect. See ``kms.key``.

The ledger decides: on LocalStack a key stays enabled, so that it can be used until the delay is
over. A key that was disabled or scheduled for deletion on LocalStack itself is refused there, is
described so, and is put right by EnableKey and CancelKeyDeletion.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from testbed.kms import refusals
from testbed.kms.backend import Backend
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.key import Key, check_state
from testbed.kms.naming import owner

SHORTEST_WINDOW, LONGEST_WINDOW = 7, 30  # days (API reference, ScheduleKeyDeletion)


def disable(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """DisableKey."""
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        check_state(key, "DisableKey", call.now)
        change.put_key(key.disabled(call.now, services.delay))
    return {}


def enable(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """EnableKey. Takes effect at once; an overdue rotation is made once, not made up for."""
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        check_state(key, "EnableKey", call.now)
        if _state(services.backend, key) != "Enabled":
            services.backend.call(owner(key.arn), "EnableKey", {"KeyId": key.arn})
        overdue = key.rotates is not None and key.rotates < call.now
        change.put_key(replace(key.enabled(), rotates=call.now if overdue else key.rotates))
    return {}


def schedule_deletion(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """ScheduleKeyDeletion."""
    days = call.parameters.get("PendingWindowInDays", LONGEST_WINDOW)
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        if not SHORTEST_WINDOW <= days <= LONGEST_WINDOW:
            raise refusals.invalid(
                f"PendingWindowInDays should be between {SHORTEST_WINDOW} and {LONGEST_WINDOW}, "
                f"but it is {days}"
            )
        check_state(key, "ScheduleKeyDeletion", call.now)
        # "The primary key can't be deleted until its replicas are" (API reference).
        after = key.multi_region and any(other.is_replica for other in change.related(key))
        after = after and not key.is_replica
        scheduled = key.scheduled(call.now, services.delay, days, after_replicas=after)
        change.put_key(scheduled)
    answer = {"KeyId": key.arn, "KeyState": scheduled.state, "PendingWindowInDays": days}
    if scheduled.deletion is not None:
        answer["DeletionDate"] = datetime.fromtimestamp(scheduled.deletion, UTC)
    return answer


def cancel_deletion(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """CancelKeyDeletion."""
    backend = services.backend
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        if key.state != "PendingDeletion" and _state(backend, key) == "PendingDeletion":
            backend.call(owner(key.arn), "CancelKeyDeletion", {"KeyId": key.arn})
            key = key.disabled(call.now, 0)
        else:
            check_state(key, "CancelKeyDeletion", call.now)
        change.put_key(key.cancelled())
    return {"KeyId": key.arn}


def _state(backend: Backend, key: Key) -> str:
    """Return the state that LocalStack has the key in."""
    answer = backend.call(owner(key.arn), "DescribeKey", {"KeyId": key.arn})
    return str(answer["KeyMetadata"]["KeyState"])
