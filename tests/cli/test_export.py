"""`testbed export compose`: copies of brokers, brought up by Docker Compose."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from testbed.cli.root import app
from testbed.clients import QUEUE_PROTOCOL, Address, connect
from testbed.clients.base import Destination
from testbed.errors import ClientError, ConnectionRefused
from testbed.library import MqBroker
from testbed.runtime import debian, ports
from testbed.testbed import Testbed
from tests.support.broker_node import wait_for

pytestmark = pytest.mark.containers
ORDERS = Destination.queue("orders")


def export(folder: Path, state: Path) -> Any:
    return CliRunner().invoke(app, ["export", "compose", str(folder), "--state", str(state)])


def compose_command() -> list[str]:
    """Return Docker Compose: the engine's plugin, or Debian's package, installed if need be."""
    plugin = ["docker", "compose"]
    if (
        shutil.which("docker")
        and not subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode
    ):
        return plugin
    if shutil.which("docker-compose") is None:
        if not debian.can_install():
            pytest.skip("there is no Docker Compose on this machine")
        debian.install(["docker-compose"], "a test brings a Compose file up")
    return ["docker-compose"]


@dataclass
class Project:
    """An exported Compose file with other ports than the testbed's."""

    folder: Path
    command: list[str]
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        text = (self.folder / "compose.yaml").read_text()
        self.services: dict[str, Any] = yaml.safe_load(text)["services"]
        published = [
            port for service in self.services.values() for port in service.get("ports", ())
        ]
        names = [port.partition("${")[2].partition(":-")[0] for port in published]
        self.variables = {
            name: str(port) for name, port in zip(names, ports.free(len(names)), strict=True)
        }

    def run(self, *arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            [*self.command, "-f", "compose.yaml", *arguments],
            cwd=self.folder,
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert bool(done.returncode) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def address(self, broker: MqBroker, service: str) -> Address:
        """Return where the copy of a broker listens for the protocol that has queues."""
        address = broker.address(QUEUE_PROTOCOL[broker.engine_type])
        [name] = [
            port.partition("${")[2].partition(":-")[0]
            for port in self.services[service]["ports"]
            if f":-{address.port}}}" in port
        ]
        return replace(
            address, port=int(self.variables[name]), ca_file=self.folder / "ca.pem", beside=""
        )

    def wait_until_healthy(self, *services: str) -> None:
        def healthy() -> bool:
            return self.run("ps").count("(healthy)") == len(services)

        wait_for(f"the health of {services}", healthy, 150)


@contextmanager
def exported(folder: Path, testbed: Testbed) -> Iterator[Project]:
    """Export the testbed's brokers, and remove after the block what was brought up."""
    result = export(folder, testbed.state.folder)
    assert result.exit_code == 0, result.output
    project = Project(folder, compose_command())
    try:
        yield project
    finally:
        project.run("down", "--volumes")


brought_up = pytest.mark.nightly("copies brought up; every push has the files")


@pytest.fixture(scope="module")
def project(
    rabbitmq_broker: MqBroker,
    activemq_broker: MqBroker,
    testbed: Testbed,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("export") / "copies"
    with exported(folder, testbed) as project:
        yield project


@pytest.fixture(scope="module")
def up(project: Project) -> Project:
    project.run("up", "-d", "rabbitmq", "activemq")
    project.wait_until_healthy("rabbitmq", "activemq")
    return project


def test_compose_takes_the_file(project: Project) -> None:
    assert "activemq" in project.run("config", "--services").split()


@brought_up
def test_copies_take_the_brokers_users_and_keep_messages_over_a_restart(
    up: Project, rabbitmq_broker: MqBroker, activemq_broker: MqBroker
) -> None:
    addresses = [
        up.address(rabbitmq_broker, "rabbitmq"),
        up.address(activemq_broker, "activemq"),
    ]
    for address in addresses:
        with connect(address) as client:
            client.publish(ORDERS, b"one")
    up.run("restart", "rabbitmq", "activemq")
    for address in addresses:
        wait_for("a login", partial(logs_in, address), 120)
        with connect(address) as client:
            client.subscribe(ORDERS)
            message = client.receive()
            assert message is not None
            assert message.body == b"one"
        with pytest.raises(ClientError):
            connect(replace(address, password="another password"))


def logs_in(address: Address) -> bool:
    try:
        connect(address).close()
    except ConnectionRefused:
        return False
    return True


@brought_up
def test_a_copys_volume_is_encrypted(up: Project) -> None:
    for service in ("rabbitmq", "activemq"):
        mounts = up.run("exec", "-T", service, "cat", "/proc/mounts")
        assert "/data/broker fuse.gocryptfs" in mounts or "/data/broker ext4" in mounts
        assert "volume.key" not in up.run("exec", "-T", service, "ls", "/run/testbed")


@brought_up
def test_control_a_port_on_which_nothing_listens_is_not_healthy(up: Project) -> None:
    check = up.services["rabbitmq"]["healthcheck"]["test"][1]
    up.run("exec", "-T", "rabbitmq", "sh", "-c", check)
    up.run("exec", "-T", "rabbitmq", "sh", "-c", check.replace(":1627 ", ":0001 "), fails=True)


def test_no_secret_is_in_the_file_and_only_the_owner_reads_what_has_them(
    project: Project, rabbitmq_broker: MqBroker, activemq_broker: MqBroker
) -> None:
    text = (project.folder / "compose.yaml").read_text()
    secrets = project.folder / "secrets"
    assert secrets.stat().st_mode & 0o777 == 0o700
    for broker, name in ((rabbitmq_broker, "rabbitmq"), (activemq_broker, "activemq")):
        content = (secrets / name).read_bytes()
        for secret in (broker.password, "PRIVATE KEY", "volume.key"):
            assert secret not in text
        assert b"volume.key" in content, "control"
        assert (secrets / name).stat().st_mode & 0o777 == 0o600


def test_an_export_is_not_overwritten(project: Project, testbed: Testbed) -> None:
    before = (project.folder / "secrets" / "rabbitmq").read_bytes()
    result = export(project.folder, testbed.state.folder)
    assert result.exit_code == 1
    assert "exists already" in result.output
    assert (project.folder / "secrets" / "rabbitmq").read_bytes() == before


@brought_up
@pytest.mark.parametrize(
    ("services", "later"),
    [
        pytest.param(
            ("", ".1", ".2", ".3"),
            (),
            marks=pytest.mark.amazonmq("RabbitMQ", deployment="CLUSTER_MULTI_AZ"),
        ),
        pytest.param(  # one after the other: the first is active
            (".1",),
            (".2",),
            marks=pytest.mark.amazonmq("ActiveMQ", deployment="ACTIVE_STANDBY_MULTI_AZ"),
        ),
    ],
    ids=["cluster", "pair"],
)
def test_copies_of_several_nodes(
    services: tuple[str, ...],
    later: tuple[str, ...],
    amazonmq_broker: MqBroker,
    testbed: Testbed,
    tmp_path: Path,
) -> None:
    name = testbed.brokers.peek(amazonmq_broker.broker_id).broker_name
    with exported(tmp_path / "copies", testbed) as project:
        project.run("up", "-d", *(f"{name}{suffix}" for suffix in services))
        address = project.address(amazonmq_broker, f"{name}{services[0]}")
        wait_for("a login", partial(logs_in, address), 150)
        if later:
            project.run("up", "-d", *(f"{name}{suffix}" for suffix in later))
        with connect(address) as client:
            client.publish(ORDERS, b"one")
