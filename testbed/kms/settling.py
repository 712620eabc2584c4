"""What falls due without anyone's asking: the end of keys, rotation by the clock, grants that have ended.

It is done before the first call that comes after its time, so nobody can tell when it was done; and on ``settle``. Each
piece can be done twice without harm, so it does not matter where it is cut short.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from testbed.kms.base import Caller, Kms
from testbed.kms.ledger import Ledger
from testbed.kms.moment import Moment
from testbed.kms.naming import owner
from testbed.kms.rotation import RotatingKms
from testbed.kms.states import DAY, Key

# With this tag the KMS container drops a key (``containers/localstack/persist.py``); no caller can set it.
DESTROY = "aws:testbed:destroy"

# The event's name as CloudTrail has it (DeleteKey, RotateKey), the ARN of the key, and when: seconds since 1970.
Happened = Callable[[str, str, float], None]


class SettlingKms:
    """The outermost wrapper. ``happened`` is told of what the service did by itself, before it is settled: once, or again after a crash."""

    def __init__(
        self,
        kms: Kms,
        backend: Kms,
        rotation: RotatingKms,
        ledger: Ledger,
        moment: Moment,
        happened: Happened = lambda *_: None,
    ) -> None:
        self._kms, self._backend, self._rotation = kms, backend, rotation
        self._ledger, self._moment, self._happened = ledger, moment, happened

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``."""
        with self._moment.held() as now, self._ledger.remembering():
            if self._ledger.is_due(now):
                self.settle()
            return self._kms.call(caller, operation, parameters)

    def settle(self) -> None:
        """Do all that is due by now. Raises ``KmsError`` when KMS does not answer; what is left is done the next time."""
        with self._ledger.change():
            self._ledger.drop_ended_grants(self._moment.now())
        while due := self._ledger.due(self._moment.now()):
            with self._ledger.change():
                key = self._ledger.key(due[0].arn)  # another process may have been here
                now = self._moment.now()
                if key is None or key.due is None or key.due > now:
                    continue
                if key.state == "PendingDeletion":
                    self._destroy(key)
                    self._happened("DeleteKey", key.arn, key.due)
                else:
                    self._rotate(key)
                    self._happened("RotateKey", key.arn, key.due)

    def _destroy(self, key: Key) -> None:
        """The material first: a key that is still in the ledger is tried again."""
        self._backend.call(
            owner(key.account),
            "TagResource",
            {"KeyId": key.arn, "Tags": [{"TagKey": DESTROY, "TagValue": key.key_id}]},
        )
        self._ledger.drop_key(key.arn)

    def _rotate(self, key: Key) -> None:
        assert key.rotates is not None
        rotated = self._rotation.rotated(key, key.rotates, "AUTOMATIC")
        self._ledger.put_key(replace(rotated, rotates=key.rotates + key.rotation_period * DAY))
