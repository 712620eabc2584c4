"""What brokers write, delivered to CloudWatch Logs where ``Logs`` asks for it.

Each line that a node prints is an event of its own. What was delivered of a container is kept with
the events, so nothing is delivered twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from testbed.account import chosen_services
from testbed.account.authorization import Authorization
from testbed.account.neighbours import neighbour
from testbed.account.store import Place
from testbed.broker import log_lines
from testbed.broker.model import Broker, Node
from testbed.documented import log_groups, regions
from testbed.errors import ContainerFailed
from testbed.kms.base import MQ, Caller
from testbed.policy.evaluate import evaluate
from testbed.policy.language import Policy, parse
from testbed.services import Services

_OWN = "testbed-enter: "  # lines of the entry point: no broker's
_WRITES = ("logs:CreateLogStream", "logs:PutLogEvents")


@dataclass(frozen=True)
class _Line:
    """A line of a node's output; ``at`` is in nanoseconds since 1970."""

    container: str
    node: str
    at: int
    text: str


class LogDelivery:
    """Delivers the output of all brokers of one state folder."""

    def __init__(self, services: Services) -> None:
        self._state, self._containers = services.state, services.containers
        self._backends, self._identities = services.backends, services.identities
        self._authorization = Authorization(services.identities, services.clock)

    def begin(self, broker: Broker, caller: Caller) -> None:
        """Create the log groups, as CreateBroker and RebootBroker do.

        Those of ActiveMQ need the caller's permission (MQLOGS); RabbitMQ's are created by Amazon
        MQ's own role.
        """
        names = [log_groups.name(broker.broker_id, group) for group in self._wanted(broker)]
        if broker.engine_type == "ACTIVEMQ":
            names = [name for name in names if self._may_create(broker, caller, name)]
        if not names:
            return

        def create(logs: Any) -> None:
            for name in names:
                if name not in logs.groups:
                    logs.create_log_group(name, {})

        self._backends.change(neighbour("logs"), _place(broker), create)

    def skip(self, broker: Broker) -> None:
        """Leave out what was printed so far, if the next reboot turns on the first log."""
        if self._wanted(broker) or not self._wanted(broker.applied()):
            return
        lines = [line for node in broker.nodes for line in self._printed(broker, node, {})]
        ends = {line.container: line.at for line in lines}  # the last of each

        def pass_over(logs: Any) -> None:
            logs.delivered = {**getattr(logs, "delivered", {}), **ends}

        self._backends.change(neighbour("logs"), _place(broker), pass_over)

    def deliver(self, broker: Broker) -> None:
        """Deliver what the nodes have printed since the last time."""
        if not self._wanted(broker) or not self._backends.store.serial(_place(broker)):
            return
        service, place = neighbour("logs"), _place(broker)
        groups, cursors = self._backends.read(service, place, lambda logs: self._open(broker, logs))
        if not groups:
            return
        lines = [line for node in broker.nodes for line in self._printed(broker, node, cursors)]
        if lines:
            self._backends.change(service, place, lambda logs: _put(broker, groups, lines, logs))

    def _wanted(self, broker: Broker) -> Sequence[str]:
        """Return the groups that are turned on."""
        if not chosen_services.includes(self._state, "logs"):
            return ()
        logs: Mapping[str, bool] = broker.settings.get("Logs") or {}
        return [
            group
            for group in log_groups.GROUPS[broker.engine_type]
            if logs.get(log_groups.MEMBERS.get(group, "General"))
        ]

    def _may_create(self, broker: Broker, caller: Caller, name: str) -> bool:
        resource = _arn(broker, f"log-group:{name}:log-stream:")
        return self._authorization.decide(caller, "logs:CreateLogGroup", resource).allowed

    def _open(self, broker: Broker, logs: Any) -> tuple[Sequence[str], Mapping[str, int]]:
        """Return the groups that can be written to, and what was delivered of each container."""
        groups = [
            group
            for group in self._wanted(broker)
            if log_groups.name(broker.broker_id, group) in logs.groups
        ]
        if broker.engine_type == "ACTIVEMQ":
            documents = [str(policy.policy_document) for policy in logs.resource_policies.values()]
            groups = [group for group in groups if self._may_write(broker, group, documents)]
        return groups, dict(getattr(logs, "delivered", {}))

    def _may_write(self, broker: Broker, group: str, documents: Sequence[str]) -> bool:
        """Return whether the account's resource policies let Amazon MQ write (MQLOGS)."""
        service = replace(MQ, account=broker.account, region=broker.region, source_arn=broker.arn)
        stream = log_groups.stream(broker.engine_type, broker.broker_id, broker.nodes[0].name)
        name = log_groups.name(broker.broker_id, group)
        resource = _arn(broker, f"log-group:{name}:log-stream:{stream}")
        policies = replace(self._identities.policies(service), resource=_together(documents))
        return all(
            evaluate(self._authorization.request(service, action, resource), policies).allowed
            for action in _WRITES
        )

    def _printed(self, broker: Broker, node: Node, cursors: Mapping[str, int]) -> Iterator[_Line]:
        if not node.container_id:
            return
        since = cursors.get(node.container_id, 0)
        try:
            for at, text in self._containers.timed_lines(node.container_id, since):
                plain = log_lines.without(log_lines.uncoloured(text), broker.secrets)
                if plain.strip() and not plain.startswith(_OWN):
                    yield _Line(node.container_id, node.name, at, plain)
        except ContainerFailed:  # it is gone
            return


def _together(documents: Sequence[str]) -> Policy:
    """Return the statements of all resource policies of an account as one policy.

    Each document is read alone: it has its own version, and may repeat another one's ``Sid``.
    PutResourcePolicy has refused what is malformed.
    """
    policies = [parse(document, "resource") for document in documents]
    return Policy(tuple(statement for policy in policies for statement in policy.statements))


def _put(broker: Broker, groups: Sequence[str], lines: Sequence[_Line], logs: Any) -> None:
    """Write the lines that nobody else has written in the meantime, in the order of their times."""
    before: dict[str, int] = getattr(logs, "delivered", {})
    logs.delivered = dict(before)
    events: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in sorted(lines, key=lambda line: line.at):
        if line.at <= before.get(line.container, 0):
            continue
        logs.delivered[line.container] = line.at
        group = log_groups.group_of(broker.engine_type, line.text)
        if group in groups:
            event = {"timestamp": line.at // 1_000_000, "message": line.text}
            events.setdefault((group, line.node), []).append(event)
    for (group, node), new in events.items():
        name = log_groups.name(broker.broker_id, group)
        stream = log_groups.stream(broker.engine_type, broker.broker_id, node)
        if stream not in logs.groups[name].streams:
            logs.create_log_stream(name, stream)
        logs.put_log_events(name, stream, new)


def _place(broker: Broker) -> Place:
    return Place("logs", broker.account, broker.region)


def _arn(broker: Broker, resource: str) -> str:
    return regions.arn("logs", broker.region, broker.account, resource)
