"""Turn the testbed's clock."""

from datetime import UTC, datetime

from testbed.errors import TestbedError
from testbed.faults.base import Fault, Options, Parameter, Record, Target, seconds

_LATEST = 9000  # a year; what becomes due years later still has a date


class TurnClock(Fault):
    name = "turn-clock"
    summary = "Turn the clock of KMS and Amazon MQ forward; it cannot be turned back."
    in_aws = "Time passes: keys are deleted or rotated, imported material and tokens expire."
    of = "testbed"
    lasts = False
    parameters = (Parameter("by", "7d", "how far", seconds),)

    def plan(self, target: Target, options: Options) -> Record:
        clock, by = target.testbed.clock, options["by"]
        if clock.now() + by > datetime(_LATEST, 1, 1, tzinfo=UTC).timestamp():
            raise TestbedError(
                f"The clock cannot be turned forward by {by:g} s.",
                hint=f"It shows the year {clock.datetime():%Y}, and goes on to {_LATEST}.",
            )
        return {"subject": target.subject, "by": by}

    def inject(self, target: Target, record: Record) -> None:
        target.testbed.clock.turn(record["by"])

    def undo(self, target: Target, record: Record) -> None:
        """Leave it: time does not run back."""

    def describe(self, record: Record) -> str:
        return f"Turned the clock of {record['subject']} forward by {record['by']:g} s."
