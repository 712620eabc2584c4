"""A broker as Amazon MQ knows it, and what is local about it: frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from testbed.broker.encryption import EncryptionOptions
from testbed.broker.requests import Configuration
from testbed.documented import regions
from testbed.documented.engines import PATCH_VERSIONS, ActionRequired
from testbed.documented.instance_types import DEFAULT_INSTANCE_TYPE, storage_size
from testbed.engines.base import Defects, NetworkConnector, User
from testbed.errors import TestbedError
from testbed.kms.base import Caller, root
from testbed.storage.volumes import Kind, Volume

_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 300.0  # seconds between attempts to bring a node back


@dataclass(frozen=True)
class Endpoint:
    """A listener as a client on this machine reaches it; ``documented_port`` is the service's."""

    name: str
    scheme: str
    host: str
    port: int
    documented_port: int
    protocols: tuple[str, ...]
    tls: bool = True

    @property
    def url(self) -> str:
        """The address in the form that DescribeBroker returns."""
        return f"{self.scheme}://{self.host}:{self.port}"


@dataclass(frozen=True)
class Grant:
    """A grant of Amazon MQ's on a broker's key. A grant for one volume has its ``volume_id``."""

    name: str
    grant_id: str
    volume_id: str = ""


@dataclass(frozen=True)
class _Instance:
    """A container with listeners. ``container_id`` is empty before the first start."""

    hostname: str
    endpoints: tuple[Endpoint, ...]

    def addresses(self, *, tls: bool = True) -> dict[str, tuple[str, int]]:
        """Return host and port of each listener by its name, with TLS or without."""
        return {
            endpoint.name: (endpoint.host, endpoint.port)
            for endpoint in self.endpoints
            if endpoint.tls == tls
        }


@dataclass(frozen=True)
class Failure:
    """Why a node does not come back. Times are the testbed's clock's; ``attempts`` were in vain."""

    reason: str
    at: float
    attempts: int = 1

    @property
    def retry_at(self) -> float:
        """When maintenance tries again: after 10 seconds, then twice as long, up to 5 minutes."""
        doublings = min(self.attempts - 1, 10)
        return self.at + min(_FIRST_PAUSE * float(2**doublings), _LONGEST_PAUSE)

    def rests(self, now: float) -> bool:
        """Return whether the pause lasts. A failure from the future counts for nothing."""
        return self.at <= now < self.retry_at


@dataclass(frozen=True)
class Node(_Instance):
    """One container of a broker, and its volume."""

    name: str
    volume: Volume
    container_id: str = ""
    failure: Failure | None = None
    restart_due: bool = False  # a reboot that another node cut short has not reached it

    def failed(self, reason: str, at: float) -> "Node":
        """Return a copy after another attempt to start it that was in vain."""
        attempts = self.failure.attempts + 1 if self.failure else 1
        return replace(self, failure=Failure(reason, at, attempts))


@dataclass(frozen=True)
class LoadBalancer(_Instance):
    """The one address of a cluster, and the container behind it."""

    image: str = ""
    container_id: str = ""


@dataclass(frozen=True)
class Pending:
    """What a broker gets at its next reboot (API). ``users`` are all of them; None if unchanged."""

    users: tuple[User, ...] | None = None
    engine_version: str = ""
    configuration: Configuration | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Broker:
    """A broker of ``account`` in ``region``.

    ``key_problem`` is what the last check of the key found, ``alarms`` are the codes of RabbitMQ's
    that are at work. ``running_version`` is the exact
    version behind ``engine_version``, empty for an image of the user's own. ``created`` is ISO
    8601; ``checked`` is when the key was last verified, by the testbed's clock. ``cookie``
    authenticates the nodes of a RabbitMQ cluster to each other.
    """

    account: str
    region: str
    broker_id: str
    broker_name: str
    engine_type: str
    engine_version: str
    running_version: str
    deployment_mode: str
    broker_state: str
    encryption_options: EncryptionOptions
    key_arn: str
    key_ownership: Literal["", "AWS_OWNED", "AWS_MANAGED", "CUSTOMER_MANAGED"]
    users: tuple[User, ...]
    nodes: tuple[Node, ...]
    image: str
    load_balancer: LoadBalancer | None = None
    storage_type: str = "EBS"
    grants: tuple[Grant, ...] = ()
    key_problem: str = ""
    alarms: tuple[str, ...] = ()
    actions_required: tuple[ActionRequired, ...] = ()
    created: str = ""
    checked: float = 0.0
    tags: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)  # see ``CreateBroker``
    configuration: Configuration | None = None
    configuration_history: tuple[Configuration, ...] = ()
    pending: Pending = field(default_factory=Pending)
    network_connectors: tuple[NetworkConnector, ...] = ()
    inter_node_tls: bool = False
    volume_kind: Kind | None = None
    volume_scale: float | None = None
    defects: Defects | None = None
    keystore_password: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)

    @property
    def owner(self) -> Caller:
        """The root of the broker's account, in its Region."""
        return root(self.account, self.region)

    @property
    def arn(self) -> str:
        """The ARN in the form that GUIDE22 shows."""
        resource = f"broker:{self.broker_name}:{self.broker_id}"
        return regions.arn("mq", self.region, self.account, resource)

    @property
    def patch_version(self) -> str:
        """The patch version, of what runs unless that only stands in for the engine version."""
        if self.running_version.startswith(f"{self.engine_version}."):
            return self.running_version
        return PATCH_VERSIONS[self.engine_type][self.engine_version]

    @property
    def runs(self) -> str:
        """What runs: a release, and for which version it stands in, or an image of the user's."""
        if f"{self.running_version}.".startswith(f"{self.engine_version}."):
            return self.running_version
        if self.running_version:
            return f"{self.running_version}, standing in for {self.engine_version}"
        return self.image

    @property
    def instances(self) -> tuple[Node | LoadBalancer, ...]:
        """What clients connect to: the load balancer if there is one, otherwise each node."""
        return (self.load_balancer,) if self.load_balancer else self.nodes

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints of all instances."""
        return tuple(endpoint for instance in self.instances for endpoint in instance.endpoints)

    @property
    def standby(self) -> bool:
        """Whether the nodes share a volume, which one of them holds at a time."""
        return self.deployment_mode == "ACTIVE_STANDBY_MULTI_AZ"

    @property
    def in_progress(self) -> bool:
        """Whether the broker is being created, rebooted or deleted."""
        return self.broker_state.endswith("_IN_PROGRESS")

    @property
    def pending_users(self) -> tuple[User, ...]:
        """The users as they will be after the next reboot."""
        return self.users if self.pending.users is None else self.pending.users

    def addresses(self, *, tls: bool = True) -> dict[str, tuple[str, int]]:
        """Return host and port of each listener of the first instance; see ``Node.addresses``."""
        return self.instances[0].addresses(tls=tls)

    def endpoint(self, protocol: str, *, tls: bool = True) -> Endpoint:
        """Return the first endpoint that speaks ``protocol``. Raises ``KeyError``."""
        for endpoint in self.endpoints:
            if protocol in endpoint.protocols and endpoint.tls == tls:
                return endpoint
        raise KeyError(self.lacks(protocol, tls=tls))

    def lacks(self, protocol: str, *, tls: bool = True) -> str:
        """Say that the broker has no endpoint for ``protocol``."""
        kind = protocol if tls else f"plaintext {protocol}"
        spoken = {name for end in self.endpoints if end.tls == tls for name in end.protocols}
        return (
            f"{self.engine_type} broker {self.broker_name} has no {kind} endpoint"
            f" (there are: {', '.join(sorted(spoken)) or 'none'})"
        )

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """The volumes, each once: nodes may share one."""
        return tuple({node.volume.volume_id: node.volume for node in self.nodes}.values())

    @property
    def storage_size(self) -> int:
        """The gigabytes of a volume: as ordered, or those of the host instance type."""
        default = DEFAULT_INSTANCE_TYPE[self.engine_type]
        of_type = storage_size(self.settings.get("HostInstanceType", default))
        return int(self.settings.get("StorageSize") or of_type)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may not be in a log."""
        users = (*self.users, *self.pending_users)
        return (*(user.password for user in users), self.keystore_password, self.cookie)

    def node(self, name: str) -> Node:
        """Return the node of that name."""
        return next(node for node in self.nodes if node.name == name)

    def nodes_named(self, name: str) -> tuple[Node, ...]:
        """Return the node with this name, or all if it is empty. Raises ``TestbedError``."""
        nodes = tuple(node for node in self.nodes if name in ("", node.name))
        if not nodes:
            raise TestbedError(
                f"The broker {self.broker_name} has no node {name!r}.",
                hint=f"Its nodes are {', '.join(node.name for node in self.nodes)}.",
            )
        return nodes

    def with_state(self, broker_state: str) -> "Broker":
        """Return a copy in ``broker_state``."""
        return replace(self, broker_state=broker_state)

    def with_node(self, node: Node) -> "Broker":
        """Return a copy in which ``node`` replaces the node of the same name."""
        nodes = tuple(node if known.name == node.name else known for known in self.nodes)
        return replace(self, nodes=nodes)

    def with_volumes(self, kind: Kind, size: int) -> "Broker":
        """Return a copy with volumes of this kind, and of ``size`` bytes if they have one."""
        nodes = tuple(replace(node, volume=node.volume.ordered(kind, size)) for node in self.nodes)
        return replace(self, nodes=nodes)

    def with_load_balancer(self, **changes: Any) -> "Broker":
        """Return a copy with changes to the load balancer, if it has one."""
        load_balancer = self.load_balancer and replace(self.load_balancer, **changes)
        return replace(self, load_balancer=load_balancer)

    def applied(self) -> "Broker":
        """Return a copy in which everything pending is in effect, for the nodes to restart with."""
        pending = self.pending
        current, history = self.configuration, self.configuration_history
        if pending.configuration:
            current, history = pending.configuration, (*((current,) if current else ()), *history)
        return replace(
            self,
            nodes=tuple(replace(node, restart_due=True) for node in self.nodes),
            users=self.pending_users,
            engine_version=pending.engine_version or self.engine_version,
            configuration=current,
            configuration_history=history,
            settings={**self.settings, **pending.settings},
            pending=Pending(),
        )
