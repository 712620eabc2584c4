"""Damage the volumes of nodes while these are stopped; a copy beside them makes up for it.

Copies are named by the number of the attachment whose content they have.
"""

from typing import ClassVar

from testbed.broker.model import Node
from testbed.faults import helper
from testbed.faults.base import Fault, Record, Target, broker_of


class DamageVolume(Fault):
    name = "damage-volume"
    summary = (
        "Stop the node, change a byte of each file on its volume, or where the filesystem of a "
        "block volume begins, and let it start again."
    )
    in_aws = "The volume is corrupt, as happens to one or two of 1,000 in a year (EBS gp3)."
    releases = True
    step: ClassVar[str] = "damage"

    def refusal(self, target: Target) -> str:
        if all(node.volume.storage_type == "EBS" for node in target.nodes):
            return ""
        return "Its nodes share a file system, which has no volumes to damage."

    def inject(self, target: Target, record: Record) -> None:
        for node in target.nodes:
            self._harm(target, node, [self.step])

    def _harm(self, target: Target, node: Node, step: list[str]) -> None:
        target.testbed.brokers.detach(broker_of(target).broker_id, node.name)
        save = ["save", str(node.volume.attached)]
        helper.change_volume(target.testbed, node.volume.volume_id, save, step)

    def undo(self, target: Target, record: Record) -> None:
        """Put the copy back, unless the node has served from its volume since."""
        for node in target.nodes:
            volume, testbed = node.volume, target.testbed
            copies = helper.copies_of(volume.volume_id)
            if testbed.containers.has_volume(copies):
                testbed.brokers.detach(broker_of(target).broker_id, node.name)
                restore = ["restore", str(volume.attached)]
                helper.change_volume(testbed, volume.volume_id, restore)
                testbed.containers.remove_volume(copies)

    def describe(self, record: Record) -> str:
        return f"Damaged the volume of {record['subject']}."


class TruncateVolume(DamageVolume):
    name = "truncate-volume"
    summary = "Stop the node, halve each file on its volume, and let it start again."
    in_aws = "The volume was made from an incomplete copy."
    step = "truncate"

    def describe(self, record: Record) -> str:
        return f"Halved each file on the volume of {record['subject']}."


class EmptyVolume(DamageVolume):
    name = "empty-volume"
    summary = "Stop the node, empty its volume, and let it start again: it is refused."
    in_aws = "A new volume takes the place of the node's: its messages are gone."
    step = "empty"

    def describe(self, record: Record) -> str:
        return f"Emptied the volume of {record['subject']}."


class RollBackVolume(DamageVolume):
    name = "roll-back-volume"
    summary = "Put an older copy in place of the node's volume, and let it start: it is refused."
    in_aws = "A snapshot takes its place: messages since are gone, consumed ones are back."

    def inject(self, target: Target, record: Record) -> None:
        """Make a copy, let the node serve from its volume meanwhile, and put the copy back."""
        brokers, broker_id = target.testbed.brokers, broker_of(target).broker_id
        for node in target.nodes:
            older = str(node.volume.attached)
            brokers.detach(broker_id, node.name)
            helper.change_volume(target.testbed, node.volume.volume_id, ["save", older])
            served = brokers.attach(broker_id, node.name).node(node.name)
            self._harm(target, served, ["restore", older])

    def describe(self, record: Record) -> str:
        return f"Put an older copy in place of the volume of {record['subject']}."
