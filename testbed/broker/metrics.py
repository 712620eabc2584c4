"""The values of brokers for CloudWatch, from their own management interfaces (MQMETRICS).

Brokers are asked when somebody reads metrics, and from then on once a minute. Values are of the
machine's time, by which clients ask for them.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from testbed.account.neighbours import neighbour
from testbed.account.store import Place
from testbed.broker.maintenance import IN_SERVICE
from testbed.broker.model import Broker, Node
from testbed.clients.base import Address
from testbed.clients.console import Console
from testbed.documented.metrics import DESTINATIONS, PERIOD, Dimensions, Value
from testbed.errors import ClientError, ContainerFailed, EngineUnavailable
from testbed.runtime.usage import ContainerUsage, Counters
from testbed.services import Services

_SILENT = (ClientError, ValueError)  # a console that does not answer, or not in JSON
_TIMEOUT = 5.0  # seconds, for each answer of a console
_CONTAINERS = 1000  # whose last use of the processors is remembered
_BROKER = "org.apache.activemq:type=Broker,brokerName=*"
_OF_BROKER = {
    "CurrentConnectionsCount": "CurrentConnectionsCount",
    "TotalConnectionsCount": "EstablishedConnectionsCount",
    "StorePercentUsage": "StorePercentUsage",
    "TempPercentUsage": "TempPercentUsage",
    "JobSchedulerStorePercentUsage": "JobSchedulerStorePercentUsage",
    "TotalConsumerCount": "TotalConsumerCount",
    "TotalProducerCount": "TotalProducerCount",
    "TotalMessageCount": "TotalMessageCount",
    "TotalEnqueueCount": "TotalEnqueueCount",
    "TotalDequeueCount": "TotalDequeueCount",
}
_OF_DESTINATION = {
    "ConsumerCount": "ConsumerCount",
    "ProducerCount": "ProducerCount",
    "EnqueueCount": "EnqueueCount",
    "DequeueCount": "DequeueCount",
    "DispatchCount": "DispatchCount",
    "ExpiredCount": "ExpiredCount",
    "InFlightCount": "InFlightCount",
    "MemoryPercentUsage": "MemoryUsage",
    "AverageEnqueueTime": "EnqueueTime",
}
_OF_RABBITMQ_QUEUE = {
    "consumers": "ConsumerCount",
    "messages": "MessageCount",
    "messages_ready": "MessageReadyCount",
    "messages_unacknowledged": "MessageUnacknowledgedCount",
}
_OF_RABBITMQ_NODE = {
    "mem_limit": "RabbitMQMemLimit",
    "mem_used": "RabbitMQMemUsed",
    "disk_free_limit": "RabbitMQDiskFreeLimit",
    "disk_free": "RabbitMQDiskFree",
    "fd_used": "RabbitMQFdUsed",
}


class Metrics:
    """Measures brokers; ``addresses`` returns the consoles of one."""

    def __init__(
        self, services: Services, addresses: Callable[[Broker], Sequence[Address]]
    ) -> None:
        self._backends, self._addresses = services.backends, addresses
        self._minutes: dict[str, int] = {}
        self._processors = _Processors()

    def keep_up(self, broker: Broker) -> None:
        """Measure a broker for this minute, once somebody has used CloudWatch in its account."""
        if self._minutes.get(broker.broker_id) != _minute() and self._backends.store.serial(
            _place(broker)
        ):
            self.measure(broker)

    def measure(self, broker: Broker) -> None:
        """Put a broker's values of this minute in place of those that there are."""
        if broker.broker_state not in IN_SERVICE:
            return
        minute, minutes = _minute(), dict(self._minutes)
        kept = {other: at for other, at in minutes.items() if at == minute}  # others may be gone
        self._minutes = {**kept, broker.broker_id: minute}
        values = tuple(self._values(broker))
        self._backends.change(
            neighbour("cloudwatch"),
            _place(broker),
            lambda cloudwatch: cloudwatch.put_values(broker.broker_id, minute, values),
        )

    def _values(self, broker: Broker) -> Iterator[Value]:
        """Yield what answers; a node that is lost has no values."""
        consoles = [Console(address, _TIMEOUT) for address in self._addresses(broker)]
        used = {}
        for node in broker.nodes:
            with suppress(ContainerFailed, EngineUnavailable):
                used[node] = self._processors.load(node)
        if broker.engine_type == "RABBITMQ":
            loads = {node.hostname: load for node, (_, load) in used.items()}
            with suppress(*_SILENT):
                yield from tuple(_rabbitmq(consoles[0], broker.broker_name, loads))
            return
        for number, node in enumerate(broker.nodes):
            where = (("Broker", f"{broker.broker_name}-{number + 1}"),)
            if node in used:
                counters, load = used[node]
                yield "CpuUtilization", where, load
                yield "NetworkIn", where, counters.received
                yield "NetworkOut", where, counters.sent
            if consoles:
                with suppress(*_SILENT):  # a standby's does not answer
                    yield from tuple(_activemq(consoles[number], where))


def _rabbitmq(console: Console, name: str, loads: Mapping[str, float]) -> Iterator[Value]:
    """Yield the values of a broker, its nodes and its queues; ``loads`` are of host names."""
    where = (("Broker", name),)
    overview = console.get("/api/overview")
    if totals := overview.get("object_totals"):  # not where a configuration turns statistics off
        queues, rates = overview.get("queue_totals", {}), overview.get("message_stats", {})
        for kind in ("exchange", "queue", "connection", "channel", "consumer"):
            yield f"{kind.capitalize()}Count", where, totals[f"{kind}s"]
        for member in ("messages", "messages_ready", "messages_unacknowledged"):
            yield _OF_RABBITMQ_QUEUE[member], where, queues.get(member, 0)
        for kind in ("publish", "confirm", "ack"):
            rate = rates.get(f"{kind}_details", {}).get("rate", 0.0)
            yield f"{kind.capitalize()}Rate", where, rate
    nodes = console.get("/api/nodes")
    for node in nodes:
        if node["running"]:
            at = (("Node", node["name"]), *where)
            yield from _named(_OF_RABBITMQ_NODE, node, at)
            host = node["name"].partition("@")[2]  # a single one's is localhost
            load = loads.get(host) if len(nodes) > 1 else next(iter(loads.values()), None)
            if load is not None:
                yield "SystemCpuUtilization", at, load
    columns = ",".join(("name", "vhost", *_OF_RABBITMQ_QUEUE))
    found = console.get(f"/api/queues?columns={columns}")
    found.sort(key=lambda queue: queue.get("consumers", 0), reverse=True)
    for queue in found[: DESTINATIONS["RABBITMQ"]]:
        of_queue = (("VirtualHost", queue["vhost"]), ("Queue", queue["name"]), *where)
        yield from _named(_OF_RABBITMQ_QUEUE, queue, of_queue)


def _activemq(console: Console, where: Dimensions) -> Iterator[Value]:
    attributes = [*_OF_BROKER, "InactiveDurableTopicSubscribers"]
    brokers = console.jolokia(type="read", mbean=_BROKER, attribute=attributes) or {}
    for broker in brokers.values():
        yield from _named(_OF_BROKER, broker, where)
        inactive = len(broker["InactiveDurableTopicSubscribers"])
        yield "InactiveDurableTopicSubscribersCount", where, inactive
    heap = console.jolokia(type="read", mbean="java.lang:type=Memory", attribute="HeapMemoryUsage")
    yield "HeapUsage", where, 100 * heap["used"] / heap["max"]
    found = []
    for kind in ("Queue", "Topic"):
        mbeans = f"{_BROKER},destinationType={kind},destinationName=*"
        attributes = [*_OF_DESTINATION, "Name", "QueueSize"]
        answer = console.jolokia(type="read", mbean=mbeans, attribute=attributes) or {}
        found += [(kind, destination) for destination in answer.values()]
    found.sort(key=lambda named: named[1]["ConsumerCount"], reverse=True)
    for kind, destination in found[: DESTINATIONS["ACTIVEMQ"]]:
        of_destination = ((kind, destination["Name"]), *where)
        yield from _named(_OF_DESTINATION, destination, of_destination)
        if kind == "Queue":
            yield "QueueSize", of_destination, destination["QueueSize"]


def _named(
    names: Mapping[str, str], found: Mapping[str, Any], where: Dimensions
) -> Iterator[Value]:
    return ((name, where, found[member]) for member, name in names.items() if member in found)


class _Processors:
    """What containers use of the processors; at first since their start, then since last time."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[float, float]] = {}  # time and processor time, in seconds
        self._guard = threading.Lock()

    def load(self, node: Node) -> tuple[Counters, float]:
        """Return a node's counters, and what it uses in percent. Raises ``ContainerFailed``."""
        with ContainerUsage(node.container_id) as usage:
            counters, now = usage.counters(), time.time()
            with self._guard:
                before = self._before.pop(node.container_id, None)
                since, used = before or (usage.started(), 0.0)
                self._before[node.container_id] = now, counters.cpu
                if len(self._before) > _CONTAINERS:
                    del self._before[next(iter(self._before))]  # looked at longest ago
        seconds = max(now - since, 0.001) * (os.cpu_count() or 1)
        return counters, min(max(100 * (counters.cpu - used) / seconds, 0.0), 100.0)


def _minute() -> int:
    """Return the minute that values are of: a second ago, so that a query until now has them."""
    return int(time.time() - 1) // PERIOD * PERIOD


def _place(broker: Broker) -> Place:
    return Place("cloudwatch", broker.account, broker.region)
