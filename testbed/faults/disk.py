"""Let the disk under a node's volume be full, or slow."""

import secrets
import time
from typing import Any

from testbed.broker.model import Node
from testbed.documented.engines import ALARMS
from testbed.errors import TestbedError
from testbed.faults import helper
from testbed.faults.base import (
    Fault,
    Options,
    Parameter,
    Record,
    Target,
    broker_of,
    seconds,
    size,
)
from testbed.storage import raw

_ALARM = ALARMS["disk"]
_NOTICED_WITHIN = 30.0  # seconds; it looks for free space every 10
_RABBITMQ = 20_000_000  # bytes that are left: below its limit, so that it stops publishers
_FILLER = f"{raw.MOUNT}/.filler"  # which the next attachment removes (containers/base/enter)
# The broker may write meanwhile, and the blocks that are left cannot be allocated but written.
_FILL = """
for _ in 1 2 3 4 5; do
    rm -f "$1"
    take=$(($(df --output=avail -B 1 "$2" | tail -n 1) - $3))
    [ "$take" -gt 0 ] || exit 0
    fallocate -l "$take" "$1" && break
done
[ -e "$1" ] || exit
[ "$3" != 0 ] || ! cat /dev/zero >>"$1" 2>/dev/null
"""


def _free(text: str) -> int | None:
    return None if text == "auto" else int(size(text))


class DiskFull(Fault):
    name = "disk-full"
    summary = (
        "Fill the disk under the node's volume: RabbitMQ blocks publishers (it looks every 10 s), "
        "ActiveMQ refuses messages."
    )
    in_aws = "Messages that nobody consumes fill the volume (RABBITMQ_DISK_ALARM)."
    parameters = (
        Parameter(
            "free",
            "auto",
            "what is left, such as `40MB`; with `0` writes fail, which breaks RabbitMQ until its "
            "node has restarted; 20MB on RabbitMQ and 0 on ActiveMQ unless given",
            _free,
        ),
    )

    def refusal(self, target: Target) -> str:
        for node in target.nodes:
            if not node.volume.encrypted and node.volume.kind == "files":
                return "The volume is not encrypted, so no process is behind its mount."
            if not target.testbed.containers.state(node.container_id).running:
                return f"Node {node.name} is not running."
        return ""

    def plan(self, target: Target, options: Options) -> Record:
        free = options["free"]
        if free is None:
            free = _RABBITMQ if _is_rabbitmq(target) else 0
        if free and not _is_rabbitmq(target):
            raise TestbedError("ActiveMQ asks for free space only at its start: use free=0.")
        return self._record(target, free=free)

    def inject(self, target: Target, record: Record) -> None:
        for node in target.nodes:
            if node.volume.kind == "block" and "free" in record["order"]:
                _fill(target, node, record["order"]["free"])
                continue
            helper.run(
                target.testbed,
                f"{record['helper']}-{node.name}",
                helper.among_processes(node),
                stays=True,
                tool="disk",
                volume=raw.VOLUME,
                **record["order"],
            )

    def undo(self, target: Target, record: Record) -> None:
        """Let the disk work again, and wait until RabbitMQ has noticed.

        A RabbitMQ whose writes have failed is ended, since it does not write any more.
        """
        for node in target.nodes:
            helper.remove(target.testbed, f"{record['helper']}-{node.name}")
            if target.testbed.containers.state(node.container_id).running:  # else at its start
                target.testbed.containers.execute(node.container_id, ["rm", "-f", _FILLER], "root")
            if _is_rabbitmq(target) and record["order"].get("free") == 0:
                target.testbed.containers.kill(node.container_id)
        if _is_rabbitmq(target):
            end, brokers = time.monotonic() + _NOTICED_WITHIN, target.testbed.brokers
            broker_id = broker_of(target).broker_id
            while (
                _ALARM in brokers.upkeep.look_for_alarms(broker_id).alarms
                and time.monotonic() < end
            ):
                time.sleep(0.2)

    def describe(self, record: Record) -> str:
        free = record["order"]["free"]
        if free:
            return f"Filled the disk of {record['subject']}: {free / 1e6:g} MB are left."
        return f"Filled the disk of {record['subject']}: writes fail with ENOSPC."

    def _record(self, target: Target, **order: Any) -> Record:
        name = f"fault-{secrets.token_hex(4)}"
        return {"subject": target.subject, "helper": name, "order": order}


def _fill(target: Target, node: Node, free: int) -> None:
    """Take all but ``free`` bytes of a block volume."""
    command = ["sh", "-c", _FILL, "fill", _FILLER, raw.MOUNT, str(free)]
    code, output = target.testbed.containers.execute(node.container_id, command, user="root")
    if code:
        raise TestbedError(
            f"The volume of node {node.name} could not be filled: "
            f"{output.decode(errors='replace').strip()}",
            hint="`testbed status` shows which nodes run.",
        )


def _is_rabbitmq(target: Target) -> bool:
    return target.broker is not None and target.broker.engine_type == "RABBITMQ"


class DiskSlow(DiskFull):
    name = "disk-slow"
    summary = "Delay each write, read and sync of the node's volume."
    in_aws = "The volume has spent its burst credits, or its bandwidth is used up."
    parameters = (Parameter("delay", "100ms", "of each access to the disk", seconds),)

    def plan(self, target: Target, options: Options) -> Record:
        return self._record(target, delay=options["delay"])

    def describe(self, record: Record) -> str:
        delay = record["order"]["delay"]
        return f"Delayed each access of {record['subject']} to its disk by {delay:g} s."
