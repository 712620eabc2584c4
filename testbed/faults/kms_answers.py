"""Let KMS answer late, or refuse calls as too many."""

from testbed.faults.base import Fault, Options, Parameter, Record, Target, seconds, share
from testbed.kms.disturbance import KEY


class KmsSlow(Fault):
    name = "kms-slow"
    summary = "Let each call of KMS take longer."
    in_aws = "KMS or the way to it is slow."
    of = "kms"
    parameters = (Parameter("delay", "1s", "added to each call", seconds),)

    def plan(self, target: Target, options: Options) -> Record:
        return {"subject": target.subject, KEY: {"delay": options["delay"]}}

    def inject(self, target: Target, record: Record) -> None:
        """Leave it to the record, which KMS reads at each call."""

    def undo(self, target: Target, record: Record) -> None:
        """Leave it to the end of the record."""

    def describe(self, record: Record) -> str:
        return f"Let each call of KMS take {record[KEY]['delay']:g} s longer."


class KmsThrottle(Fault):
    name = "kms-throttle"
    summary = "Refuse calls of KMS with ThrottlingException, which SDKs try again."
    in_aws = "The account exceeds its request quota; what services call for it counts too."
    of = "kms"
    parameters = (Parameter("share", "100%", "of the calls", share),)

    def plan(self, target: Target, options: Options) -> Record:
        return {"subject": target.subject, KEY: {"throttled": options["share"]}}

    def inject(self, target: Target, record: Record) -> None:
        """Leave it to the record, which KMS reads at each call."""

    def undo(self, target: Target, record: Record) -> None:
        """Leave it to the end of the record."""

    def describe(self, record: Record) -> str:
        return f"Let KMS throttle {100 * record[KEY]['throttled']:g}% of the calls."
