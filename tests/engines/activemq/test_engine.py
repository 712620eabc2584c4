"""ActiveMQ: the files of a node, and a real node: its listeners, logins, memory and secrets."""

import base64
import dataclasses
import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import websocket
from hypothesis import given
from hypothesis import strategies as st

from testbed import paths
from testbed.clients.base import Destination
from testbed.clients.openwire import OpenWireClient
from testbed.documented.tls import ACTIVEMQ_SUITES, Suite, TlsProfile
from testbed.engines.activemq import engine as module
from testbed.engines.activemq import readiness
from testbed.engines.activemq.engine import RELEASES, ActiveMQ
from testbed.engines.base import Defects, User
from testbed.errors import ConnectionRefused, NotAuthorized, NotConfirmed
from testbed.pki import Authority
from testbed.protocols import stomp
from testbed.wire.prober import probe_all
from tests.support.activemq_node import ALICE, BOB, CAROL, HOSTNAME, Node, activemq, spec
from tests.support.broker_node import retry_login
from tests.support.nightly import first_then_nightly

CHACHA = Suite("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", 0xCCA8)
TRIPLE_DES = Suite("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "DES-CBC3-SHA", 0x000A)
QUEUE = Destination.queue("orders.new")


# What is rendered


def read(properties: bytes) -> dict[str, str]:
    """Read as java.util.Properties does, for files whose only escape is the character code."""

    def plain(text: str) -> str:
        units = re.sub(r"\\u([0-9a-f]{4})|(.)", lambda m: m[1] or f"{ord(m[2]):04x}", text)
        return bytes.fromhex(units).decode("utf-16-be")

    return {
        plain(name): plain(value)
        for name, _, value in (
            line.partition("=") for line in properties.decode("ascii").splitlines()
        )
    }


def test_every_listener_gets_the_documented_suites_and_no_other_version() -> None:
    files = ActiveMQ().files(spec())
    node = read(files["etc/node.properties"])
    names = [suite.iana for suite in ACTIVEMQ_SUITES]

    assert node["tls.suites"].split(",") == names
    assert node["tls.options"].split("&")[:2] == [
        "transport.enabledProtocols=TLSv1.2",
        f"transport.enabledCipherSuites={','.join(names)}",
    ]
    disabled = files["etc/java.security"].decode()
    assert disabled.startswith(
        "jdk.tls.disabledAlgorithms=SSLv3, TLSv1, TLSv1.1, DTLSv1.0, TLSv1.3, RC4,"
    )
    assert "TLS_RSA" not in disabled
    assert "TLSv1.2" not in disabled


def test_the_configuration_has_the_documented_listeners_and_no_plaintext_one() -> None:
    text = (paths.data("containers") / "activemq/etc/activemq.xml").read_text()
    opened = {
        int(port): scheme for scheme, port in re.findall(r'uri="([a-z+]+)://0\.0\.0\.0:(\d+)', text)
    }
    documented = {
        listener.port: listener.scheme
        for listener in ActiveMQ().listeners("5.19")
        if listener.name != "console"
    }
    assert opened == documented
    assert text.count("${tls.options}") == 4, "wss has no such options: Console.limitSuites does it"


def test_a_node_is_ready_when_every_listener_lets_a_client_in() -> None:
    listeners = ActiveMQ().listeners("5.19")
    assert {name for name, _ in readiness.LOGINS} == {listener.name for listener in listeners}


@pytest.mark.parametrize("name", ["stomp", "wss"])
def test_a_connection_that_ends_without_an_answer_refuses_nobody(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal means that a node is ready whose authorization map keeps the user out."""
    _, speak = next(login for login in readiness.LOGINS if login[0] == name)
    for answer, error in (("", EOFError), ("ERROR\nmessage:no\n\n\0", NotAuthorized)):
        connection: Any = SimpleNamespace(sendall=len, recv=lambda _, told=answer: told.encode())
        channel = SimpleNamespace(send=lambda *_: None, recv=lambda told=answer: told)
        monkeypatch.setattr(websocket, "create_connection", lambda *_, to=channel, **__: to)
        with pytest.raises(error):
            speak(connection, ALICE)


def test_only_a_control_opens_plaintext_listeners() -> None:
    assert b" activemq.xml -Xmx1g" in ActiveMQ(heap="1g").files(spec())["start"]
    assert (
        b" plaintext.xml "
        in ActiveMQ().files(spec(defects=Defects(plaintext_listener=True)))["start"]
    )


@given(st.text(max_size=250), st.text(min_size=1, max_size=100))
def test_any_name_and_password_survive_the_properties_file(password: str, name: str) -> None:
    try:
        (name + password).encode()
    except UnicodeEncodeError:
        return  # half a surrogate pair is not text
    assert read(module._properties({name: password})) == {name: password}


def test_users_groups_and_console_access() -> None:
    files = ActiveMQ().files(spec())
    assert read(files["etc/users.properties"]) == {
        user.username: user.password for user in (ALICE, BOB, CAROL)
    }
    assert read(files["etc/groups.properties"]) == {
        "activemq-webconsole": f"{ALICE.username},{CAROL.username}",
        "readers": BOB.username,
        "writers": BOB.username,
    }
    assert set(read(files["etc/console.properties"])) == {ALICE.username, CAROL.username}


def test_the_training_runs_on_a_nodes_own_settings() -> None:
    training = (paths.data("containers") / "activemq/train/node.properties").read_text()
    names = [line.partition("=")[0] for line in training.splitlines()]
    assert sorted(names) == sorted(read(ActiveMQ().files(spec())["etc/node.properties"]))


def test_the_store_ends_before_its_volume_does() -> None:
    def limit(size: int) -> str:
        files = ActiveMQ().files(dataclasses.replace(spec(), volume_size=size))
        return read(files["etc/node.properties"])["store.limit"]

    assert limit(0) == "10 gb", "files have no size"
    assert limit(100 * 2**20) == str(85 * 2**20)


@pytest.mark.parametrize(
    ("profile", "allowed", "refused"),
    [
        (TlsProfile(("TLSv1.2", "TLSv1.3"), ACTIVEMQ_SUITES), "TLSv1.3", "TLSv1.1"),
        (TlsProfile(("TLSv1.1", "TLSv1.2"), ACTIVEMQ_SUITES), "rsa_pkcs1_sha1", "TLSv1,"),
        (TlsProfile(("TLSv1.2",), (*ACTIVEMQ_SUITES, TRIPLE_DES)), "3DES", "RC4"),
    ],
)
def test_what_a_controls_profile_names_is_not_disabled(
    profile: TlsProfile, allowed: str, refused: str
) -> None:
    disabled = ", ".join(module._disabled(profile)) + ","
    assert allowed not in disabled
    assert refused in disabled


# A real node


@pytest.fixture(
    scope="module", params=first_then_nightly(RELEASES, "the other release of the engine")
)
def node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    with activemq(tmp_path_factory.mktemp("activemq"), spec(request.param)) as node:
        yield node


def get(node: Node, path: str, user: User | None, password: str = "") -> tuple[int, bytes]:
    connection = http.client.HTTPSConnection(
        "localhost",
        node.addresses["console"][1],
        context=ssl.create_default_context(cafile=str(node.ca_file)),
        timeout=30,
    )
    headers = {"Origin": "https://localhost"}
    if user:
        headers["Authorization"] = (
            "Basic "
            + base64.b64encode(f"{user.username}:{password or user.password}".encode()).decode()
        )
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.mark.nightly("suites of a node by itself; every push has scenario handshakes")
@pytest.mark.containers
def test_exactly_the_documented_suites_on_all_six_listeners(node: Node) -> None:
    scans = probe_all(node.addresses, server_name=HOSTNAME, ca_file=node.ca_file)
    assert len(scans) == 6
    for name, scan in scans.items():
        for version_scan in scan.versions:
            expected = set(ACTIVEMQ_SUITES) if version_scan.version == "TLSv1.2" else set()
            assert set(version_scan.accepted) == set(version_scan.confirmed) == expected, (
                name,
                version_scan.version,
            )
            assert version_scan.refusal.kind == "alert", (name, version_scan)
        assert not any(plain.served for plain in scan.plaintext), name
        assert scan.verified.accepted, name
        assert scan.wrong_name.rejected, name
        assert scan.wrong_authority.rejected, name


@pytest.mark.containers
@pytest.mark.parametrize("user", [ALICE, BOB, CAROL], ids=["alice", "bob", "carol"])
def test_every_user_logs_in_over_every_protocol_and_nobody_else(node: Node, user: User) -> None:
    spec = dataclasses.replace(node.spec, users=(user,))
    wrong = dataclasses.replace(
        node.spec, users=(dataclasses.replace(user, password=user.password[:-1] + "x"),)
    )
    unknown = dataclasses.replace(node.spec, users=(dataclasses.replace(user, username="mallory"),))
    for login in readiness.LOGINS:
        readiness.log_in(spec, login, node.addresses)
        if login[0] == "console" and not user.console_access:
            continue
        for refused in (wrong, unknown):
            with pytest.raises(NotAuthorized):
                retry_login(partial(readiness.log_in, refused, login, node.addresses))


@pytest.mark.containers
def test_the_console_is_for_those_with_access_to_it(node: Node) -> None:
    with OpenWireClient(node.address("openwire")) as client:
        client.publish(QUEUE, b"to browse")
    for user in (ALICE, CAROL):
        assert get(node, "/admin/queues.jsp", user)[0] == 200
    status, page = get(node, f"/admin/browse.jsp?JMSDestination={QUEUE.name}", ALICE)
    assert status == 200
    assert b"ID:" in page
    assert get(node, "/admin/send.jsp", ALICE)[0] == 200
    status, answer = get(
        node,
        "/api/jolokia/read/org.apache.activemq:type=Broker,brokerName=orders/BrokerVersion",
        ALICE,
    )
    assert (status, json.loads(answer)["value"]) == (200, RELEASES[node.spec.version])
    strangers: tuple[tuple[User | None, str], ...] = ((None, ""), (BOB, ""), (ALICE, "wrong"))
    for stranger, password in strangers:
        for path in ("/", "/admin/", "/admin/queues.jsp", "/api/jolokia/version", "/nothing"):
            assert get(node, path, stranger, password)[0] == 401, (stranger, path)


@pytest.mark.containers
def test_openwire_publishes_receives_and_acknowledges(node: Node) -> None:
    queue, body = Destination.queue("openwire"), bytes(range(256)) * 4000
    with OpenWireClient(node.address("openwire", BOB)) as client:
        client.publish(queue, b"first")
        client.publish(queue, body)
        client.subscribe(queue)
        first, second = client.receive(), client.receive()
        assert first
        assert second
        assert (first.body, second.body) == (b"first", body)
        assert client.receive(timeout=0.1) is None
        first.acknowledge()
    with OpenWireClient(node.address("openwire", ALICE)) as client:
        client.subscribe(queue)
        again = client.receive()
        assert again, "what was not acknowledged is redelivered"
        assert again.body == body
        again.acknowledge()
        assert client.receive(timeout=0.1) is None
    client.close()


@pytest.mark.containers
def test_an_openwire_topic_reaches_its_subscriber(node: Node) -> None:
    topic = Destination.topic("prices.eur")
    with (
        OpenWireClient(node.address("openwire")) as subscriber,
        OpenWireClient(node.address("openwire", CAROL)) as publisher,
    ):
        subscriber.subscribe(topic)
        publisher.publish(topic, "päper".encode())
        message = subscriber.receive()
        assert message
        assert message.body == "päper".encode()


@pytest.mark.containers
def test_openwire_says_why_it_cannot_connect(node: Node, tmp_path: Path) -> None:
    good = node.address("openwire")
    own_name = node.run("hostname").strip()  # leads to the broker, but is not in its certificate
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(Authority.create().ca_pem)
    for bad, error, words in (
        ({"host": own_name}, ConnectionRefused, own_name),
        ({"ca_file": stranger}, ConnectionRefused, "authority that is not trusted"),
        ({"ca_file": None, "host": "localhost"}, ConnectionRefused, "refused"),
        ({"beside": "no-such-container"}, ConnectionRefused, "it is gone"),
    ):
        with pytest.raises(error, match=words):
            OpenWireClient(dataclasses.replace(good, **bad))
    with pytest.raises(NotAuthorized):
        retry_login(lambda: OpenWireClient(dataclasses.replace(good, password="wrong-password")))


@pytest.mark.containers
def test_no_secret_is_on_a_command_line_in_the_environment_in_the_log_or_on_disk(
    node: Node,
) -> None:
    with OpenWireClient(node.address("openwire")) as client:
        client.publish(QUEUE, b"while the bridge runs")
        processes = node.run(
            "sh",
            "-c",
            "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; true",
        )
        assert "openwire-bridge" in processes or "OpenWireBridge" in processes
    secrets = [ALICE.password, BOB.password, node.spec.keystore_password, node.data_key]
    visible = (
        processes
        + json.dumps(node.containers.inspect(node.container), ensure_ascii=False)
        + node.log()
    )
    layer = node.run(
        "find",
        "/",
        "-xdev",
        "-newer",
        "/opt/activemq/broker.jsa",
        "-type",
        "f",
        "-not",
        "-path",
        "/proc/*",
    ).split()
    assert set(layer) <= {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/.dockerenv"}
    assert not [secret for secret in secrets if secret in visible]
    modes = node.run("find", "/run/testbed", "-type", "f", "-printf", "%m %u\n").splitlines()
    assert {line for line in modes if not line.startswith("600 activemq")} == set()


@pytest.mark.nightly("a killed node by itself; every push has test_upkeep.py")
@pytest.mark.containers
def test_what_was_confirmed_survives_a_kill(node: Node) -> None:
    queue = Destination.queue("durable")
    client = OpenWireClient(node.address("openwire"))
    for number in range(50):
        client.publish(queue, b"%d" % number)
    node.kill()
    with pytest.raises(NotConfirmed):
        client.publish(queue, b"to nobody")
    client.close()
    node.start()
    with OpenWireClient(node.address("openwire")) as client:
        client.subscribe(queue)
        messages = [client.receive() for _ in range(50)]
    assert [message and message.body for message in messages] == [
        b"%d" % number for number in range(50)
    ]


@pytest.mark.containers
def test_it_stops_when_asked(node: Node) -> None:
    node.containers.stop(node.container, seconds=20)
    assert node.containers.state(node.container).exit_code == 143, "by the signal, not by force"
    assert "is shutdown" in node.log()
    node.containers.remove(node.container)
    node.start()


# Controls: what these checks must find


@pytest.mark.nightly("suites of a node by itself; every push has scenario handshakes")
@pytest.mark.containers
def test_control_other_versions_a_19th_suite_and_plaintext_are_found(tmp_path: Path) -> None:
    weak = TlsProfile(("TLSv1.1", "TLSv1.2", "TLSv1.3"), (*ACTIVEMQ_SUITES, CHACHA))
    with activemq(tmp_path, spec(defects=Defects(plaintext_listener=True, tls=weak))) as node:
        for name, scan in probe_all(
            node.addresses, server_name=HOSTNAME, ca_file=node.ca_file
        ).items():
            accepted = {
                version_scan.version: {suite.code for suite in version_scan.accepted}
                for version_scan in scan.versions
            }
            assert accepted["TLSv1.2"] == {suite.code for suite in weak.suites}, name
            assert accepted["TLSv1.3"] == {0x1301, 0x1302}, name
            assert accepted["TLSv1.1"], name
            assert not accepted["TLSv1"], name
        with OpenWireClient(node.address("openwire-plaintext", tls=False)) as client:
            client.publish(QUEUE, b"in the clear")
        with socket.create_connection(node.plaintext["stomp-plaintext"], timeout=10) as plain:
            plain.sendall(stomp.connect(ALICE.username, ALICE.password))
            assert plain.recv(4096).startswith(b"CONNECTED")
