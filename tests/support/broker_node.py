"""A real broker node for tests, with its own certificate and volume; its data key is not KMS's."""

import os
import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from testbed.broker.node_container import MOUNTS, TMPFS
from testbed.documented.tls import PROFILES
from testbed.engines import entry
from testbed.engines.base import Cluster, Defects, Engine, NetworkConnector, NodeSpec, User
from testbed.errors import ClientError, ConnectionRefused
from testbed.pki import Authority, Certificate
from testbed.runtime import engine, images, ports
from testbed.runtime.containers import Containers, ContainerSpec
from testbed.runtime.listening import listening

HOSTNAME = "b-1234.mq.us-east-1.amazonaws.com"


def node_spec(
    of: Engine,
    version: str,
    users: tuple[User, ...],
    defects: Defects | None = None,
    *,
    certificate: Certificate | None = None,
    broker_name: str = "orders",
    hostname: str = HOSTNAME,
    cluster: Cluster | None = None,
    network_connectors: tuple[NetworkConnector, ...] = (),
) -> NodeSpec:
    certificate = certificate or Authority.create().issue()
    password = secrets.token_hex(16)
    return NodeSpec(
        broker_id="b-1234",
        broker_name=broker_name,
        hostname=hostname,
        version=version,
        release=of.running_version(version),
        users=users,
        tls=(defects and defects.tls) or PROFILES[of.type],
        chain_pem=certificate.chain_pem,
        private_key_pem=certificate.private_key_pem,
        keystore_p12=certificate.keystore_p12(password),
        keystore_password=password,
        ca_pem=certificate.ca_pem,
        truststore_p12=certificate.truststore_p12(password),
        defects=defects,
        cluster=cluster,
        network_connectors=network_connectors,
    )


@dataclass
class BrokerNode:
    """A node.

    ``addresses`` are its TLS listeners as clients reach them, ``plaintext`` those of a control.
    """

    spec: NodeSpec
    engine: Engine
    containers: Containers
    image: str
    addresses: dict[str, tuple[str, int]]
    ca_file: Path
    volume: str
    data_key: str
    plaintext: dict[str, tuple[str, int]] = field(default_factory=dict)
    shared: bool = False  # with other nodes: the volume
    published: bool = True  # on its addresses; otherwise a load balancer is
    name: str = "node"
    aliases: tuple[str, ...] = ()  # further names in the containers' network
    container: str = ""

    attempt: int = 1
    kind: str = "files"
    size: int = 0
    attached: int = 0  # see ``testbed.storage.volumes.Volume``

    def start(self) -> float:
        """Start it with its secrets; return the seconds until a login on every listener."""
        started = time.monotonic()
        self.launch()
        self.wait()
        return time.monotonic() - started

    def launch(self) -> None:
        listeners = {
            listener.name: listener
            for listener in (
                *self.engine.listeners(self.spec.version),
                *self.engine.plaintext_listeners(),
            )
        }
        published = self.addresses | self.plaintext if self.published else {}
        self.container = self.containers.run(
            ContainerSpec(
                name=f"{self.containers.instance}-{self.name}",
                image=self.image,
                role="broker",
                ports=tuple(
                    (port, listeners[name].container_port) for name, (_, port) in published.items()
                ),
                volumes={self.volume: "/volume"},
                tmpfs=TMPFS,
                aliases=(self.spec.hostname, *self.aliases),
                mounts=MOUNTS[self.kind],
            ),
            stdin=entry.secrets(
                self.engine,
                self.spec,
                bytes.fromhex(self.data_key),
                shared=self.shared,
                attempt=self.attempt,
                attached=self.attached,
                kind=self.kind,
                size=self.size,
            ),
        )

    def wait(self, timeout: float = 120.0) -> None:
        end = time.monotonic() + timeout
        while (reason := self.not_ready()) is not None:
            assert self.containers.state(self.container).running, self.containers.last_words(
                self.container, 30
            )
            assert time.monotonic() < end, (reason, self.containers.last_words(self.container, 30))
            time.sleep(0.05)

    def not_ready(self) -> ClientError | None:
        """Return the reason why a listener does not answer a login, if any."""
        try:
            self.engine.login(self.spec, self.addresses)
        except ClientError as error:
            return error
        return None

    def kill(self) -> None:
        self.containers.kill(self.container)
        self.containers.remove(self.container)

    def log(self) -> str:
        return b"".join(self.containers.logs(self.container)).decode(errors="replace")

    def run(self, *argv: str, user: str = "") -> str:
        code, output = self.containers.execute(self.container, argv, user=user)
        assert code == 0, output.decode()
        return output.decode()

    def listening(self) -> dict[int, set[str]]:
        """Return the ports that something in the container listens on, with their addresses."""
        return listening(self.containers, self.container)


@contextmanager
def testing() -> Iterator[Containers]:
    """Yield containers under a new label; remove all afterwards, with their volumes."""
    client = engine.connect()
    containers = Containers(client, f"test-{uuid.uuid4().hex[:8]}")
    try:
        yield containers
    finally:
        containers.purge()
        client.close()


def built(containers: Containers, image: images.ImageSpec, instead: str = "") -> str:
    """Return the tag of ``image``, or the one in the environment variable ``instead``."""
    return os.environ.get(instead) or containers.ensure_image(image)


Addresses = dict[str, tuple[str, int]]


def places(of: Engine, node: NodeSpec, host: str = "localhost") -> tuple[Addresses, Addresses]:
    """Pick ports for a node's TLS listeners, and for a control's plaintext ones.

    Each container port is published once.
    """
    tls = [listener.name for listener in of.listeners(node.version) if not listener.inside]
    plaintext = (
        [listener.name for listener in of.plaintext_listeners()]
        if node.defects and node.defects.plaintext_listener
        else []
    )
    addresses = {
        name: (host, port)
        for name, port in zip(tls + plaintext, ports.free(len(tls + plaintext)), strict=True)
    }
    return {name: addresses[name] for name in tls}, {name: addresses[name] for name in plaintext}


def new_volume(containers: Containers, name: str = "volume") -> str:
    volume = f"{containers.instance}-{name}"
    containers.create_volume(volume)
    return volume


def written(ca_pem: bytes, folder: Path) -> Path:
    (folder / "ca.pem").write_bytes(ca_pem)
    return folder / "ca.pem"


def wait_for(what: str, true: Callable[[], bool], timeout: float = 60.0) -> None:
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, f"{what}: not within {timeout:g} s"
        time.sleep(0.1)


def retry_login(login: Callable[[], object]) -> None:
    """Repeat a login that was hung up on.

    ActiveMQ closes a refused connection after half a second, even if its answer is not sent yet.
    """
    for _ in range(3):
        try:
            login()
        except ConnectionRefused:
            continue
        return
    raise AssertionError("hung up on three times without an answer")
