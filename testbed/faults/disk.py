"""Let the disk under a node's volume be full, or slow."""

import secrets
import time
from typing import Any

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
            if node.volume.kind == "block":
                return (
                    "A block volume has no process whose system calls could be answered: make it "
                    "small with --volume-scale, and fill it with messages."
                )
            if not node.volume.encrypted:
                return "The volume is not encrypted, so no process is behind its mount."
            if not target.testbed.containers.state(node.container_id).running:
                return f"Node {node.name} does not run."
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
        """Let the disk be as it is, and wait until RabbitMQ has noticed.

        A RabbitMQ whose writes have failed is ended: it does not write on.
        """
        for node in target.nodes:
            helper.remove(target.testbed, f"{record['helper']}-{node.name}")
            if _is_rabbitmq(target) and record["order"].get("free") == 0:
                target.testbed.containers.kill(node.container_id)
        if _is_rabbitmq(target):
            end, brokers = time.monotonic() + _NOTICED_WITHIN, target.testbed.brokers
            broker_id = broker_of(target).broker_id
            while _ALARM in brokers.look_for_alarms(broker_id).alarms and time.monotonic() < end:
                time.sleep(0.2)

    def describe(self, record: Record) -> str:
        free = record["order"]["free"]
        if free:
            return f"Filled the disk of {record['subject']}: {free / 1e6:g} MB are left."
        return f"Filled the disk of {record['subject']}: writes fail with ENOSPC."

    def _record(self, target: Target, **order: Any) -> Record:
        name = f"fault-{secrets.token_hex(4)}"
        return {"subject": target.subject, "helper": name, "order": order}


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
