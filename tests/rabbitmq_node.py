"""A real RabbitMQ node for tests, with certificates and a volume of its own. Its data key is made here, not by KMS."""

import io
import secrets
import tarfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.clients.base import Address
from testbed.documented.tls import PROFILES
from testbed.engines.base import Control, NodeSpec, User
from testbed.engines.rabbitmq import RabbitMQ
from testbed.errors import ClientError
from testbed.pki import Authority
from testbed.runtime import engine, images, ports
from testbed.runtime.containers import ContainerSpec, Containers

HOSTNAME = "b-1234.mq.us-east-1.amazonaws.com"
ALICE = User("alice", "alices-password-1")
# Allowed by the API, and hard to carry through shell, JSON, configuration and HTTP. The API has one user per broker.
CAROL = User("carol.-_", """ pä$s&'"<w>\\{rd}${x}#!;%20 """)
SETTINGS = PROFILES["RABBITMQ"]


def spec(users: tuple[User, ...] = (ALICE, CAROL), control: Control | None = None) -> NodeSpec:
    authority = Authority.create()
    certificate = authority.issue(names=[])
    password = secrets.token_hex(16)
    return NodeSpec(
        broker_id="b-1234",
        broker_name="orders",
        hostname=HOSTNAME,
        version="4.2",
        users=users,
        tls=(control and control.tls) or SETTINGS,
        chain_pem=certificate.chain_pem,
        private_key_pem=certificate.private_key_pem,
        keystore_p12=certificate.keystore_p12(password),
        keystore_password=password,
        ca_pem=certificate.ca_pem,
        truststore_p12=certificate.truststore_p12(password),
        control=control,
    )


@dataclass
class Node:
    """A running node; ``addresses`` are its TLS listeners, ``plaintext`` the control's other ones."""

    spec: NodeSpec
    engine: RabbitMQ
    containers: Containers
    image: str
    data_key: str
    addresses: dict[str, tuple[str, int]]
    plaintext: dict[str, tuple[str, int]]
    ca_file: Path
    volume: str
    container: str = ""

    def start(self) -> float:
        """Start it, with its secrets, and return the seconds until the first login on every listener."""
        started = time.monotonic()
        listeners = {each.name: each for each in (*self.engine.listeners(self.spec.version), *self.engine.plaintext_listeners())}
        self.container = self.containers.run(
            ContainerSpec(
                name=f"{self.containers.instance}-node",
                image=self.image,
                role="broker",
                ports={listeners[name].container_port: port for name, (_, port) in (self.addresses | self.plaintext).items()},
                volumes={self.volume: "/volume"},
                tmpfs={"/run/testbed": "mode=0700,size=32m", "/data": "mode=0755,size=1m"},
                aliases=(HOSTNAME,),
                mounts_fuse=True,
            ),
            stdin=self._secrets(),
        )
        while True:
            try:
                self.engine.login(self.spec, self.addresses, str(self.ca_file))
                return time.monotonic() - started
            except ClientError as error:
                state = self.containers.state(self.container)
                assert state.running, self.containers.last_words(self.container, 30)
                assert time.monotonic() - started < 120, (error, self.containers.last_words(self.container, 30))
            time.sleep(0.05)

    def kill(self) -> None:
        self.containers.kill(self.container)
        self.containers.remove(self.container)

    def log(self) -> str:
        return b"".join(self.containers.logs(self.container)).decode(errors="replace")

    def run(self, *argv: str, user: str = "") -> str:
        code, output = self.containers.execute(self.container, argv, user=user)
        assert code == 0, output.decode()
        return output.decode()

    def address(self, protocol: str, user: User = ALICE, *, tls: bool = True) -> Address:
        host, port = self.addresses["amqps"] if tls else self.plaintext["amqp-plaintext"]
        return Address(protocol, host, port, user.username, user.password, self.ca_file if tls else None)

    def _secrets(self) -> bytes:
        files = {"node.env": f"BROKER_USER={self.engine.user}\n".encode(), "volume.key": self.data_key.encode(), **self.engine.files(self.spec)}
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(content), 0o600
                tar.addfile(info, io.BytesIO(content))
        return f"{buffer.tell()}\n".encode() + buffer.getvalue()


@contextmanager
def rabbitmq(folder: Path, node: NodeSpec) -> Iterator[Node]:
    """A node on a new volume, started; gone afterwards, volume and all."""
    broker = RabbitMQ()
    client = engine.connect(print)
    containers = Containers(client, f"test-{uuid.uuid4().hex[:8]}")
    try:
        image = broker.image(node.version)
        tag = images.ensure(client, [image], print)[image]
        # management-443 is another name for management's port in the container, which is published once.
        wanted = [each for each in broker.listeners(node.version) if not each.inside]
        plaintext = broker.plaintext_listeners() if node.control and node.control.plaintext_listener else ()
        free = iter(ports.free(len(wanted) + len(plaintext)))
        addresses = {each.name: ("localhost", next(free)) for each in wanted}
        ca_file = folder / "ca.pem"
        ca_file.write_bytes(node.ca_pem)
        volume = f"{containers.instance}-volume"
        containers.create_volume(volume)
        opened = {each.name: ("localhost", next(free)) for each in plaintext}
        running = Node(node, broker, containers, tag, secrets.token_hex(64), addresses, opened, ca_file, volume)
        running.start()
        yield running
    finally:
        containers.purge()
        client.close()
