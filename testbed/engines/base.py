"""What an engine has to say for itself so that the broker room can run a node of it.

An engine renders files and names ports. It starts nothing: ``runtime`` runs containers
and ``broker`` decides when.
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
    certificate: str = ""  # one of ``pki.BAD`` instead of a sound one


# No encryption at all: the control of most checks, so that one broker serves them all.
UNENCRYPTED = Defects(plaintext_listener=True, plain_volume=True)


@dataclass(frozen=True)
class Cluster:
    """The RabbitMQ cluster that a node is one of.

    ``hostnames`` are those of all its nodes, the node's own included, the same for each. Whoever has ``cookie`` is
    let in by Erlang and may do everything. With ``inter_node_tls``, which Amazon MQ does not have, what nodes tell
    each other is encrypted; their certificates then need their host names.
    """

    hostnames: tuple[str, ...]
    cookie: str = field(repr=False)
    inter_node_tls: bool = False


@dataclass(frozen=True)
class NetworkConnector:
    """ActiveMQ's element of that name, as Amazon MQ has it: without a password.

    The service injects that of the broker's own user ``username``. ``uri`` is ``static:(ssl://...)`` or
    ``masterslave:(ssl://...,ssl://...)``; ``attributes`` are further ones of the element.
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
    configuration: str = (
        ""  # the customer's, as UpdateConfiguration takes it; empty: the service's default
    )
    host_instance_type: str = ""  # CreateBroker's; empty: the service's default


class Engine(Protocol):
    """One engine. ``type`` is AWS's EngineType."""

    type: str
    user: str  # the account the broker runs as in the container

    def image(self, version: str) -> ImageSpec:
        """The image that runs this version (or the nearest that can be had)."""

    def running_version(self, version: str) -> str:
        """The exact version behind ``version``, e.g. ``5.19.9`` for ``5.19``."""

    def listeners(self, version: str) -> tuple[Listener, ...]:
        """The documented listeners of this version."""

    def plaintext_listeners(self) -> tuple[Listener, ...]:
        """The plaintext twins that a control node opens besides."""

    def files(self, node: NodeSpec) -> dict[str, bytes]:
        """The node's files, relative to ``/run/testbed``: ``start`` (the shell script that
        becomes the broker), ``etc/...`` and ``tls/...``. The data directory is ``/data/broker``.
        """

    def login(self, node: NodeSpec, addresses: dict[str, tuple[str, int]], ca_file: str) -> None:
        """Return when every listener (name -> host, port) answers a TLS handshake and a login;
        raise ``ClientError`` when one does not yet. Called again until it succeeds.
        """


@dataclass(frozen=True)
class SanitizationWarning:
    """What was removed, as UpdateConfiguration tells (API). ``attribute_name`` is empty when it was a whole element."""

    reason: str
    element_name: str
    attribute_name: str = ""

    def describe(self) -> dict[str, str]:
        """In the API's names."""
        names = {
            "AttributeName": self.attribute_name,
            "ElementName": self.element_name,
            "Reason": self.reason,
        }
        return {name: value for name, value in names.items() if value}


@dataclass(frozen=True)
class Sanitized:
    """``data`` is what is left. ``warnings`` are the first 20."""

    data: str
    warnings: tuple[SanitizationWarning, ...] = ()
