"""Cut a node off, or make its links slow or lossy: in its network, in both directions."""

import secrets
from typing import Any, ClassVar

from testbed.errors import TestbedError
from testbed.faults import helper
from testbed.faults.base import (
    Fault,
    Options,
    Parameter,
    Record,
    Target,
    broker_of,
    bytes_per_second,
    seconds,
    share,
)
from testbed.state import holds

_RULES = ("running", "paused")  # containers whose network exists, and with it the rules


def _whom(text: str) -> str:
    if text not in ("all", "peers", "clients"):
        raise ValueError("all, peers or clients")
    return text


class Cut(Fault):
    name = "cut"
    summary = "Drop all packets of the node: open connections hang, new ones time out."
    in_aws = "An Availability Zone is cut off, or a security group's rule is gone."
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("whom", "all", "`peers`: the other nodes; `clients`: all but those", _whom),
    )

    def refusal(self, target: Target) -> str:
        stopped = [
            node.name
            for node in target.nodes
            if target.testbed.containers.state(node.container_id).status not in _RULES
        ]
        if len(stopped) > 1:
            return f"Nodes {', '.join(stopped)} are not running."
        return f"Node {stopped[0]} is not running." if stopped else ""

    def plan(self, target: Target, options: Options) -> Record:
        if options["whom"] == "peers" and (not target.broker or len(target.broker.nodes) == 1):
            raise TestbedError(f"{target.subject} has no peers.", hint="Clusters have some.")
        return self._record(target, cut=True, whom=options["whom"])

    def inject(self, target: Target, record: Record) -> None:
        order, whom = record["order"], record.get("whom", "all")
        for node in target.nodes:
            peers = [
                address
                for other in (target.broker.nodes if target.broker else ())
                if other.name != node.name
                and target.testbed.containers.state(other.container_id).status in _RULES
                for address in helper.addresses(target.testbed, other)
            ]
            helper.run(
                target.testbed,
                _name(record, node.name),
                helper.in_network(node),
                stays="cut" not in order,
                tool="link",
                chain=record["chain"],
                peers=peers,
                only_peers=whom == "peers",
                except_peers=whom == "clients",
                **order,
            )

    def undo(self, target: Target, record: Record) -> None:
        """Remove the rules and the helper; the rules end with the node, too."""
        for node in target.nodes:
            name = _name(record, node.name)
            helper.remove(target.testbed, name)
            if target.testbed.containers.state(node.container_id).status in _RULES:
                place, chain = helper.in_network(node), record["chain"]
                helper.run(target.testbed, name, place, tool="link", chain=chain, remove=True)

    def describe(self, record: Record) -> str:
        whom = {"all": "everybody", "peers": "its peers", "clients": "its clients"}[record["whom"]]
        return f"Cut {record['subject']} off from {whom}."

    def _record(self, target: Target, whom: str = "all", **order: Any) -> Record:
        chain = f"fault-{secrets.token_hex(4)}"
        return {"subject": target.subject, "chain": chain, "whom": whom, "order": order}


class SlowLink(Cut):
    name = "slow-link"
    summary = "Delay each packet from and to the node, and limit the bytes a second."
    in_aws = "The network between Availability Zones, or to the clients, is slow."
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("delay", "200ms", "of each packet, each way", seconds),
        Parameter("rate", "0", "such as 64kB/s, each way; 0 for no limit", bytes_per_second),
    )

    def refusal(self, target: Target) -> str:
        """Refuse a link that already has a fault, whose rules this one would bypass."""
        broker_id, hit = broker_of(target).broker_id, {node.name for node in target.nodes}
        others = [
            document["fault"]
            for document in target.testbed.state.all(holds.KIND)
            if document["broker_id"] == broker_id
            and hit.intersection(document["nodes"])
            and "chain" in document["record"]
        ]
        if others:
            verb = "are" if others[1:] else "is"
            return (
                f"{' and '.join(others)} {verb} at work there, and would have no effect any more."
            )
        return super().refusal(target)

    def plan(self, target: Target, options: Options) -> Record:
        return self._record(target, delay=options["delay"], rate=options["rate"])

    def describe(self, record: Record) -> str:
        order = record["order"]
        rate = f", at {order['rate'] / 1000:g} kB/s at most" if order["rate"] else ""
        return f"Delayed packets of {record['subject']} by {order['delay']:g} s each way{rate}."


class LossyLink(SlowLink):
    name = "lossy-link"
    summary = "Lose a part of the packets from and to the node."
    in_aws = "The network loses packets: connections stall, and some break."
    parameters = (Parameter("loss", "10%", "of the packets, each way", share),)

    def plan(self, target: Target, options: Options) -> Record:
        return self._record(target, loss=options["loss"])

    def describe(self, record: Record) -> str:
        loss = 100 * record["order"]["loss"]
        return f"Let {loss:g}% of the packets of {record['subject']} get lost."


def _name(record: Record, node: str) -> str:
    return f"{record['chain']}-{node}"
