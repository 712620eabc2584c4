"""A node's entry point: it ends with its mount and with its broker, and knows its volume."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from testbed.clients.base import Address
from testbed.clients.console import Console
from testbed.errors import ConnectionRefused
from tests.support.activemq_node import activemq
from tests.support.activemq_node import spec as activemq_spec
from tests.support.broker_node import BrokerNode, wait_for
from tests.support.nightly import first_then_nightly
from tests.support.rabbitmq_node import rabbitmq
from tests.support.rabbitmq_node import spec as rabbitmq_spec

pytestmark = pytest.mark.containers
# From outside the volume's mount, as what holds the disks sees it.
_AS_ROOT = ("find", "/volume", "-mindepth", "1")


@pytest.fixture(scope="module")
def rabbitmq_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerNode]:
    with rabbitmq(tmp_path_factory.mktemp("rabbitmq"), rabbitmq_spec()) as node:
        yield node


@pytest.fixture(scope="module")
def activemq_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerNode]:
    with activemq(tmp_path_factory.mktemp("activemq"), activemq_spec()) as node:
        yield node


def has_ended(node: BrokerNode) -> bool:
    return not node.containers.state(node.container).running


def restart(node: BrokerNode, attempt: int, attached: int) -> None:
    node.kill()
    node.attempt, node.attached = attempt, attached
    node.launch()


@pytest.mark.parametrize("engine", first_then_nightly(["rabbitmq", "activemq"], "the other engine"))
def test_a_node_ends_with_the_process_behind_its_mount(
    engine: str, request: pytest.FixtureRequest
) -> None:
    node: BrokerNode = request.getfixturevalue(f"{engine}_node")
    node.run("sh", "-c", "kill -9 $(grep -lsx gocryptfs /proc/[0-9]*/comm | cut -d / -f 3)")
    wait_for("the end of the node", lambda: has_ended(node), timeout=10)
    assert "the process behind the volume's mount has ended" in node.log()
    node.kill()
    node.start()


def test_a_node_ends_when_its_broker_stops_by_itself(activemq_node: BrokerNode) -> None:
    """As ActiveMQ does after an I/O error: its JVM would stay, and nobody could log in."""
    node, user = activemq_node, activemq_node.spec.users[0]
    host, port = node.addresses["console"]
    address = Address("console", host, port, user.username, user.password, node.ca_file)
    broker = f"org.apache.activemq:type=Broker,brokerName={node.spec.broker_name}"
    with suppress(ConnectionRefused):  # the console ends with it
        Console(address).jolokia(type="exec", mbean=broker, operation="stop")
    wait_for("the end of the node", lambda: has_ended(node))
    node.kill()
    node.start()


def test_a_broker_stops_in_good_order_when_its_node_is_stopped(activemq_node: BrokerNode) -> None:
    node = activemq_node
    node.containers.stop(node.container)
    assert node.containers.state(node.container).exit_code in (0, 143)
    assert "is shutdown" in node.log()
    node.kill()
    node.start()


def test_an_emptied_volume_is_not_formatted_again(rabbitmq_node: BrokerNode) -> None:
    node = rabbitmq_node
    assert node.containers.execute(node.container, [*_AS_ROOT, "-delete"])[0] == 0
    restart(node, attempt=2, attached=1)
    wait_for("the refusal", lambda: has_ended(node))
    assert node.containers.state(node.container).exit_code == 65
    assert "it was emptied, and is not formatted again" in node.log()
    restart(node, attempt=1, attached=0)  # control: a creation formats
    node.wait()


@pytest.mark.parametrize("left", ["gocryptfs.conf.tmp", "gocryptfs.conf"])
def test_a_part_of_a_header_that_a_killed_start_left_is_made_anew(
    rabbitmq_node: BrokerNode, left: str
) -> None:
    node = rabbitmq_node
    assert node.containers.execute(node.container, [*_AS_ROOT, "-delete"])[0] == 0
    node.run("touch", f"/volume/{left}")
    restart(node, attempt=1, attached=0)
    node.wait()


def test_an_older_copy_of_a_volume_is_not_taken_for_it(
    rabbitmq_node: BrokerNode, tmp_path: Path
) -> None:
    node = rabbitmq_node
    copy = ("sh", "-c", "rm -rf /tmp/copy && cp -a /volume /tmp/copy")
    node.run(*copy)
    older = tmp_path / "copy.tar"
    older.write_bytes(b"".join(node.containers.archive(node.container, "/tmp/copy")))
    restart(node, attempt=7, attached=1)
    node.wait()
    restart(node, attempt=8, attached=7)  # control: as it was left
    node.wait()
    assert node.containers.execute(node.container, [*_AS_ROOT, "-delete"])[0] == 0
    node.containers.client.api.put_archive(node.container, "/tmp", older.read_bytes())
    node.run("sh", "-c", "cp -a /tmp/copy/. /volume/")
    restart(node, attempt=9, attached=8)
    wait_for("the refusal", lambda: has_ended(node))
    assert node.containers.state(node.container).exit_code == 65
    assert "it was attached 1 times, not 8" in node.log()
