"""Control brokers for benchmark tests, with a plaintext listener, and targets on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.bench.spec import Driver
from testbed.bench.target import Encryption, Target, choose_route
from testbed.clients.base import Address
from testbed.engines.base import Defects
from testbed.runtime.containers import Containers
from tests.support import activemq_node, rabbitmq_node

_LISTENERS = {"amqp": "amqps", "amqp10": "amqps", "stomp-ws": "wss", "mqtt-ws": "wss"}


@dataclass(frozen=True)
class Broker:
    """A running control: ``addresses`` and ``plaintext`` by listener."""

    engine_type: str
    addresses: dict[str, tuple[str, int]]
    plaintext: dict[str, tuple[str, int]]
    ca_file: Path
    container: str
    containers: Containers

    def target(self, driver: Driver, encryption: Encryption | None = None) -> Target:
        """Return the listener that a driver needs, by the driver's route."""
        encryption = encryption or Encryption()
        tls = encryption.listener == "tls"
        name = (
            driver.protocol
            if driver.protocol == "amqp10" and self.engine_type == "ACTIVEMQ"
            else _LISTENERS.get(driver.protocol, driver.protocol)
        )
        if driver.protocol == "amqp10" and self.engine_type == "ACTIVEMQ":
            name = "amqp"
        host, port = self.addresses[name] if tls else self.plaintext[f"{driver.protocol}-plaintext"]
        user = rabbitmq_node.ALICE
        beside = self.container if driver.protocol == "openwire" else ""
        address = Address(
            driver.protocol,
            "localhost" if host == "127.0.0.1" else host,
            port,
            user.username,
            user.password,
            self.ca_file if tls else None,
            beside,
        )
        return choose_route(
            driver.route, Target(self.engine_type, address, encryption, container=self.container)
        )


@contextmanager
def rabbitmq(folder: Path) -> Iterator[Broker]:
    with rabbitmq_node.rabbitmq(
        folder, rabbitmq_node.spec(defects=Defects(plaintext_listener=True))
    ) as node:
        yield Broker(
            "RABBITMQ",
            node.addresses,
            node.plaintext,
            node.ca_file,
            node.container,
            node.containers,
        )


@contextmanager
def activemq(folder: Path) -> Iterator[Broker]:
    with activemq_node.activemq(
        folder, activemq_node.spec(defects=Defects(plaintext_listener=True))
    ) as node:
        yield Broker(
            "ACTIVEMQ",
            node.addresses,
            node.plaintext,
            node.ca_file,
            node.container,
            node.containers,
        )
