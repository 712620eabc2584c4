"""Restart the container engine."""

from testbed.errors import TestbedError
from testbed.faults.base import Fault, Options, Parameter, Record, Target
from testbed.runtime import engine_process
from testbed.state import holds

_WAYS = ("gracefully", "killed")


def _way(text: str) -> str:
    if text not in _WAYS:
        raise ValueError(f"one of: {', '.join(_WAYS)}")
    return text


class RestartEngine(Fault):
    name = "restart-engine"
    summary = "Restart the container engine: every container of the testbed ends, KMS's too."
    in_aws = "All instances fail at once, as when their Availability Zone loses power."
    of = "engine"
    lasts = False
    parameters = (Parameter("how", "gracefully", "or `killed`", _way),)

    def refusal(self, target: Target) -> str:
        try:
            engine_process.find()
        except TestbedError as error:
            return f"{error} {error.hint}".strip()
        if others := target.testbed.containers.others():
            return f"the engine also runs what is not this testbed's: {', '.join(others)}."
        return ""

    def holds(self, target: Target) -> list[str]:
        nodes = [
            holds.node(broker.broker_id, node.name)
            for broker in target.testbed.brokers.peek_all()
            for node in broker.nodes
        ]
        return [holds.KMS, *nodes]

    def plan(self, target: Target, options: Options) -> Record:
        return {"subject": target.subject, "how": options["how"]}

    def inject(self, target: Target, record: Record) -> None:
        engine_process.find().restart(kill=record["how"] == "killed")

    def undo(self, target: Target, record: Record) -> None:
        """Start KMS, and wait until it answers; the brokers' nodes follow."""
        target.testbed.kms_container.start(by_fault=True)
        target.testbed.kms_container.wait_until_ready()

    def describe(self, record: Record) -> str:
        return f"Restarted the container engine ({record['how']})."
