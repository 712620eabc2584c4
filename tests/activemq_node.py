"""A real ActiveMQ node for tests, with certificates and a volume of its own. Its data key is made here, not by KMS."""

import io
import os
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
from testbed.engines.activemq import ActiveMQ
from testbed.engines.base import Control, NodeSpec, User
from testbed.errors import ClientError
from testbed.pki import Authority
from testbed.runtime import engine, images, ports
from testbed.runtime.containers import ContainerSpec, Containers

HOSTNAME = "b-1234.mq.us-east-1.amazonaws.com"
# Allowed by the API, and hard to carry through five protocols, a properties file and HTTP.
HOSTILE = """pä$s &'"<w>\\{rd}\\n${x}#!;%20"""
ALICE = User("alice", "alices-password-1")
BOB = User("bob.~_-", HOSTILE, console_access=False, groups=("readers", "writers"))
CAROL = User("carol", HOSTILE)


def spec(version: str = "5.19", users: tuple[User, ...] = (ALICE, BOB, CAROL), control: Control | None = None) -> NodeSpec:
    authority = Authority.create()
    certificate = authority.issue(names=[])
    password = secrets.token_hex(16)
    return NodeSpec(
        broker_id="b-1234",
        broker_name="orders",
        hostname=HOSTNAME,
        version=version,
        users=users,
        tls=(control and control.tls) or PROFILES["ACTIVEMQ"],
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
    """A running node; ``addresses`` are its listeners, the plaintext ones included."""

    spec: NodeSpec
    engine: ActiveMQ
    containers: Containers
    image: str
    data_key: str
    addresses: dict[str, tuple[str, int]]
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
                ports={listeners[name].container_port: port for name, (_, port) in self.addresses.items()},
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

    def address(self, listener: str, user: User = ALICE, *, tls: bool = True) -> Address:
        host, port = self.addresses[listener]
        protocol = listener.partition("-")[0]
        return Address(protocol, host, port, user.username, user.password, self.ca_file if tls else None, beside=self.container)

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
def activemq(folder: Path, node: NodeSpec) -> Iterator[Node]:
    """A node on a new volume, started; gone afterwards, volume and all."""
    broker = ActiveMQ()
    client = engine.connect(print)
    containers = Containers(client, f"test-{uuid.uuid4().hex[:8]}")
    try:
        image = broker.image(node.version)
        tag = os.environ.get("TESTBED_ACTIVEMQ_IMAGE") or images.ensure(client, [image], print)[image]
        wanted = broker.listeners(node.version)
        if node.control and node.control.plaintext_listener:
            wanted += broker.plaintext_listeners()
        addresses = {each.name: ("127.0.0.1", port) for each, port in zip(wanted, ports.free(len(wanted)), strict=True)}
        ca_file = folder / "ca.pem"
        ca_file.write_bytes(node.ca_pem)
        volume = f"{containers.instance}-volume"
        containers.create_volume(volume)
        running = Node(node, broker, containers, tag, secrets.token_hex(32), addresses, ca_file, volume)
        running.start()
        yield running
    finally:
        containers.purge()
        client.close()
