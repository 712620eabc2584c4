"""A broker as Amazon MQ describes one, and what is local about it. Frozen values; JSON in and out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from testbed.broker.encryption import EncryptionOptions
from testbed.broker.pending import Configuration, Pending
from testbed.documented.engines import REGION, ActionRequired
from testbed.documented.tls import Suite, TlsProfile
from testbed.engines.base import Defects, NetworkConnector, User
from testbed.kms.base import USER_ACCOUNT
from testbed.storage.volumes import Volume


@dataclass(frozen=True)
class CreateBroker:
    """The request of that name (API). What follows ``configuration`` is the testbed's own.

    ``engine_version`` is major.minor; empty means the default. ``settings`` are members of the API, by its names, that are
    given back when asked for and that nothing here acts on. ``network_connectors`` join an ActiveMQ broker to others.
    ``inter_node_tls`` encrypts what the nodes of a RabbitMQ cluster tell each other, which Amazon MQ does not do.
    ``fixed_ports`` publishes the documented ports instead of free ones. ``image`` names an image of the user's own.
    ``defects`` are planted, for checks of checks.
    """

    broker_name: str
    engine_type: str
    users: tuple[User, ...]
    engine_version: str = ""
    deployment_mode: str = "SINGLE_INSTANCE"
    storage_type: str = ""
    encryption_options: EncryptionOptions = EncryptionOptions()
    tags: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    configuration: Configuration | None = None
    network_connectors: tuple[NetworkConnector, ...] = ()
    inter_node_tls: bool = False
    fixed_ports: bool = False
    image: str = ""
    defects: Defects | None = None

    def parameters(self) -> dict[str, Any]:
        """The request in the API's names, as CloudTrail is given it. It holds the passwords."""
        options = self.encryption_options
        return {
            "BrokerName": self.broker_name,
            "EngineType": self.engine_type,
            "EngineVersion": self.engine_version,
            "DeploymentMode": self.deployment_mode,
            "StorageType": self.storage_type,
            "EncryptionOptions": {
                "UseAwsOwnedKey": options.use_aws_owned_key,
                "KmsKeyId": options.kms_key_id,
            },
            "Tags": dict(self.tags),
            **self.settings,
            "Users": [
                {
                    "Username": user.username,
                    "Password": user.password,
                    "ConsoleAccess": user.console_access,
                    "Groups": list(user.groups),
                }
                for user in self.users
            ],
        }


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
        return f"{self.scheme}://{self.host}:{self.port}"


@dataclass(frozen=True)
class Grant:
    """A grant that Amazon MQ has on a broker's key. ``volume_id`` is that of the volume it is bound to, if it is."""

    name: str
    grant_id: str
    volume_id: str = ""


@dataclass(frozen=True)
class Node:
    """One container of a broker with the volume it stands on. ``container_id`` is empty while there is none."""

    name: str
    hostname: str
    volume: Volume
    endpoints: tuple[Endpoint, ...]
    container_id: str = ""

    def addresses(self, *, tls: bool = True) -> dict[str, tuple[str, int]]:
        """Host and port of each listener by its name, those with TLS or those without."""
        return _addresses(self.endpoints, tls)


@dataclass(frozen=True)
class Front:
    """The one address in front of a cluster's nodes, and the container that has it."""

    hostname: str
    endpoints: tuple[Endpoint, ...]
    image: str = ""
    container_id: str = ""

    def addresses(self, *, tls: bool = True) -> dict[str, tuple[str, int]]:
        """See ``Node.addresses``."""
        return _addresses(self.endpoints, tls)


@dataclass(frozen=True)
class Broker:
    """A broker of the account. ``running_version`` is what really runs behind ``engine_version``."""

    broker_id: str
    broker_name: str
    engine_type: str
    engine_version: str
    running_version: str
    deployment_mode: str
    broker_state: str
    encryption_options: EncryptionOptions
    key_arn: str
    key_ownership: str
    users: tuple[User, ...]
    nodes: tuple[Node, ...]
    image: str
    front: Front | None = None
    storage_type: str = "EBS"
    grants: tuple[Grant, ...] = ()
    actions_required: tuple[ActionRequired, ...] = ()
    created: str = ""  # ISO 8601
    checked: float = 0.0  # when the key was last verified, by the testbed's clock
    tags: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)  # see ``CreateBroker``
    configuration: Configuration | None = None
    configuration_history: tuple[Configuration, ...] = ()
    pending: Pending = Pending()
    network_connectors: tuple[NetworkConnector, ...] = ()
    inter_node_tls: bool = False
    defects: Defects | None = None
    keystore_password: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)  # what the nodes of a cluster know each other by

    @property
    def arn(self) -> str:
        """In the form that GUIDE22 shows; brokers are in the user's account."""
        return f"arn:aws:mq:{REGION}:{USER_ACCOUNT}:broker:{self.broker_name}:{self.broker_id}"

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return tuple(endpoint for instance in self.instances for endpoint in instance.endpoints)

    @property
    def instances(self) -> "tuple[Node | Front, ...]":
        """What clients connect to: the address in front of the nodes, or else each of them."""
        return (self.front,) if self.front else self.nodes

    @property
    def standby(self) -> bool:
        """Whether its nodes share a volume, which one of them has at a time."""
        return self.deployment_mode == "ACTIVE_STANDBY_MULTI_AZ"

    def with_node(self, node: Node) -> "Broker":
        """With ``node`` in the place of that of its name."""
        return replace(
            self, nodes=tuple(node if each.name == node.name else each for each in self.nodes)
        )

    def with_front(self, **changes: str) -> "Broker":
        """With what is in front of its nodes changed."""
        return replace(self, front=self.front and replace(self.front, **changes))

    def applied(self) -> "Broker":
        """With what was pending, as after a reboot."""
        pending = self.pending
        current, history = self.configuration, self.configuration_history
        if pending.configuration:
            current, history = pending.configuration, (*((current,) if current else ()), *history)
        return replace(
            self,
            users=self.users if pending.users is None else pending.users,
            engine_version=pending.engine_version or self.engine_version,
            configuration=current,
            configuration_history=history,
            settings={**self.settings, **pending.settings},
            pending=Pending(),
        )

    def addresses(self, *, tls: bool = True) -> dict[str, tuple[str, int]]:
        """Host and port of the first instance's listeners by name, those with TLS or those without."""
        return self.instances[0].addresses(tls=tls)

    def to_document(self) -> dict[str, Any]:
        """For the state folder: all of it, passwords included."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Broker":
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in document.items() if name in known}
        values["encryption_options"] = EncryptionOptions(**values["encryption_options"])
        values["users"] = tuple(map(User.from_document, values["users"]))
        values["configuration"] = Configuration.from_document(values.get("configuration"))
        values["configuration_history"] = tuple(
            Configuration(**each) for each in values.get("configuration_history", ())
        )
        values["pending"] = Pending.from_document(values.get("pending", {}))
        values["nodes"] = tuple(map(_node, values["nodes"]))
        values["front"] = values.get("front") and Front(
            **{**values["front"], "endpoints": _endpoints(values["front"])}
        )
        values["network_connectors"] = tuple(
            NetworkConnector(**{**each, "attributes": tuple(map(tuple, each["attributes"]))})
            for each in values.get("network_connectors", ())
        )
        values["grants"] = tuple(Grant(**grant) for grant in values["grants"])
        values["actions_required"] = tuple(
            ActionRequired(**action) for action in values["actions_required"]
        )
        values["defects"] = _defects(values["defects"])
        return cls(**values)

    def describe(self) -> dict[str, Any]:
        """DescribeBroker's answer, in the API's names and without a secret. RabbitMQ's users are not in it (API)."""
        listed = () if self.engine_type == "RABBITMQ" else self.users
        return {
            "BrokerArn": self.arn,
            "BrokerId": self.broker_id,
            "BrokerName": self.broker_name,
            "BrokerState": self.broker_state,
            "EngineType": self.engine_type,
            "EngineVersion": self.engine_version,
            "DeploymentMode": self.deployment_mode,
            "StorageType": self.storage_type,
            "ActionsRequired": [
                {
                    "ActionRequiredCode": action.action_required_code,
                    "ActionRequiredInfo": action.action_required_info,
                }
                for action in self.actions_required
            ],
            "EncryptionOptions": {
                "UseAwsOwnedKey": self.encryption_options.use_aws_owned_key,
                **(
                    {"KmsKeyId": self.encryption_options.kms_key_id}
                    if self.encryption_options.kms_key_id
                    else {}
                ),
            },
            "Created": self.created,
            "PubliclyAccessible": False,
            "BrokerInstances": [
                {
                    "ConsoleURL": next(
                        (e.url for e in instance.endpoints if e.scheme == "https"), ""
                    ),
                    "Endpoints": [
                        endpoint.url
                        for endpoint in instance.endpoints
                        if endpoint.scheme != "https"
                    ],
                }
                for instance in self.instances
            ],
            "Users": [{"Username": user.username} for user in listed],
            "Tags": dict(self.tags),
        }

    def endpoint(self, protocol: str, *, tls: bool = True) -> Endpoint:
        """The first endpoint that speaks ``protocol``. Raises ``KeyError`` when there is none."""
        for endpoint in self.endpoints:
            if protocol in endpoint.protocols and endpoint.tls == tls:
                return endpoint
        raise KeyError(
            f"{self.engine_type} broker {self.broker_name} has no {'' if tls else 'plaintext '}{protocol} endpoint"
        )


def _node(document: Mapping[str, Any]) -> Node:
    return Node(
        **{**document, "volume": Volume(**document["volume"]), "endpoints": _endpoints(document)}
    )


def _endpoints(document: Mapping[str, Any]) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(**{**each, "protocols": tuple(each["protocols"])})
        for each in document["endpoints"]
    )


def _addresses(endpoints: tuple[Endpoint, ...], tls: bool) -> dict[str, tuple[str, int]]:
    return {
        endpoint.name: (endpoint.host, endpoint.port)
        for endpoint in endpoints
        if endpoint.tls == tls
    }


def _defects(document: Mapping[str, Any] | None) -> Defects | None:
    if document is None:
        return None
    tls = document["tls"]
    profile = tls and TlsProfile(
        tuple(tls["versions"]), tuple(Suite(**suite) for suite in tls["suites"])
    )
    return Defects(**{**document, "tls": profile})
