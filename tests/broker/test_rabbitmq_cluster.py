"""RabbitMQ's cluster of three: one address, one cookie, quorum, and the loss of nodes."""

import base64
import http.client
import json
import select
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from testbed.checker import check
from testbed.clients import Destination, connect
from testbed.engines import balancer
from testbed.errors import ClientError
from testbed.history import Kind
from testbed.traffic import Traffic, drain
from tests.support.broker_node import wait_for
from tests.support.rabbitmq_cluster import RabbitMQCluster, rabbitmq_cluster
from tests.support.rabbitmq_node import ALICE, RELEASES_OF_4, Node

# The balancer's configuration


def test_every_port_leads_to_the_same_port_of_every_node() -> None:
    size, _, text = (
        balancer.configuration(["b-1.test", "b-2.test"], [5671, 15671]).decode().partition("\n")
    )
    assert int(size) == len(text)
    for port in (5671, 15671):
        assert (
            f"bind :{port}\n    server node-1 b-1.test:{port}\n    server node-2 b-2.test:{port}\n"
            in text
        )


# A real cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQCluster]:
    with rabbitmq_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def ask(cluster: RabbitMQCluster, path: str) -> Any:
    """Return the management interface's answer, at the cluster's address."""
    context = ssl.create_default_context(cafile=str(cluster.nodes[0].ca_file))
    connection = http.client.HTTPSConnection(
        "localhost", cluster.addresses["management"][1], context=context, timeout=30
    )
    credentials = base64.b64encode(f"{ALICE.username}:{ALICE.password}".encode()).decode()
    connection.request("GET", f"/api/{path}", headers={"Authorization": f"Basic {credentials}"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    return json.load(answer)


def queue(cluster: RabbitMQCluster, name: str) -> Destination:
    """Declare a queue and wait until it has a member at every node, and thus a leader."""
    destination = Destination.queue(name)
    with connect(cluster.address("amqp")) as client:
        client.declare(destination)  # type: ignore[attr-defined]
    wait_for("three members", lambda: len(ask(cluster, f"queues/%2F/{name}")["online"]) == 3)
    # RabbitMQ 4.0 can lose a quorum queue's content if killed within a second of declaration.
    time.sleep(2)
    return destination


def leader(cluster: RabbitMQCluster, name: str) -> Node:
    leading = ask(cluster, f"queues/%2F/{name}")["leader"]
    return next(node for node in cluster.nodes if leading == f"rabbit@{node.spec.hostname}")


@pytest.mark.containers
@pytest.mark.nightly("a cluster by itself; every push has scenario cluster")
def test_three_nodes_are_one_broker_with_the_services_defaults(cluster: RabbitMQCluster) -> None:
    nodes = {node["name"]: node["running"] for node in ask(cluster, "nodes")}
    assert nodes == {f"rabbit@{node.spec.hostname}": True for node in cluster.nodes}
    policies = {policy["name"]: policy for policy in ask(cluster, "policies")}
    assert set(policies) == {
        "AWS-DEFAULT-POLICY-CLUSTER",
        "AWS-DEFAULT-QUORUM-QUEUES-POLICY-CLUSTER-MULTI-AZ",
    }
    with connect(cluster.address("amqp")) as client:
        client.declare(Destination.queue("by.default"))  # type: ignore[attr-defined]
        client.declare(Destination.queue("classic", "classic"))  # type: ignore[attr-defined]
    in_force = {
        "by.default": {"max-length": 8_000_000, "overflow": "reject-publish"},
        "classic": {
            "max-length": 8_000_000,
            "overflow": "reject-publish",
            "queue-mode": "lazy",
            "queue-version": 2,
        },
    }

    def applies(name: str) -> bool:
        queue = ask(cluster, f"queues/%2F/{name}")
        return bool(queue.get("effective_policy_definition") == in_force[name])

    for name in in_force:
        wait_for(name, partial(applies, name))
    quorum = ask(cluster, "queues/%2F/by.default")
    assert quorum["type"] == "quorum"
    assert len(quorum["members"]) == 3


@pytest.mark.containers
@pytest.mark.nightly("a cluster by itself; every push has scenario cluster")
def test_only_the_balancer_is_published_and_erlang_is_among_the_containers_alone(
    cluster: RabbitMQCluster,
) -> None:
    for node in cluster.nodes:
        assert node.listening().keys() == {5671, 15671, 4369, 25672}
        assert not cluster.containers.inspect(node.container)["NetworkSettings"]["Ports"]
    published = cluster.containers.inspect(cluster.balancer)["NetworkSettings"]["Ports"]
    assert set(published) == {"5671/tcp", "15671/tcp"}
    assert {binding["HostIp"] for bindings in published.values() for binding in bindings} == {
        "127.0.0.1"
    }


@pytest.mark.containers
@pytest.mark.parametrize("protocol", ["amqp", "amqp10"])
@pytest.mark.nightly("a cluster by itself; every push has scenario cluster")
def test_both_protocols_publish_and_receive_at_the_one_address(
    cluster: RabbitMQCluster, protocol: str
) -> None:
    orders = Destination.queue(f"orders.{protocol}")
    with (
        connect(cluster.address(protocol)) as publisher,
        connect(cluster.address(protocol)) as consumer,
    ):
        publisher.publish(orders, b"an order")
        consumer.subscribe(orders)
        message = consumer.receive()
        assert message
        assert message.body == b"an order"
        message.acknowledge()


@pytest.mark.containers
@pytest.mark.nightly("a cluster by itself; every push has scenario cluster")
def test_connections_are_spread_over_the_nodes(cluster: RabbitMQCluster) -> None:
    with ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(connect(cluster.address("amqp")))
        expected = {f"rabbit@{node.spec.hostname}" for node in cluster.nodes}
        wait_for(
            "connections at each node",
            lambda: {connection["node"] for connection in ask(cluster, "connections")} == expected,
        )


@pytest.mark.containers
@pytest.mark.nightly("a cluster by itself; every push has scenario cluster")
def test_the_cookie_is_one_and_nowhere_to_be_seen(cluster: RabbitMQCluster) -> None:
    assert cluster.nodes[0].spec.cluster
    cookie = cluster.nodes[0].spec.cluster.cookie
    read = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; true"
    for node in cluster.nodes:
        assert (
            node.run("stat", "-c", "%a %U", "/data/broker/.erlang.cookie", user="rabbitmq").strip()
            == "400 rabbitmq"
        )
        assert node.run("cat", "/data/broker/.erlang.cookie", user="rabbitmq") == cookie
        visible = node.run("sh", "-c", read) + node.run("sh", "-c", read, user="rabbitmq")
        assert f"-name\nrabbit@{node.spec.hostname}\n" in visible
        visible += json.dumps(cluster.containers.inspect(node.container)) + node.log()
        assert cookie not in visible
        assert ALICE.password not in visible
        raw = b"".join(cluster.containers.archive(node.container, "/volume"))
        assert b"gocryptfs.conf" in raw
        assert cookie.encode() not in raw


@pytest.mark.containers
@pytest.mark.nightly("a cluster by itself; every push has scenario cluster")
def test_a_node_is_lost_under_traffic_and_comes_back_with_nothing_confirmed_lost(
    cluster: RabbitMQCluster,
) -> None:
    orders = queue(cluster, "through.an.outage")
    address = cluster.address("amqp")
    for _ in range(2):
        lost = leader(cluster, orders.name)
        with Traffic(address, orders, rate=50, timeout=10) as traffic:
            traffic.wait_confirmed(50, timeout=60)
            lost.kill()
            traffic.wait_confirmed(50, timeout=60)
            others = [node for node in cluster.nodes if node is not lost]
            assert leader(cluster, orders.name) in others
            lost.start()  # on the same volume, under the same name
            traffic.wait_confirmed(20, timeout=60)
            wait_for(
                "its member of the queue",
                lambda: len(ask(cluster, f"queues/%2F/{orders.name}")["online"]) == 3,
            )
        account = check(drain(address, orders, traffic.recorder))
        assert account.ok, str(account)


@pytest.mark.containers
@pytest.mark.nightly("a cluster by itself; every push has scenario cluster")
def test_a_client_that_connects_while_a_node_is_lost_gets_another_within_seconds(
    cluster: RabbitMQCluster,
) -> None:
    context = ssl.create_default_context(cafile=str(cluster.nodes[0].ca_file))

    def handshake() -> float:
        begun = time.monotonic()
        with (
            socket.create_connection(
                ("localhost", cluster.addresses["management"][1]), timeout=20
            ) as plain,
            suppress(ssl.SSLEOFError, ConnectionResetError),
        ):  # a handshake with the lost node itself ends at once
            context.wrap_socket(plain, server_hostname="localhost").close()
        return time.monotonic() - begun

    lost = cluster.nodes[1]
    with ThreadPoolExecutor(81) as pool:
        handshakes = []
        for number in range(80):
            handshakes.append(pool.submit(handshake))
            if number == 20:
                killed = pool.submit(lost.kill)
            time.sleep(0.05)
    killed.result()
    lost.start()
    slowest = max(attempt.result() for attempt in handshakes)
    assert slowest < 9, f"{slowest:.1f} s until a handshake"  # two attempts of 2 s each at most


@pytest.mark.containers
@pytest.mark.nightly("a cluster by itself; every push has scenario cluster")
def test_a_connection_to_a_node_without_a_network_is_ended_within_seconds(
    cluster: RabbitMQCluster,
) -> None:
    cut = cluster.nodes[2]
    container, [network] = (
        cluster.containers.client.containers.get(cut.container),
        cluster.containers.inspect(cut.container)["NetworkSettings"]["Networks"],
    )
    context = ssl.create_default_context(cafile=str(cluster.nodes[0].ca_file))
    with ExitStack() as stack:
        idle = []
        for _ in range(6):  # the balancer chooses the live nodes in turn
            plain = stack.enter_context(
                socket.create_connection(("localhost", cluster.addresses["amqps"][1]), timeout=20)
            )
            idle.append(
                stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
            )
        begun = time.monotonic()
        cluster.containers.client.networks.get(network).disconnect(container)
        ended, _, _ = select.select(
            idle, [], [], 8
        )  # the nodes themselves give up a silent client after 10 s
        seconds = time.monotonic() - begun
    cut.kill()
    cut.start()
    assert 0 < len(ended) < len(idle), ended
    assert seconds < 7


@pytest.mark.containers
@pytest.mark.nightly("a cluster by itself; every push has scenario cluster")
def test_control_without_a_quorum_nothing_is_confirmed_and_with_it_again_everything_is_there(
    cluster: RabbitMQCluster,
) -> None:
    orders = queue(cluster, "without.a.quorum")
    address = cluster.address("amqp")
    with Traffic(address, orders, rate=50, timeout=5) as traffic:
        traffic.wait_confirmed(50, timeout=60)
        for node in cluster.nodes[1:]:
            node.kill()
        before = len(traffic.recorder.history().of(Kind.CONFIRMED))
        time.sleep(6)  # longer than a message waits for its confirmation
        # Messages in flight when the second node died may have been confirmed just before.
        assert len(traffic.recorder.history().of(Kind.CONFIRMED)) <= before + 1
        for node in cluster.nodes[1:]:
            node.launch()
        for node in cluster.nodes:
            node.wait()
        traffic.wait_confirmed(20, timeout=120)
    account = check(drain(address, orders, traffic.recorder))
    assert account.ok, str(account)


@pytest.mark.containers
@pytest.mark.nightly("a cluster by itself; every push has scenario cluster")
def test_all_nodes_are_lost_at_once_and_come_back(cluster: RabbitMQCluster) -> None:
    orders = queue(cluster, "all.at.once")
    address = cluster.address("amqp")
    with Traffic(address, orders, rate=50, timeout=5) as traffic:
        traffic.wait_confirmed(50, timeout=60)
        for node in cluster.nodes:
            node.kill()
        with pytest.raises(ClientError):
            connect(address)
        for node in cluster.nodes:
            node.launch()
        for node in cluster.nodes:
            node.wait()
        traffic.wait_confirmed(20, timeout=120)
    account = check(drain(address, orders, traffic.recorder))
    assert account.ok, str(account)


# Between the nodes

_HANDSHAKE = """
{ok, _} = application:ensure_all_started(ssl),
io:format("~p~n", [element(1, ssl:connect("%s", 25672, [{verify, verify_none}], 5000))]), halt().
"""


def speaks_tls(client: Node, server: Node) -> bool:
    """Return whether the Erlang distribution listener of ``server`` accepts a TLS handshake."""
    output = client.run(
        "erl", "-noshell", "-eval", _HANDSHAKE % server.spec.hostname, user="nobody"
    )
    return {"ok": True, "error": False}[output.split()[-1]]


@pytest.mark.containers
@pytest.mark.nightly("a cluster by itself; every push has scenario cluster")
def test_between_nodes_there_is_no_tls_as_documented(cluster: RabbitMQCluster) -> None:
    assert not speaks_tls(cluster.nodes[0], cluster.nodes[1])


@pytest.mark.containers
@pytest.mark.parametrize("version", RELEASES_OF_4)
@pytest.mark.nightly("a cluster by itself; every push has scenario cluster")
def test_control_between_nodes_there_is_tls_when_asked_for(tmp_path: Path, version: str) -> None:
    with rabbitmq_cluster(tmp_path, version, inter_node_tls=True) as cluster:
        assert speaks_tls(cluster.nodes[0], cluster.nodes[1])
        assert len(ask(cluster, "nodes")) == 3
        orders = queue(cluster, "orders")
        with Traffic(cluster.address("amqp"), orders, rate=50, timeout=10) as traffic:
            traffic.wait_confirmed(20, timeout=60)
            cluster.nodes[0].kill()
            traffic.wait_confirmed(20, timeout=60)
        account = check(drain(cluster.address("amqp"), orders, traffic.recorder))
        assert account.ok, str(account)
