"""RabbitMQ: the files of a node, and a real node: its listeners, logins, memory and secrets."""

import base64
import dataclasses
import hashlib
import http.client
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.clients import Destination, connect
from testbed.documented.engines import VERSIONS
from testbed.documented.listeners import RABBITMQ_CLOSED
from testbed.documented.tls import PROFILES, RABBITMQ_SUITES, Suite, TlsProfile
from testbed.engines.base import Defects, User
from testbed.engines.rabbitmq.engine import RabbitMQ
from testbed.engines.rabbitmq.releases import RELEASES
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized
from testbed.pki import Authority
from testbed.wire.prober import probe_all
from testbed.wire.verdict import judge, judge_certificate
from tests.support.broker_node import wait_for
from tests.support.messages import receive
from tests.support.nightly import first_then_nightly
from tests.support.rabbitmq_node import ALICE, CAROL, HOSTNAME, RELEASES_OF_4, Node, rabbitmq, spec

pytestmark = pytest.mark.filterwarnings(
    "ignore:ssl.TLSVersion.TLSv1:DeprecationWarning"
)  # a control has it
WILDCARD = "*.mq.us-east-1.amazonaws.com"
CBC = Suite("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA", 0xC014)


# What is rendered


def settings(node_files: dict[str, bytes]) -> dict[str, str]:
    lines = node_files["etc/rabbitmq.conf"].decode("ascii").splitlines()
    pairs = [line.partition(" = ")[::2] for line in lines]
    assert len(dict(pairs)) == len(pairs), "every setting once"
    return dict(pairs)


@pytest.mark.parametrize("listener", ["ssl_options", "management.ssl"])
def test_both_listeners_get_the_two_suites_and_no_other_version(listener: str) -> None:
    rendered = settings(RabbitMQ().files(spec()))
    of = {
        name: value
        for name, value in rendered.items()
        if name.startswith((f"{listener}.versions", f"{listener}.ciphers"))
    }
    assert of == {
        f"{listener}.versions.1": "tlsv1.2",
        f"{listener}.ciphers.1": "ECDHE-RSA-AES256-GCM-SHA384",
        f"{listener}.ciphers.2": "ECDHE-RSA-AES128-GCM-SHA256",
    }
    assert rendered[f"{listener}.client_renegotiation"] == "false"


def test_only_a_control_opens_a_plaintext_listener() -> None:
    rendered = settings(RabbitMQ().files(spec()))
    assert [
        (name, rendered[name])
        for name in rendered
        if "tcp" in name or name.endswith(("port", "ssl.default"))
    ] == [
        ("listeners.tcp", "none"),
        ("listeners.ssl.default", "5671"),
        ("management.ssl.port", "15671"),
    ]
    assert (
        settings(RabbitMQ().files(spec(defects=Defects(plaintext_listener=True))))[
            "listeners.tcp.default"
        ]
        == "5672"
    )


@given(st.text(min_size=12, max_size=250).filter(lambda text: len(set(text)) > 3))
def test_no_password_is_rendered_and_its_hash_is_rabbitmqs(password: str) -> None:
    try:
        password.encode()
    except UnicodeEncodeError:
        return  # half a surrogate pair is not text
    files = RabbitMQ().files(dataclasses.replace(NODE, users=(User("alice", password),)))
    anyway = b"".join(RabbitMQ().files(dataclasses.replace(NODE, users=(ALICE,))).values())
    written = [
        form
        for form in (password.encode(), json.dumps(password)[1:-1].encode())
        if form not in anyway
    ]
    assert not [name for name, content in files.items() for form in written if form in content]
    user = json.loads(files["etc/definitions.json"])["users"][0]
    stored = base64.b64decode(user["password_hash"])
    assert stored[4:] == hashlib.sha256(stored[:4] + password.encode()).digest()


NODE = spec()


def test_the_same_node_gets_the_same_definitions_and_another_one_another_salt() -> None:
    def definitions(**change: Any) -> bytes:
        return RabbitMQ().files(dataclasses.replace(NODE, **change))["etc/definitions.json"]

    assert definitions() == definitions()
    assert definitions() != definitions(broker_id="b-5678")


def test_every_version_has_a_release() -> None:
    assert set(VERSIONS["RABBITMQ"]) == set(RELEASES)
    assert RabbitMQ().running_version("4.2") == "4.0.5"


# A real node


@pytest.fixture(
    scope="module", params=first_then_nightly(RELEASES_OF_4, "the other release of the engine")
)
def node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    with rabbitmq(tmp_path_factory.mktemp("rabbitmq"), spec(version=request.param)) as node:
        yield node


def ask(
    node: Node, path: str, user: User, method: str = "GET", body: object = None
) -> tuple[int, bytes]:
    """Return the management interface's answer."""
    context = ssl.create_default_context(cafile=str(node.ca_file))
    connection = http.client.HTTPSConnection(
        "localhost", node.addresses["management"][1], context=context, timeout=30
    )
    credentials = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
    content = json.dumps(body) if body else None
    connection.request(method, f"/api/{path}", content, {"Authorization": f"Basic {credentials}"})
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.mark.nightly("suites of a node by itself; every push has scenario handshakes")
@pytest.mark.containers
def test_exactly_the_two_suites_on_both_listeners(node: Node) -> None:
    scans = probe_all(node.addresses, server_name=HOSTNAME, ca_file=node.ca_file)
    assert set(scans) == {"amqps", "management"}
    for name, scan in scans.items():
        assert judge(scan, PROFILES["RABBITMQ"]) == (), name
        assert judge_certificate(scan, [WILDCARD]) == (), name
        accepted = {
            version_scan.version: version_scan.accepted
            for version_scan in scan.versions
            if version_scan.accepted
        }
        assert accepted == {"TLSv1.2": RABBITMQ_SUITES}, name


@pytest.mark.containers
def test_nothing_else_listens_except_erlang_on_the_containers_loopback(node: Node) -> None:
    ports = node.listening()
    local = {port for port, addresses in ports.items() if addresses == {"0100007F"}}
    assert ports.keys() == {5671, 15671, 4369, 25672}
    assert local == {4369, 25672}, "epmd and Erlang distribution"
    assert not ports.keys() & set(RABBITMQ_CLOSED.values())


@pytest.mark.containers
@pytest.mark.parametrize("user", [ALICE, CAROL], ids=["alice", "carol"])
@pytest.mark.parametrize("protocol", ["amqp", "amqp10"])
def test_every_user_publishes_and_receives_over_both_protocols(
    node: Node, user: User, protocol: str
) -> None:
    queue = Destination.queue(f"orders.{protocol}.{user.username}")
    with connect(node.address(protocol, user)) as client:
        client.publish(queue, b"an order")
        client.subscribe(queue)
        message = client.receive()
        assert message
        assert message.body == b"an order"
        message.acknowledge()


@pytest.mark.containers
def test_nobody_else_logs_in(node: Node) -> None:
    assert ask(node, "whoami", ALICE)[0] == 200
    wrong = dataclasses.replace(ALICE, password=ALICE.password[:-1] + "x")
    for user in (wrong, User("mallory", ALICE.password), User("guest", "guest"), User("", "")):
        for protocol in ("amqp", "amqp10"):
            with pytest.raises(ClientError):
                connect(node.address(protocol, user))
        with pytest.raises(NotAuthorized):
            node.engine.login(dataclasses.replace(node.spec, users=(user,)), node.addresses)
        only = {"management": node.addresses["management"]}
        with pytest.raises(NotAuthorized):
            node.engine.login(dataclasses.replace(node.spec, users=(user,)), only)
    users = json.loads(ask(node, "users", ALICE)[1])
    assert {user["name"] for user in users} == {ALICE.username, CAROL.username}, "no guest"


@pytest.mark.containers
def test_a_login_is_for_this_node_alone(node: Node) -> None:
    another = dataclasses.replace(node.spec, chain_pem=Authority.create().issue(names=[]).chain_pem)
    with pytest.raises(ConnectionRefused, match="has a foreign certificate"):
        node.engine.login(another, node.addresses)


@pytest.mark.containers
def test_the_services_defaults_are_in_force(node: Node) -> None:
    assert f"{json.loads(ask(node, 'overview', ALICE)[1])['rabbitmq_version']}.".startswith(
        f"{RELEASES[node.spec.version]}."
    )
    assert ask(node, "queues/%2F/by-default", ALICE, "PUT", {"durable": True})[0] == 201
    assert json.loads(ask(node, "queues/%2F/by-default", ALICE)[1])["type"] == "quorum"
    assert [policy["name"] for policy in json.loads(ask(node, "policies", ALICE)[1])] == [
        "AWS-DEFAULT-POLICY-SINGLE-INSTANCE"
    ]
    operator = json.loads(ask(node, "operator-policies", ALICE)[1])
    assert [(policy["name"], policy["definition"]) for policy in operator] == [
        ("default_operator_policy_AWS_managed", {"queue-version": 2})
    ]
    assert (
        ask(
            node,
            "queues/%2F/classic",
            ALICE,
            "PUT",
            {"durable": True, "arguments": {"x-queue-type": "classic"}},
        )[0]
        == 201
    )
    in_force = {"queue-mode": "lazy", "queue-version": 2}
    wait_for(
        "policies",
        lambda: (
            json.loads(ask(node, "queues/%2F/classic", ALICE)[1]).get("effective_policy_definition")
            == in_force
        ),
    )
    policy = {"pattern": ".*", "definition": {"max-length": 1}}
    assert ask(node, "operator-policies/%2F/mine", ALICE, "PUT", policy)[0] == 405
    for plugin in ("shovels", "federation-links"):
        assert ask(node, plugin, ALICE)[0] == 200
    for exchange in ("x-consistent-hash", "x-jms-topic"):
        assert ask(node, f"exchanges/%2F/{exchange}", ALICE, "PUT", {"type": exchange})[0] == 201


@pytest.mark.containers
def test_no_secret_is_on_a_command_line_in_the_environment_in_the_log_or_on_the_volume(
    node: Node,
) -> None:
    read = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; true"
    processes = node.run("sh", "-c", read) + node.run("sh", "-c", read, user="rabbitmq")
    assert "HOME=/data/broker" in processes
    assert "beam.smp" in processes
    cookie = node.run("cat", "/data/broker/.erlang.cookie", user="rabbitmq").strip()
    hashes = [
        user["password_hash"]
        for user in json.loads(RabbitMQ().files(node.spec)["etc/definitions.json"])["users"]
    ]
    key = node.spec.private_key_pem.decode().splitlines()[5]
    secrets = [ALICE.password, CAROL.password, node.data_key, cookie, key, *hashes]
    assert all(len(secret) >= 12 for secret in secrets)
    visible = (
        processes
        + json.dumps(node.containers.inspect(node.container), ensure_ascii=False)
        + node.log()
    )
    assert not [secret for secret in secrets if secret in visible]
    raw = b"".join(node.containers.archive(node.container, "/volume"))
    assert b"gocryptfs.conf" in raw
    assert not [
        word for word in (*secrets, ALICE.username, "rabbit@localhost") if word.encode() in raw
    ]
    layer = {change["Path"] for change in node.containers.client.api.diff(node.container)}
    assert layer <= {"/data", "/run", "/run/mount", "/run/testbed", "/volume"}, (
        "mount points and an empty folder of mount(8)"
    )
    files = node.run("find", "/run/testbed", "-type", "f", "-printf", "%m %u %p\n").splitlines()
    assert files
    assert not [line for line in files if not line.startswith("600 rabbitmq ")]


@pytest.mark.nightly("a killed node by itself; every push has test_upkeep.py")
@pytest.mark.containers
def test_what_was_confirmed_and_who_was_changed_survive_a_kill(node: Node) -> None:
    queue, bodies = Destination.queue("durable"), [b"%d" % number for number in range(200)]
    changed = dataclasses.replace(CAROL, password="changed-since-then-1")
    assert (
        ask(
            node,
            f"users/{CAROL.username}",
            ALICE,
            "PUT",
            {"password": changed.password, "tags": "administrator"},
        )[0]
        == 204
    )
    cookie = node.run("cat", "/data/broker/.erlang.cookie", user="rabbitmq")
    with connect(node.address("amqp")) as client:
        client.declare(queue)  # type: ignore[attr-defined]
        # RabbitMQ 4.0 can lose a quorum queue that is killed within a second of its declaration.
        time.sleep(2)
        for body in bodies:
            client.publish(queue, body)
        node.kill()
    node.start()
    with connect(node.address("amqp", changed)) as client:
        client.subscribe(queue)
        received = receive(client, len(bodies))
    assert received == bodies
    with pytest.raises(ClientError):
        connect(node.address("amqp", CAROL))
    assert node.run("cat", "/data/broker/.erlang.cookie", user="rabbitmq") == cookie


@pytest.mark.nightly("a loss of power by itself; every push has a kill")
@pytest.mark.containers
def test_a_list_of_feature_flags_that_was_not_written_is_made_anew(node: Node) -> None:
    flags = "/data/broker/node/rabbit@localhost-feature_flags"
    before = node.run("cat", flags, user="rabbitmq")
    assert "quorum_queue" in before
    node.run("truncate", "-s", "0", flags, user="rabbitmq")
    node.kill()
    node.start()
    connect(node.address("amqp")).close()
    assert "quorum_queue" in node.run("cat", flags, user="rabbitmq")


@pytest.mark.containers
def test_it_stops_when_asked(node: Node) -> None:
    node.containers.stop(node.container, seconds=30)
    assert node.containers.state(node.container).exit_code == 0, "by itself, not by force"
    node.containers.remove(node.container)
    node.start()


# Controls: what these checks must find


@pytest.mark.nightly("suites of a node by itself; every push has scenario handshakes")
@pytest.mark.containers
def test_control_other_versions_a_third_suite_and_plaintext_are_found(tmp_path: Path) -> None:
    weak = TlsProfile(("TLSv1.1", "TLSv1.2", "TLSv1.3"), (*RABBITMQ_SUITES, CBC))
    with rabbitmq(tmp_path, spec(defects=Defects(plaintext_listener=True, tls=weak))) as node:
        for name, scan in probe_all(
            node.addresses, server_name=HOSTNAME, ca_file=node.ca_file
        ).items():
            differences = {
                (difference.kind, difference.subject)
                for difference in judge(scan, PROFILES["RABBITMQ"])
            }
            assert differences == {
                ("extra version", "TLSv1.1"),
                ("extra version", "TLSv1.3"),
                ("extra suite", CBC.iana),
            }, name
        served = probe_all(node.plaintext, server_name=HOSTNAME, ca_file=node.ca_file)[
            "amqp-plaintext"
        ]
        assert any(plain.served for plain in served.plaintext)
        assert 5672 in node.listening()
        with connect(node.address("amqp", tls=False)) as client:
            client.publish(Destination.queue("in.the.clear"), b"readable")
