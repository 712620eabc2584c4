"""Take KMS down, or let it hang."""

from testbed.faults.base import Fault, Record, Target
from testbed.state import holds


class KmsDown(Fault):
    name = "kms-down"
    summary = "Kill KMS: every call that needs it fails with KMSInternalException."
    in_aws = "KMS is unavailable in the Region."
    of = "kms"

    def holds(self, target: Target) -> list[str]:
        return [holds.KMS]

    def inject(self, target: Target, record: Record) -> None:
        for row in target.testbed.containers.find("kms"):
            target.testbed.containers.kill(row["id"])

    def undo(self, target: Target, record: Record) -> None:
        """Start it again, with its keys, and wait until it answers."""
        container = target.testbed.kms_container
        container.start(by_fault=True)
        container.wait_until_ready()

    def describe(self, record: Record) -> str:
        return "Killed KMS."


class KmsPause(KmsDown):
    name = "kms-pause"
    summary = "Pause KMS: calls wait, and fail with KMSInternalException after their timeout."
    in_aws = "KMS takes requests and does not answer."

    def inject(self, target: Target, record: Record) -> None:
        for row in target.testbed.containers.find("kms"):
            target.testbed.containers.pause(row["id"])

    def undo(self, target: Target, record: Record) -> None:
        """Let it go on, and wait until it answers."""
        for row in target.testbed.containers.find("kms"):
            target.testbed.containers.unpause(row["id"])
        super().undo(target, record)

    def describe(self, record: Record) -> str:
        return "Paused KMS: calls wait."
