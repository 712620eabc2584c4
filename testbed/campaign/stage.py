"""The brokers of one topology, under maintenance, and the connections to them."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from testbed import clients
from testbed.broker import topology as addresses
from testbed.broker.model import Broker, Node
from testbed.campaign.plan import Stream, Topology
from testbed.clients.amqp091 import Amqp091Client
from testbed.clients.base import Address, Client, Destination
from testbed.clients.console import Console
from testbed.clients.failover import failover
from testbed.clients.mqtt import MqttClient
from testbed.clients.stomp_client import StompClient
from testbed.daemon.maintenance import Maintenance
from testbed.engines.base import NetworkConnector
from testbed.errors import ClientError
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

_MAINTENANCE = 2.0  # seconds between two rounds; the service's period is not documented
_BRIDGE_WITHIN = 180.0  # seconds until two brokers have found each other
Connect = Callable[[Address], Client]


@dataclass(frozen=True)
class Stage:
    """The brokers of ``topology``: messages are sent to the first and received from the last."""

    testbed: Testbed
    topology: Topology
    broker_ids: tuple[str, ...]

    def peek(self, number: int) -> Broker:
        return self.testbed.brokers.peek(self.broker_ids[number])

    def runs(self, node: Node) -> bool:
        """Return whether the node's container runs; one that was replaced does not."""
        return self.testbed.containers.state(node.container_id).running

    def is_whole(self, number: int) -> bool:
        """Return whether clients can log in to the broker, and all nodes take part in it."""
        broker = self.peek(number)
        if not all(map(self.runs, broker.nodes)):
            return False
        try:
            self.testbed.brokers.log_in(broker.broker_id)
            if broker.load_balancer:
                console = Console(self.testbed.brokers.address(broker, "management"))
                return all(node["running"] for node in console.get("/api/nodes"))
        except ClientError:
            return False
        return True

    def sender(self, stream: Stream, control: str = "") -> Connect:
        """Return how a publisher connects: to whichever instance serves, wherever it is by then."""
        return self._connect(0, stream.protocol, _opener(stream.protocol, control))

    def receiver(self, stream: Stream) -> Connect:
        """Return how a consumer connects. A topic's messages are kept for it while it is away."""
        opening = clients.connect
        if stream.destination.kind == "topic":
            opening = partial(MqttClient, client_id=stream.destination.name)
        return self._connect(-1, stream.protocol, opening)

    def _connect(self, number: int, protocol: str, opening: Connect) -> Connect:
        def connect(_: Address) -> Client:
            # Anew each time: a node that comes back is another container.
            known = self.testbed.brokers.addresses(self.peek(number), protocol)
            return failover(known, opening)(known[0])

        return connect

    def address(self, stream: Stream) -> Address:
        return self.testbed.brokers.address(self.peek(0), stream.protocol)


def _opener(protocol: str, control: str) -> Connect:
    """Return how to open a connection. A control's messages are transient, or not confirmed."""
    if not control:
        return clients.connect
    opening = Amqp091Client if protocol == "amqp" else StompClient
    return partial(opening, persistent=control != "transient", confirm=control != "unconfirmed")


@contextmanager
def stage(testbed: Testbed, topology: Topology, *, maintained: bool = True) -> Iterator[Stage]:
    """Create the topology's brokers under a new key, and delete them at the end.

    They are maintained in between, unless a server does that. Raises as ``Brokers.create`` does.
    """
    key = testbed.new_key(f"Of a campaign: {topology.title}")
    with ExitStack() as stack:
        ids: list[str] = []
        connectors: tuple[NetworkConnector, ...] = ()
        users = testbed.request(topology.engine_type, "campaign").users
        for _ in range(topology.brokers):
            request = testbed.request(
                topology.engine_type,
                "campaign",
                key,
                users=users,
                deployment_mode=topology.deployment_mode,
                storage_type=topology.storage_type,
                network_connectors=connectors,
            )
            broker = stack.enter_context(testbed.temporary_broker(request))
            ids.append(broker.broker_id)
            uri = addresses.network_uri(broker) if topology.brokers > 1 else ""
            connectors = (NetworkConnector("campaign", uri, users[0].username),)
        if maintained:
            maintenance = Maintenance(testbed.brokers, _MAINTENANCE)
            maintenance.start()
            stack.callback(maintenance.stop)
        staged = Stage(testbed, topology, tuple(ids))
        if topology.brokers > 1:
            _wait_for_bridge(staged)
        yield staged


def _wait_for_bridge(staged: Stage) -> None:
    """Wait until a message sent to the first broker is received from the last."""
    logger.info("waiting for the brokers to find each other")
    probe = Destination.queue("campaign.bridge")
    stream = Stream("stomp", probe, 64, 1.0, consumed=False)
    end = time.monotonic() + _BRIDGE_WITHIN
    while True:
        try:
            address = staged.address(stream)
            with (
                staged.receiver(stream)(address) as consumer,
                staged.sender(stream)(address) as publisher,
            ):
                consumer.subscribe(probe)
                publisher.publish(probe, b"over the bridge")
                if message := consumer.receive(timeout=10.0):
                    message.acknowledge()
                    return
        except ClientError:
            if time.monotonic() > end:
                raise
        if time.monotonic() > end:
            raise ClientError(f"There was no bridge within {_BRIDGE_WITHIN:g} s.")
