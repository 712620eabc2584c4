"""Damage the volumes of nodes while these are stopped; a copy beside them makes up for it.

Copies are named by the number of the attachment whose content they have.
"""

from collections.abc import Sequence
from typing import ClassVar

from testbed.broker.model import Node
from testbed.faults import helper
from testbed.faults.base import Fault, Record, Target, broker_of
from testbed.state import holds


class DamageVolume(Fault):
    name = "damage-volume"
    summary = (
        "Stop the node, change a byte of each file on its volume, or where the filesystem of a "
        "block volume begins, and let it start again."
    )
    in_aws = "The volume is corrupt, as happens to one or two of 1,000 in a year (EBS gp3)."
    releases = True
    step: ClassVar[str] = "damage"

    def holds(self, target: Target) -> list[str]:
        broker_id = broker_of(target).broker_id
        return [holds.node(broker_id, node.name) for users in _by_volume(target) for node in users]

    def inject(self, target: Target, record: Record) -> None:
        for users in _by_volume(target):
            self._harm(target, users, [self.step])

    def _harm(self, target: Target, users: Sequence[Node], step: list[str]) -> None:
        _stop(target, users)
        volume = users[0].volume
        save = ["save", str(volume.attached)]
        helper.change_volume(target.testbed, volume.volume_id, save, step)

    def undo(self, target: Target, record: Record) -> None:
        """Put the copy back, unless a node has served from its volume since."""
        for users in _by_volume(target):
            volume, containers = users[0].volume, target.testbed.containers
            copies = helper.copies_of(volume.volume_id)
            if containers.has_volume(copies):
                _stop(target, users)
                restore = ["restore", str(volume.attached)]
                helper.change_volume(target.testbed, volume.volume_id, restore)
                containers.remove_volume(copies)

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

    def refusal(self, target: Target) -> str:
        if all(node.volume.storage_type == "EBS" for node in target.nodes):
            return ""
        return "Nothing tells an older copy of a file system (EFS) from the file system."

    def inject(self, target: Target, record: Record) -> None:
        """Make a copy, let the node serve from its volume meanwhile, and put the copy back."""
        for node in target.nodes:
            older = str(node.volume.attached)
            _stop(target, [node])
            helper.change_volume(target.testbed, node.volume.volume_id, ["save", older])
            broker = target.testbed.upkeep.attach(broker_of(target).broker_id, node.name)
            self._harm(target, [broker.node(node.name)], ["restore", older])

    def describe(self, record: Record) -> str:
        return f"Put an older copy in place of the volume of {record['subject']}."


def _by_volume(target: Target) -> list[list[Node]]:
    """Return the nodes of each volume that is hit: an active/standby broker's share one."""
    hit = {node.volume.volume_id for node in target.nodes}
    nodes = target.broker.nodes if target.broker else ()
    return [[node for node in nodes if node.volume.volume_id == volume] for volume in sorted(hit)]


def _stop(target: Target, nodes: Sequence[Node]) -> None:
    for node in nodes:
        target.testbed.upkeep.detach(broker_of(target).broker_id, node.name)
