"""Turn the testbed's clock."""

from testbed.faults.base import Fault, Options, Parameter, Record, Target, seconds


class TurnClock(Fault):
    name = "turn-clock"
    summary = "Turn the clock of KMS and Amazon MQ forward; it cannot be turned back."
    in_aws = "Time passes: keys are deleted or rotated, imported material and tokens expire."
    of = "testbed"
    lasts = False
    parameters = (Parameter("by", "7d", "how far", seconds),)

    def plan(self, target: Target, options: Options) -> Record:
        return {"subject": target.subject, "by": options["by"]}

    def inject(self, target: Target, record: Record) -> None:
        target.testbed.clock.turn(record["by"])

    def undo(self, target: Target, record: Record) -> None:
        """Leave it: time does not run back."""

    def describe(self, record: Record) -> str:
        return f"Turned the clock of {record['subject']} forward by {record['by']:g} s."
