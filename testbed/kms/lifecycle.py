"""Key states, and the delay after which a change of them is felt. See ``states`` for what a state is.

The ledger decides: on LocalStack a key stays enabled, so that it can be used until the delay is over. A key that someone
disabled or scheduled for deletion on LocalStack itself is refused there, is described so, and is put right by EnableKey
and CancelKeyDeletion. Who is shown what: principals of the key's account the state they asked for, all others, services
at work among them, the state that is in effect.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from testbed.kms import refusals, states
from testbed.kms.base import Caller, Kms
from testbed.kms.ledger import Ledger
from testbed.kms.naming import owner
from testbed.kms.policy import belongs_to
from testbed.kms.states import DAY, Key

SHORTEST_WINDOW, LONGEST_WINDOW = 7, 30  # days (API reference, ScheduleKeyDeletion)


class LifecycleKms:
    """``delay``: seconds from DisableKey or ScheduleKeyDeletion until the key cannot be used any more."""

    def __init__(self, kms: Kms, ledger: Ledger, now: Callable[[], float], *, delay: float) -> None:
        if not 0 <= delay < SHORTEST_WINDOW * DAY:
            raise ValueError(
                "the delay must be 0 or more seconds, and shorter than the shortest window of a deletion, 7 days"
            )
        self._kms, self._ledger, self._now, self._delay = kms, ledger, now, delay
        self._changes = {
            "DisableKey": self._disable,
            "EnableKey": self._enable,
            "ScheduleKeyDeletion": self._schedule,
            "CancelKeyDeletion": self._cancel,
        }

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``; raises ``DisabledException`` and ``KMSInvalidStateException``."""
        change = self._changes.get(operation)
        if change:
            with self._ledger.change():
                return change(self._key(parameters["KeyId"]), parameters)
        for member in ("KeyId", "SourceKeyId", "DestinationKeyId", "TargetKeyId"):
            if member in parameters:
                states.check(self._key(parameters[member]), operation, self._now())
        answer = self._kms.call(caller, operation, parameters)
        return self._described(caller, answer) if operation == "DescribeKey" else answer

    def _key(self, arn: str) -> Key:
        key = self._ledger.key(arn)
        if key is None:
            raise refusals.no_such_key(arn)
        return key

    def _disable(self, key: Key, parameters: Mapping[str, Any]) -> dict[str, Any]:
        states.check(key, "DisableKey", self._now())
        self._imported(key)
        self._ledger.put_key(key.disabled(self._now(), self._delay))
        return {}

    def _enable(self, key: Key, parameters: Mapping[str, Any]) -> dict[str, Any]:
        states.check(key, "EnableKey", self._now())
        if self._imported(key) != "Enabled":
            self._kms.call(owner(key.account), "EnableKey", {"KeyId": key.arn})
        overdue = (
            key.rotates is not None and key.rotates < self._now()
        )  # not made up for, but rotated once
        self._ledger.put_key(
            replace(key.enabled(), rotates=self._now() if overdue else key.rotates)
        )
        return {}

    def _schedule(self, key: Key, parameters: Mapping[str, Any]) -> dict[str, Any]:
        days = parameters.get("PendingWindowInDays", LONGEST_WINDOW)
        if not SHORTEST_WINDOW <= days <= LONGEST_WINDOW:
            raise refusals.invalid(
                f"PendingWindowInDays should be between {SHORTEST_WINDOW} and {LONGEST_WINDOW}, but it is {days}"
            )
        states.check(key, "ScheduleKeyDeletion", self._now())
        scheduled = key.scheduled(self._now(), self._delay, days)
        self._ledger.put_key(scheduled)
        return {
            "KeyId": key.arn,
            "DeletionDate": _date(scheduled.deletion),
            "KeyState": scheduled.state,
            "PendingWindowInDays": days,
        }

    def _cancel(self, key: Key, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if key.state != "PendingDeletion" and self._on_localstack(key) == "PendingDeletion":
            self._kms.call(owner(key.account), "CancelKeyDeletion", {"KeyId": key.arn})
            key = key.disabled(self._now(), 0)
        else:
            states.check(key, "CancelKeyDeletion", self._now())
        self._ledger.put_key(key.cancelled())
        return {"KeyId": key.arn}

    def _on_localstack(self, key: Key) -> str:
        return self._kms.call(owner(key.account), "DescribeKey", {"KeyId": key.arn})["KeyMetadata"][
            "KeyState"
        ]

    def _imported(self, key: Key) -> str:
        """The state on LocalStack; raises ``KMSInvalidStateException`` while the key has no material yet."""
        state = self._on_localstack(key)
        if state == "PendingImport":
            raise refusals.pending_import(key.arn)
        return state

    def _described(self, caller: Caller, answer: Mapping[str, Any]) -> dict[str, Any]:
        metadata = answer["KeyMetadata"]
        key = self._ledger.key(metadata["Arn"])
        if key is None:
            raise refusals.no_such_key(metadata["Arn"])
        state = key.state if belongs_to(caller, key.account) else key.effective_state(self._now())
        if state == "Enabled":
            return dict(answer)
        shown = {**metadata, "KeyState": state, "Enabled": False}
        if state == "PendingDeletion":
            shown["DeletionDate"] = _date(key.deletion)
        return {**answer, "KeyMetadata": shown}


def _date(seconds: float | None) -> datetime:
    return datetime.fromtimestamp(seconds or 0, UTC)
