"""Let KMS forget its keys."""

from testbed.faults import helper
from testbed.faults.base import Record, Target
from testbed.faults.kms_container import KmsDown


class KmsForget(KmsDown):
    name = "kms-forget"
    summary = "Restart KMS without its keys; those made meanwhile are gone after the fault."
    in_aws = "The keys were deleted, or are another account's: CRITICAL_ACTION_REQUIRED."

    def inject(self, target: Target, record: Record) -> None:
        self._restart(target, ["save", "keys"], ["empty"])

    def undo(self, target: Target, record: Record) -> None:
        """Put the keys back, and wait until KMS answers."""
        containers, copies = (
            target.testbed.containers,
            helper.copies_of(target.testbed.kms_container.name),
        )
        if containers.has_volume(copies):
            self._restart(target, ["restore", "keys"])
            containers.remove_volume(copies)
        super().undo(target, record)

    def describe(self, record: Record) -> str:
        return "Restarted KMS without its keys."

    def _restart(self, target: Target, *steps: list[str]) -> None:
        container = target.testbed.kms_container
        super().inject(target, {})
        helper.change_volume(target.testbed, container.name, *steps)
        container.start(by_fault=True)
        container.wait_until_ready()
