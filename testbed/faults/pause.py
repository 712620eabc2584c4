"""Pause a node."""

from testbed.faults.base import Fault, Record, Target


class Pause(Fault):
    name = "pause"
    summary = "Pause all processes of the node: connections stay open, and nothing answers."
    in_aws = "The instance hangs: its host is overloaded or its volume does not answer."

    def inject(self, target: Target, record: Record) -> None:
        for node in target.nodes:
            target.testbed.containers.pause(node.container_id)

    def undo(self, target: Target, record: Record) -> None:
        for node in target.nodes:
            target.testbed.containers.unpause(node.container_id)

    def describe(self, record: Record) -> str:
        return f"Paused {record['subject']}: connections stay open, and nothing answers."
