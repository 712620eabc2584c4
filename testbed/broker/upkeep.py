"""What happens to a broker without a request: Amazon MQ's maintenance, and what faults need.

Nothing here is an operation of the API. Methods take a broker's id or name, and raise
``NotFoundException``.
"""

from collections.abc import Collection

from testbed.broker import refusals
from testbed.broker.cloudwatch_logs import LogDelivery
from testbed.broker.lifecycle import Lifecycle
from testbed.broker.metrics import Metrics
from testbed.broker.model import Broker
from testbed.broker.nodes import Nodes
from testbed.broker.store import BrokerStore
from testbed.kms.base import Caller
from testbed.runtime.containers import Containers
from testbed.state.locks import Busy


class Upkeep:
    """Keeps the brokers of one state folder; ``Brokers`` has one."""

    def __init__(
        self,
        containers: Containers,
        store: BrokerStore,
        nodes: Nodes,
        lifecycle: Lifecycle,
        *,
        logs: LogDelivery,
        metrics: Metrics,
    ) -> None:
        self._containers, self._store = containers, store
        self._nodes, self._lifecycle = nodes, lifecycle
        self._logs, self._metrics = logs, metrics

    def check(self, broker_id: str) -> Broker:
        """Check the key and the grants now. Raises ``NotFoundException``."""
        return self._lifecycle.check(self._store.get(broker_id))

    def look_for_alarms(self, broker_id: str) -> Broker:
        """Ask RabbitMQ for its alarms now. Raises ``NotFoundException``."""
        return self._lifecycle.look_for_alarms(self._store.get(broker_id))

    def maintain(self, broker_id: str) -> Broker:
        """Run one round of Amazon MQ's maintenance: the check, and what follows from it.

        A broker with a valid key gets its lost nodes back. With an invalid key, one on EFS stops:
        the file system works without the key for the delay of KMS, and no longer (DP). One on EBS
        keeps serving until it loses a node, which then stays lost. A node that runs and lets no
        client in is ended first; see ``health``. One that does not come back is tried again with
        growing pauses. What another process began and did not finish is finished. A locked broker
        is left alone. Raises ``NotFoundException``, and what ``attach`` raises.
        """
        broker = self.check(broker_id)
        self._logs.deliver(broker)
        self._metrics.keep_up(broker)
        try:
            with self._store.locked(broker, wait=False):
                return self._lifecycle.maintain(self._store.get(broker.broker_id))
        except Busy:
            return broker

    def detach(self, broker_id: str, node_name: str = "") -> None:
        """Lose one node, or all: kill the container, and with it the data key in memory."""
        with self._store.holding(broker_id) as broker:
            for node in broker.nodes_named(node_name):
                self._containers.kill(node.container_id)

    def attach(self, broker_id: str, node_name: str = "") -> Broker:
        """Attach the volume of one node, or of all, and start it.

        Raises ``VolumeRefused`` when KMS does not open the data key or a grant is gone; the node
        then does not run.
        """
        with self._store.holding(broker_id) as broker:
            return self._nodes.start(broker, broker.nodes_named(node_name))

    def revive(self, broker_id: str, caller: Caller | None = None) -> Broker:
        """Start the nodes that have stopped, and return when clients can log in to all.

        Removes a broker whose creation or deletion was cut off; resumes one whose reboot was.
        Raises ``NotFoundException``, and what ``attach`` raises.
        """
        broker_id = self._store.get(broker_id, caller).broker_id
        with self._store.holding(broker_id) as broker:
            if not broker.broker_state.startswith(("CREATION_", "DELETION_")):
                return self._lifecycle.revive(broker)
            self._lifecycle.erase(broker)
        raise refusals.no_such_broker(broker_id)

    def renew_certificate(self, broker_id: str, defect: str = "") -> Broker:
        """Issue another certificate, and restart the nodes with it, one after the other.

        ``defect`` is one of ``pki.bad_names``, empty for a sound one. Raises ``NotFoundException``,
        and what ``attach`` raises.
        """
        with self._store.holding(broker_id) as broker:
            return self._lifecycle.renew_certificate(broker, defect)

    def renew_grants(self, broker_id: str, ended: Collection[str]) -> Broker:
        """Create new grants in place of those with the ids ``ended``, which cannot be restored.

        Raises ``NotFoundException``, or ``KmsError``.
        """
        with self._store.holding(broker_id) as broker:
            return self._lifecycle.renew_grants(broker, ended)

    def deliver_logs(self, caller: Caller) -> None:
        """Deliver to CloudWatch Logs what the caller's brokers have written."""
        for broker in self._store.of(caller):
            self._logs.deliver(broker)

    def measure(self, caller: Caller) -> None:
        """Ask the caller's brokers for what CloudWatch has of them."""
        for broker in self._store.of(caller):
            self._metrics.measure(broker)
