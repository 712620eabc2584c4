"""Kill a node."""

from testbed.faults.base import Fault, Record, Target


class Kill(Fault):
    name = "kill"
    summary = "Kill the node's container: every process in it ends, and the volume is detached."
    in_aws = "The instance fails; Amazon MQ replaces it and attaches the volume."
    lasts = False

    def inject(self, target: Target, record: Record) -> None:
        for node in target.nodes:
            target.testbed.containers.kill(node.container_id)

    def undo(self, target: Target, record: Record) -> None:
        """Leave it to the start of the nodes that do not run."""

    def describe(self, record: Record) -> str:
        return f"Killed {record['subject']}."
