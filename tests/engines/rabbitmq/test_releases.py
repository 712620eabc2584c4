"""Which release of RabbitMQ runs for a version, and what it does otherwise, seen on real nodes."""

import dataclasses
import http.client
import json
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pika
import pika.exceptions
import proton
import pytest
from proton.utils import BlockingConnection

from testbed.clients import Destination, connect
from testbed.documented.engines import VERSIONS
from testbed.documented.tls import PROFILES
from testbed.engines.rabbitmq.engine import RabbitMQ
from testbed.engines.rabbitmq.releases import DIFFERENCES, RELEASES, WITHOUT_UPGRADE
from testbed.wire.prober import probe_all
from testbed.wire.verdict import judge, judge_certificate
from tests.support.broker_node import built, wait_for
from tests.support.nightly import first_then_nightly
from tests.support.rabbitmq_node import ALICE, HOSTNAME, Node, rabbitmq, spec

EXCHANGES = 12
CONFIGURATION = {"4": f"cluster_exchange_limit = {EXCHANGES}\n", "3": "heartbeat = 120\n"}
# An AMQP 1.0 message of a data section alone: "x", and no header that says whether it is durable.
WITHOUT_HEADER = b"\x00\x53\x75\xa0\x01x"


def test_a_release_of_another_series_lists_what_it_does_otherwise() -> None:
    assert set(RELEASES) == set(VERSIONS["RABBITMQ"])
    others = {
        version for version, release in RELEASES.items() if not f"{release}.".startswith(version)
    }
    assert set(DIFFERENCES) == others
    assert RabbitMQ().differences("4.3") == ()
    assert {row.subject for rows in DIFFERENCES.values() for row in rows} == PROBES.keys()


@pytest.fixture(
    scope="module", params=first_then_nightly(RELEASES, "the other release of the engine")
)
def node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    configuration = CONFIGURATION[request.param[0]]
    configured = dataclasses.replace(spec(version=request.param), configuration=configuration)
    with rabbitmq(tmp_path_factory.mktemp("release"), configured) as node:
        yield node


def ask(node: Node, method: str, path: str, body: object = None) -> tuple[int, str]:
    """Return the management interface's answer."""
    context = ssl.create_default_context(cafile=str(node.ca_file))
    host, port = node.addresses["management"]
    connection = http.client.HTTPSConnection(host, port, context=context, timeout=30)
    credentials = b64encode(f"{ALICE.username}:{ALICE.password}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
    connection.request(method, f"/api/{path}", json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def amqp(node: Node, **options: int) -> pika.BlockingConnection:
    host, port = node.addresses["amqps"]
    context = ssl.create_default_context(cafile=str(node.ca_file))
    return pika.BlockingConnection(
        pika.ConnectionParameters(
            host,
            port,
            credentials=pika.PlainCredentials(ALICE.username, ALICE.password),
            ssl_options=pika.SSLOptions(context, host),
            **options,
        )
    )


def amqp10(node: Node) -> BlockingConnection:
    host, port = node.addresses["amqps"]
    domain = proton.SSLDomain(proton.SSLDomain.MODE_CLIENT)
    domain.set_trusted_ca_db(str(node.ca_file))
    return BlockingConnection(
        f"amqps://{quote(ALICE.username)}:{quote(ALICE.password)}@{host}:{port}",
        ssl_domain=domain,
        allowed_mechs="PLAIN",
        timeout=30,
    )


# Whether a node does what the version does that was asked for


def refuses_small_frames(node: Node) -> bool:
    amqp(node, frame_max=8192).close()
    try:
        amqp(node, frame_max=4096).close()
    except pika.exceptions.AMQPConnectionError:
        return True
    return False


def keeps_metadata_in_khepri(node: Node) -> bool:
    flags = json.loads(ask(node, "GET", "feature-flags")[1])
    return ("khepri_db", "enabled") in {(flag["name"], flag["state"]) for flag in flags}


def limits_exchanges(node: Node) -> bool:
    declared = [
        ask(node, "PUT", f"exchanges/%2F/limited-{number}", {"type": "direct"})[0]
        for number in range(EXCHANGES)
    ]
    assert declared[0] == 201
    return 400 in declared


def takes_local_shovels(node: Node) -> bool:
    value = {f"{end}-protocol": "local" for end in ("src", "dest")}
    value |= {f"{end}-uri": "amqp://" for end in ("src", "dest")}
    value |= {f"{end}-queue": end for end in ("src", "dest")}
    return ask(node, "PUT", "parameters/shovel/%2F/local", {"value": value})[0] == 201


def takes_messages_without_a_header_as_transient(node: Node) -> bool:
    ask(node, "PUT", "queues/%2F/headless", {"durable": True})
    connection = amqp10(node)
    try:
        sender = connection.create_sender("/queues/headless")
        delivery = sender.link.delivery("one")
        sender.link.stream(WITHOUT_HEADER)
        sender.link.advance()
        connection.wait(lambda: bool(delivery.remote_state))
    finally:
        connection.close()
    with amqp(node) as reading:
        _, properties, body = reading.channel().basic_get("headless", auto_ack=True)
    assert body == b"x"
    return int(properties.delivery_mode or 1) == 1


def mirrors_by_an_operator_policy(node: Node) -> bool:
    ask(node, "PUT", "queues/%2F/mirrored", {"durable": True})
    kinds = ("operator-policies", "policies")
    by_operator, by_user = ("ha-mode" in ask(node, "GET", kind)[1] for kind in kinds)
    assert by_operator != by_user
    return by_operator


def keeps_operator_policies(node: Node) -> bool:
    policy = {"pattern": "^mine$", "definition": {"max-length": 1}, "apply-to": "queues"}
    return ask(node, "PUT", "operator-policies/%2F/mine", policy)[0] not in (201, 204)


def has_policies_for_a_kind_of_queue(node: Node) -> bool:
    policy = {"pattern": "^mine$", "definition": {"max-length": 1}, "apply-to": "quorum_queues"}
    return ask(node, "PUT", "policies/%2F/mine", policy)[0] in (201, 204)


def takes_a_quorum_queue_for_a_classic_one(node: Node) -> bool:
    quorum = {"durable": True, "arguments": {"x-queue-type": "quorum"}}
    assert ask(node, "PUT", "queues/%2F/quorum", quorum)[0] == 201
    return ask(node, "PUT", "queues/%2F/quorum", {"durable": True})[0] in (201, 204)


def is_upgraded(node: Node) -> bool:
    """See ``test_a_node_becomes_one_of_the_next_version``, and ``WITHOUT_UPGRADE``."""
    return RabbitMQ().running_version(node.spec.version) not in WITHOUT_UPGRADE


PROBES: dict[str, Callable[[Node], bool]] = {
    "`frame_max` of AMQP 0-9-1": refuses_small_frames,
    "metadata store": keeps_metadata_in_khepri,
    "`cluster_exchange_limit`": limits_exchanges,
    "shovels of the protocol `local`": takes_local_shovels,
    "AMQP 1.0 messages without a header": takes_messages_without_a_header_as_transient,
    "upgrades": is_upgraded,
    "default policies": mirrors_by_an_operator_policy,
    "`management.restrictions.operator_policy_changes.disabled`": keeps_operator_policies,
    "policies for `classic_queues` or `quorum_queues` alone": has_policies_for_a_kind_of_queue,
    "`quorum_queue.property_equivalence.relaxed_checks_on_redeclaration`": (
        takes_a_quorum_queue_for_a_classic_one
    ),
}


@pytest.mark.containers
def test_each_difference_is_seen_and_4_3_has_none_of_them(node: Node) -> None:
    version = node.spec.version
    listed = DIFFERENCES.get(version, DIFFERENCES["4.2"])
    seen = {row.subject: PROBES[row.subject](node) for row in listed}
    assert seen == {row.subject: row not in RabbitMQ().differences(version) for row in listed}


@pytest.mark.containers
def test_a_transient_queue_of_many_connections_is_refused_by_4_3_alone(node: Node) -> None:
    """Upstream's 4.3 refuses it; Debian's would not."""
    with amqp(node) as connection:
        channel = connection.channel()
        channel.queue_declare("of-one-connection", durable=False, exclusive=True)
        if node.spec.version != "4.3":
            channel.queue_declare("transient", durable=False)
            return
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as caught:
            channel.queue_declare("transient", durable=False)
        assert caught.value.reply_code == 541


@pytest.mark.containers
def test_a_new_queue_is_a_quorum_queue_from_4_on(node: Node) -> None:
    with amqp(node) as connection:
        connection.channel().queue_declare("new", durable=True)
    expected = "classic" if node.spec.version == "3.13" else "quorum"
    assert json.loads(ask(node, "GET", "queues/%2F/new")[1])["type"] == expected


@pytest.mark.containers
def test_its_listeners_have_the_documented_suites(node: Node) -> None:
    """The other tests of a node's listeners are those of RabbitMQ 4."""
    scans = probe_all(node.addresses, server_name=HOSTNAME, ca_file=node.ca_file)
    for name, scan in scans.items():
        assert judge(scan, PROFILES["RABBITMQ"]) == () == judge_certificate(scan), name


@pytest.mark.nightly("upgrades")
@pytest.mark.containers
@pytest.mark.parametrize(("version", "later"), [("4.2", "4.3"), ("3.13", "4.2")])
def test_a_node_becomes_one_of_the_next_version(tmp_path: Path, version: str, later: str) -> None:
    engine, queue = RabbitMQ(), Destination.queue("kept")
    with rabbitmq(tmp_path, spec(version=version)) as node:
        with connect(node.address("amqp")) as client:
            client.publish(queue, b"kept")
        assert json.loads(ask(node, "GET", "queues/%2F/kept")[1])["durable"]
        node.containers.stop(node.container)
        node.containers.remove(node.container)
        node.image = built(node.containers, engine.image(later))
        release = engine.running_version(later)
        node.spec = dataclasses.replace(node.spec, version=later, release=release)
        if engine.running_version(version) in WITHOUT_UPGRADE:
            node.launch()
            wait_for("the node to end", lambda: "BOOT FAILED" in node.log())
            return
        node.start()
        with connect(node.address("amqp")) as client:
            client.subscribe(queue)
            message = client.receive(timeout=60)
            assert message
            assert message.body == b"kept"
