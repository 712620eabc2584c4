"""Whether clients can log in to the nodes whose containers run.

Each look asks for listening ports, which is cheap, and once in a while for logins. One slow answer
on a busy machine is no reason to end a node: only several in a row are.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

from testbed.broker import node_container, topology
from testbed.broker.model import Broker, LoadBalancer, Node
from testbed.engines.all import ENGINES
from testbed.engines.base import NodeSpec
from testbed.errors import ClientError, ContainerFailed, NotAuthorized
from testbed.protocols import tls
from testbed.runtime.containers import Containers
from testbed.runtime.exec import open_exec

_ANSWER_WITHIN = 5.0  # seconds


@dataclass(frozen=True)
class Patience:
    """When a broker is asked, and when it is given up.

    A login is tried every ``login_every`` seconds, and at each look after one that failed.
    ``misses`` in a row are too many. A standby that takes over gets ``take_over`` seconds.
    """

    login_every: float = 60.0
    misses: int = 3
    take_over: float = 120.0


@dataclass(frozen=True)
class Miss:
    """A node or load balancer that did not answer. ``silent``: nothing listens there."""

    instance: Node | LoadBalancer
    reason: str
    silent: bool = False


@dataclass
class _Record:
    """What is known of one broker: when a login was last tried, and who missed at which times."""

    tried: float = float("-inf")
    misses: dict[str, list[float]] = field(default_factory=dict)  # by container


class Health:
    """Looks at brokers, at each in one thread at a time; what it remembers is its own."""

    def __init__(
        self,
        containers: Containers,
        spec: Callable[[Broker, Node], NodeSpec],
        patience: Patience,
    ) -> None:
        self._containers, self._spec, self._patience = containers, spec, patience
        self._records: dict[str, _Record] = {}

    def look(
        self, broker: Broker, running: Sequence[Node], *, login: bool = False
    ) -> tuple[bool, list[Miss]]:
        """Return whether all ``running`` nodes answer, and those that did not too often.

        With ``login`` it is tried in any case. Raises ``ContainerFailed`` when the engine does not
        answer, which says nothing about a node.
        """
        now = time.monotonic()
        record = self._records.setdefault(broker.broker_id, _Record())
        if login or record.misses or now - record.tried >= self._patience.login_every:
            login, record.tried = True, now
        missed = self.missing(broker, running, login=login)
        record.misses = {
            miss.instance.container_id: [*record.misses.get(miss.instance.container_id, ()), now]
            for miss in missed
        }
        given_up = [
            miss
            for miss in missed
            if self._is_given_up(broker, miss, record.misses[miss.instance.container_id])
        ]
        return not missed, given_up

    def alarms(self, broker: Broker) -> tuple[str, ...]:
        """Return the codes of the broker's alarms. Raises ``ClientError``."""
        engine, spec = ENGINES[broker.engine_type], self._spec(broker, broker.nodes[0])
        return engine.alarms(spec, broker.addresses())

    def forget(self, broker: Broker) -> None:
        """Forget a broker that is deleted."""
        self._records.pop(broker.broker_id, None)

    def missing(self, broker: Broker, running: Sequence[Node], *, login: bool) -> list[Miss]:
        """Look once, and count nothing. Raises ``ContainerFailed``."""
        closed = {
            node.name: node_container.closed_ports(self._containers, broker, node)
            for node in running
        }
        silent = [
            Miss(node, f"nothing listens on {closed[node.name]}", silent=True)
            for node in running
            if closed[node.name]
        ]
        open_nodes = [node for node in running if not closed[node.name]]
        if broker.standby and open_nodes:
            silent = []  # the other one waits
        if not login or not open_nodes:
            return silent
        if broker.load_balancer:
            return [*silent, *self._cluster(broker, broker.load_balancer, open_nodes)]
        reasons = [(node, self._no_login(broker, node, node.addresses())) for node in open_nodes]
        return [*silent, *(Miss(node, reason) for node, reason in reasons if reason)]

    def _is_given_up(self, broker: Broker, miss: Miss, times: Sequence[float]) -> bool:
        if broker.standby and miss.silent:
            return times[-1] - times[0] >= self._patience.take_over
        return len(times) >= self._patience.misses

    def _no_login(self, broker: Broker, node: Node, addresses: dict[str, tuple[str, int]]) -> str:
        """Return why no listener lets a client in; "" if one does.

        One of them may be full: a broker at its limit of connections is not to be ended. A login
        that is refused is an answer, too.
        """
        engine, spec = ENGINES[broker.engine_type], self._spec(broker, node)

        def refusal(name: str) -> str:
            try:
                engine.login(spec, {name: addresses[name]})
            except NotAuthorized:
                return ""
            except ClientError as error:
                return str(error)
            return ""

        with ThreadPoolExecutor(len(addresses)) as pool:
            refusals = list(pool.map(refusal, addresses))
        return f"no client can log in: {refusals[0]}" if all(refusals) else ""

    def _cluster(self, broker: Broker, balancer: LoadBalancer, nodes: Sequence[Node]) -> list[Miss]:
        """Ask each node from where the balancer is, and then the balancer from outside.

        A login through the balancer cannot choose its node.
        """
        management = [endpoint for endpoint in balancer.endpoints if endpoint.name == "management"]
        [(_, port)] = topology.published(
            ENGINES[broker.engine_type], broker.engine_version, management
        )
        frozen = [
            Miss(node, "it answers no TLS handshake")
            for node in nodes
            if not _answers_hello(balancer, node, port)
        ]
        if frozen:
            return frozen
        reason = self._no_login(broker, nodes[0], balancer.addresses())
        return [Miss(balancer, reason)] if reason else []


# The reader is in the background: without a redirection it would read nothing there. What would
# wait for an answer for ever is ended.
_RELAY = 'exec 3<>"/dev/tcp/$0/$1" || exit; cat <&3 & cat >&3; kill $!'


def _answers_hello(balancer: LoadBalancer, node: Node, port: int) -> bool:
    """Return whether the node's process answers the first message of a TLS handshake."""
    command = ["bash", "-c", _RELAY, node.hostname, str(port)]
    with closing(open_exec(balancer.container_id, command)) as connection:
        try:
            connection.write(tls.client_hello(node.hostname))
            return bool(connection.read(1, _ANSWER_WITHIN))
        except (TimeoutError, ContainerFailed):
            return False
