"""The interface of an engine, which renders a node's files and names its ports.

An engine starts nothing: ``runtime`` runs containers, and ``broker`` decides when.
"""

from dataclasses import dataclass, field
from typing import Protocol

from testbed.documented.listeners import Listener
from testbed.documented.tls import TlsProfile
from testbed.runtime.images import ImageSpec


@dataclass(frozen=True)
class User:
    """A broker user as CreateBroker has it."""

    username: str
    password: str = field(repr=False)
    console_access: bool = True
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Defects:
    """The defects planted in a control broker: what a check must find fault with.

    Only scenarios and benchmarks make these; CreateBroker cannot.
    """

    plaintext_listener: bool = False
    plain_volume: bool = False
    tls: TlsProfile | None = None  # other versions and suites than the documented ones
    certificate: str = ""  # one of ``pki.bad_names``; empty: a sound one


# No encryption at all: the control of most checks, so that one broker serves them all.
UNENCRYPTED = Defects(plaintext_listener=True, plain_volume=True)


@dataclass(frozen=True)
class Cluster:
    """The RabbitMQ cluster that a node belongs to.

    ``hostnames`` are those of all its nodes. ``cookie`` gives full access to Erlang. With
    ``inter_node_tls``, which Amazon MQ does not have, traffic between nodes is encrypted; their
    certificates then need their host names.
    """

    hostnames: tuple[str, ...]
    cookie: str = field(repr=False)
    inter_node_tls: bool = False


@dataclass(frozen=True)
class NetworkConnector:
    """ActiveMQ's element of that name, as Amazon MQ has it: without a password.

    The service adds that of the broker's user ``username``. ``uri`` is ``static:(ssl://...)`` or
    ``masterslave:(ssl://...,ssl://...)``; ``attributes`` are the element's other attributes.
    """

    name: str
    uri: str
    username: str
    duplex: bool = True
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class NodeSpec:
    """Everything an engine needs to render one node."""

    broker_id: str
    broker_name: str
    hostname: str
    version: str  # major.minor, as asked for
    release: str  # what runs; empty for an image of the user's
    users: tuple[User, ...]
    tls: TlsProfile
    chain_pem: bytes  # leaf and intermediate
    private_key_pem: bytes = field(repr=False)
    keystore_p12: bytes = field(repr=False)  # the same as PKCS12, for Java
    keystore_password: str = field(repr=False)
    ca_pem: bytes
    truststore_p12: bytes
    defects: Defects | None = None
    cluster: Cluster | None = None  # RabbitMQ
    network_connectors: tuple[NetworkConnector, ...] = ()  # ActiveMQ
    # The customer's, as UpdateConfiguration takes it; empty: the service's default.
    configuration: str = ""
    host_instance_type: str = ""  # CreateBroker's; empty: the service's default
    former_chain_pem: bytes = b""  # of a cluster's other nodes, while all get another one
    volume_size: int = 0  # bytes of a block volume; 0 for files
    audit: bool = False  # ActiveMQ: whether actions by JMX and the console are logged


@dataclass(frozen=True)
class Difference:
    """What a broker does otherwise than the service's, since another release stands in for its own.

    ``service`` is what the version does that was asked for, ``here`` what the other one does.
    """

    subject: str
    service: str
    here: str


class Engine(Protocol):
    """One engine."""

    @property
    def type(self) -> str:
        """AWS's EngineType."""

    @property
    def user(self) -> str:
        """The account that the broker runs as in its container."""

    def image(self, version: str) -> ImageSpec:
        """Return the image that runs this version, or the nearest available one."""

    def running_version(self, version: str) -> str:
        """Return the exact version behind ``version``, e.g. ``5.19.9`` for ``5.19``."""

    def differences(self, version: str) -> tuple[Difference, ...]:
        """Return what the release behind ``version`` does otherwise; nothing if it is that one."""

    def listeners(self, version: str) -> tuple[Listener, ...]:
        """Return the documented listeners of this version."""

    def plaintext_listeners(self) -> tuple[Listener, ...]:
        """Return the plaintext listeners that a control node has as well."""

    def files(self, node: NodeSpec) -> dict[str, bytes]:
        """Return the node's files, relative to ``/run/testbed``.

        They are ``start`` (the shell script that becomes the broker), ``etc/...`` and ``tls/...``.
        The data directory is ``/data/broker``.
        """

    def login(self, node: NodeSpec, addresses: dict[str, tuple[str, int]]) -> None:
        """Log in to every listener in ``addresses`` (name -> host, port) over TLS.

        When all of the node's listeners let a client in, it is ready.

        Raises ``ClientError`` while one does not answer; called again until it succeeds.
        """

    def alarms(self, node: NodeSpec, addresses: dict[str, tuple[str, int]]) -> tuple[str, ...]:
        """Return the codes of the broker's alarms (``documented.engines.ALARMS``).

        Raises ``ClientError`` when it does not answer.
        """


@dataclass(frozen=True)
class SanitizationWarning:
    """Something that was removed, as UpdateConfiguration reports it (API).

    ``attribute_name`` is empty for a whole element.
    """

    reason: str
    element_name: str
    attribute_name: str = ""

    def describe(self) -> dict[str, str]:
        """Return the warning in the API's names."""
        names = {
            "AttributeName": self.attribute_name,
            "ElementName": self.element_name,
            "Reason": self.reason,
        }
        return {name: value for name, value in names.items() if value}


@dataclass(frozen=True)
class Sanitized:
    """A sanitised configuration. ``warnings`` are the first 20."""

    data: str
    warnings: tuple[SanitizationWarning, ...] = ()
