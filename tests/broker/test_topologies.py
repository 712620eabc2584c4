"""Every deployment mode: what is planned, and real brokers that lose a node."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.broker import topology
from testbed.broker.describe import describe
from testbed.broker.model import Broker
from testbed.broker.requests import CreateBroker
from testbed.checker import check
from testbed.clients import QUEUE_PROTOCOL, Destination
from testbed.clients.failover import failover
from testbed.documented.regions import DEFAULT_REGION
from testbed.engines.activemq.engine import ActiveMQ
from testbed.engines.base import Engine, NetworkConnector, User
from testbed.engines.rabbitmq.engine import RabbitMQ
from testbed.errors import BadRequestException, ClientError, NotFoundException
from testbed.kms.base import USER
from testbed.pki import Certificate
from testbed.testbed import Testbed
from testbed.traffic import Traffic, drain
from tests.support.authority import shared
from tests.support.broker_node import wait_for

ALICE = User("alice", "alices-password-1")
ENGINES: dict[str, Engine] = {"RABBITMQ": RabbitMQ(), "ACTIVEMQ": ActiveMQ()}
MODES = [
    ("RABBITMQ", "SINGLE_INSTANCE"),
    ("RABBITMQ", "CLUSTER_MULTI_AZ"),
    ("ACTIVEMQ", "SINGLE_INSTANCE"),
    ("ACTIVEMQ", "ACTIVE_STANDBY_MULTI_AZ"),
]
GRANTS = {"SINGLE_INSTANCE": 2, "ACTIVE_STANDBY_MULTI_AZ": 2, "CLUSTER_MULTI_AZ": 5}

# What is planned


def request(engine_type: str, mode: str, **options: object) -> CreateBroker:
    return CreateBroker("orders", engine_type, (ALICE,), deployment_mode=mode, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("engine_type", "mode", "hosts", "volumes", "consoles"),
    [
        ("RABBITMQ", "SINGLE_INSTANCE", ["b-1"], 1, 1),
        ("RABBITMQ", "CLUSTER_MULTI_AZ", ["b-1-1", "b-1-2", "b-1-3"], 3, 1),
        ("ACTIVEMQ", "SINGLE_INSTANCE", ["b-1-1"], 1, 1),
        ("ACTIVEMQ", "ACTIVE_STANDBY_MULTI_AZ", ["b-1-1", "b-1-2"], 1, 2),
    ],
)
def test_nodes_names_and_volumes_of_each_deployment_mode(
    engine_type: str, mode: str, hosts: list[str], volumes: int, consoles: int
) -> None:
    storage_type = "EBS" if engine_type == "RABBITMQ" else "EFS"
    planned = request(engine_type, mode)
    nodes, front = topology.plan_nodes(
        planned, ENGINES[engine_type], "b-1", storage_type, DEFAULT_REGION
    )
    assert [node.hostname for node in nodes] == [
        f"{host}.mq.us-east-1.amazonaws.com" for host in hosts
    ]
    assert len({node.volume.volume_id for node in nodes}) == volumes
    instances = [front] if front else nodes
    assert len(instances) == consoles
    assert bool(front) == (mode == "CLUSTER_MULTI_AZ")
    assert not any(node.endpoints for node in nodes if front)
    ports = [
        port
        for instance in instances
        for port, _ in topology.published(ENGINES[engine_type], "", instance.endpoints)
    ]
    assert len(set(ports)) == len(ports)


def test_fixed_ports_are_the_documented_ones() -> None:
    _, front = topology.plan_nodes(
        request("RABBITMQ", "CLUSTER_MULTI_AZ", fixed_ports=True),
        RabbitMQ(),
        "b-1",
        "EBS",
        DEFAULT_REGION,
    )
    assert front
    assert topology.published(RabbitMQ(), "4.2", front.endpoints) == (
        (5671, 5671),
        (15671, 15671),
        (443, 15671),
    )


def test_a_certificate_survives_the_state_folder() -> None:
    authority = shared()
    for certificate in (authority.issue(names=["b-1.test"]), authority.issue_bad("expired")):
        assert (
            Certificate.from_document(
                json.loads(json.dumps(certificate.to_document()))
            ).to_document()
            == certificate.to_document()
        )


# Real brokers


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    with Testbed() as testbed:
        yield testbed


def created(testbed: Testbed, engine_type: str, mode: str, **options: object) -> Broker:
    request = testbed.request(
        engine_type,
        "topology",
        testbed.new_key("of a topology"),
        deployment_mode=mode,
        storage_type="",
    )
    return testbed.brokers.create(dataclasses.replace(request, **options))  # type: ignore[arg-type]


def crosses(
    testbed: Testbed, sender: Broker, receiver: Broker, protocol: str, kind: str = "queue"
) -> bool:
    """Return whether a message published at one broker is received at another, or the same."""
    destination = Destination(kind, f"topology.{protocol}.{kind}")
    at_sender, at_receiver = (
        testbed.brokers.addresses(broker, protocol) for broker in (sender, receiver)
    )
    with (
        failover(at_receiver)(at_receiver[0]) as consumer,
        failover(at_sender)(at_sender[0]) as publisher,
    ):
        consumer.subscribe(destination)
        publisher.publish(destination, b"an order")
        message = consumer.receive(timeout=20)
        if message:
            message.acknowledge()
        return message is not None and message.body == b"an order"


def protocols(broker: Broker) -> list[str]:
    spoken = {protocol for endpoint in broker.endpoints for protocol in endpoint.protocols}
    return sorted(spoken - {"console", "management"})


@pytest.mark.containers
@pytest.mark.nightly("each deployment by itself; every push has test_upkeep.py and the cluster's")
@pytest.mark.parametrize(("engine_type", "mode"), MODES)
def test_a_broker_is_created_used_on_every_listener_loses_a_node_and_is_deleted(
    testbed: Testbed, engine_type: str, mode: str
) -> None:
    broker = created(testbed, engine_type, mode)
    described = describe(broker)
    assert (described["BrokerState"], described["DeploymentMode"]) == ("RUNNING", mode)
    assert len(described["BrokerInstances"]) == (2 if mode == "ACTIVE_STANDBY_MULTI_AZ" else 1)
    assert testbed.brokers.describe(broker.broker_id) == broker, "as it was stored"
    granted = testbed.kms.call(USER, "ListGrants", {"KeyId": broker.key_arn})["Grants"]
    assert len(granted) == GRANTS[mode]

    for protocol in protocols(broker):
        assert crosses(
            testbed, broker, broker, protocol, "topic" if protocol.startswith("mqtt") else "queue"
        ), protocol

    orders = Destination.queue("through.an.outage")
    addresses = testbed.brokers.addresses(broker, QUEUE_PROTOCOL[engine_type])
    with Traffic(addresses[0], orders, rate=50, timeout=10, connect=failover(addresses)) as flow:
        # RabbitMQ 4.0 can lose a quorum queue's content if killed within a second of declaration.
        flow.wait_confirmed(120, timeout=60)
        lost = testbed.brokers.active(broker.broker_id) if broker.standby else broker.nodes[0]
        testbed.upkeep.detach(broker.broker_id, lost.name)
        if len(broker.nodes) > 1:
            flow.wait_confirmed(50, timeout=60)
        assert testbed.upkeep.maintain(broker.broker_id).broker_state == "RUNNING"
        flow.wait_confirmed(50, timeout=60)
    account = check(drain(addresses[0], orders, flow.recorder, connect=failover(addresses)))
    assert account.ok, str(account)

    testbed.brokers.delete(broker.broker_id)
    with pytest.raises(NotFoundException):
        testbed.brokers.describe(broker.broker_id)
    assert not testbed.containers.find(f"broker {broker.broker_id}")
    assert not any(testbed.containers.has_volume(node.volume.volume_id) for node in broker.nodes)
    assert not testbed.kms.call(USER, "ListGrants", {"KeyId": broker.key_arn})["Grants"]


@pytest.mark.nightly("a network through the API; every push has test_network_of_brokers.py")
@pytest.mark.containers
def test_a_network_of_brokers_is_created_and_loses_one(testbed: Testbed) -> None:
    """An active/standby pair, and a single instance that connects to its active node."""
    north = created(testbed, "ACTIVEMQ", "ACTIVE_STANDBY_MULTI_AZ")
    uri = topology.network_uri(north)
    assert uri.startswith("masterslave:(ssl://")
    assert north.nodes[1].hostname in uri
    connector = NetworkConnector("to-north", uri, north.users[0].username)
    south = created(
        testbed, "ACTIVEMQ", "SINGLE_INSTANCE", users=north.users, network_connectors=(connector,)
    )

    def joined() -> bool:
        try:
            return crosses(testbed, south, north, "stomp") and crosses(
                testbed, north, south, "stomp"
            )
        except ClientError:  # while the standby takes over
            return False

    wait_for("the bridge", joined, timeout=180)
    testbed.upkeep.detach(north.broker_id, testbed.brokers.active(north.broker_id).name)
    wait_for("the bridge to the standby", joined, timeout=300)
    for broker in (north, south):
        testbed.brokers.delete(broker.broker_id)


REFUSED = [
    ("ACTIVEMQ", "CLUSTER_MULTI_AZ", {}, "deployment mode"),
    ("RABBITMQ", "ACTIVE_STANDBY_MULTI_AZ", {}, "deployment mode"),
    ("ACTIVEMQ", "ACTIVE_STANDBY_MULTI_AZ", {"storage_type": "EBS"}, "storage type"),
    (
        "ACTIVEMQ",
        "ACTIVE_STANDBY_MULTI_AZ",
        {"fixed_ports": True},
        "cannot both have the documented ports",
    ),
    (
        "RABBITMQ",
        "SINGLE_INSTANCE",
        {"network_connectors": (NetworkConnector("a", "static:(ssl://b:61617)", "alice"),)},
        "Only ActiveMQ",
    ),
]


@pytest.mark.containers
@pytest.mark.parametrize(("engine_type", "mode", "options", "words"), REFUSED)
def test_what_cannot_be_is_refused_and_nothing_is_left(
    testbed: Testbed, engine_type: str, mode: str, options: dict[str, Any], words: str
) -> None:
    def of_brokers() -> list[dict[str, str]]:  # KMS may just be starting
        return [row for row in testbed.containers.find() if row["role"] != "kms"]

    before = of_brokers()
    with pytest.raises(BadRequestException, match=words):
        testbed.brokers.create(dataclasses.replace(request(engine_type, mode), **options))
    assert of_brokers() == before
    assert not testbed.brokers.list()
