"""Real RabbitMQ brokers with customers' configurations: mutual TLS, limits, verified shovels."""

import base64
import dataclasses
import http.client
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.clients import Destination, connect
from testbed.clients.base import Address
from testbed.documented.tls import RABBITMQ_SUITES
from testbed.engines.base import NodeSpec, User
from testbed.engines.rabbitmq.engine import RabbitMQ
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized
from testbed.pki import Authority
from testbed.wire.prober import probe_all
from tests.support.broker_node import node_spec
from tests.support.nightly import first_then_nightly
from tests.support.rabbitmq_node import ALICE, HOSTNAME, RELEASES_OF_4, Node, rabbitmq

pytestmark = pytest.mark.containers

AUTHORITY = Authority.create()
COMMON_NAME = User("amazonmq-testbed-client", "never-used-here-1")  # as in certs/client.toml
MTLS = """\
ssl_options.verify = verify_peer
aws.arns.assume_role_arn = arn:aws:iam::111122223333:role/broker
aws.arns.ssl_options.cacertfile = arn:aws:s3:::certificates/ca.pem
"""
STRICT = f"""\
{MTLS}
ssl_options.fail_if_no_peer_cert = true
auth_mechanisms.1 = EXTERNAL
auth_mechanisms.2 = PLAIN
ssl_cert_login_from = common_name
"""
BY_ALTERNATIVE_NAME = f"""\
{MTLS}
auth_mechanisms.1 = EXTERNAL
ssl_cert_login_from = subject_alternative_name
ssl_cert_login_san_type = dns
ssl_cert_login_san_index = 0
consumer_timeout = 0
cluster_queue_limit = 2
cluster_exchange_limit = 100
max_message_size = 1000
secure.management.http.headers.enabled = false
"""
QUEUE = Destination.queue("orders")


def spec(configuration: str, version: str = "4.2") -> NodeSpec:
    spec = node_spec(RabbitMQ(), version, (ALICE, COMMON_NAME), certificate=AUTHORITY.issue())
    return dataclasses.replace(spec, configuration=configuration)


@pytest.fixture(
    scope="module", params=first_then_nightly(RELEASES_OF_4, "the other release of the engine")
)
def strict(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    with rabbitmq(tmp_path_factory.mktemp("strict"), spec(STRICT, request.param)) as node:
        yield node


@pytest.fixture(
    scope="module", params=first_then_nightly(RELEASES_OF_4, "the other release of the engine")
)
def by_name(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    with rabbitmq(
        tmp_path_factory.mktemp("by-name"), spec(BY_ALTERNATIVE_NAME, request.param)
    ) as node:
        yield node


def certified(
    node: Node,
    folder: Path,
    user: User | None = None,
    *,
    authority: Authority = AUTHORITY,
    **of: object,
) -> Address:
    """Return an address with a client's certificate; without a user, it is also the login."""
    written = authority.issue("client", **of).write(folder)  # type: ignore[arg-type]
    address = node.address("amqp", user or User("", ""))
    return dataclasses.replace(address, certificate=written.chain, key=written.key)


def passes_a_message(address: Address) -> bool:
    with connect(address) as client:
        client.publish(QUEUE, b"an order")
        client.subscribe(QUEUE)
        message = client.receive()
        assert message
        message.acknowledge()
        return message.body == b"an order"


def ask(
    node: Node, method: str, path: str, body: object = None
) -> tuple[int, bytes, dict[str, str]]:
    """Return the management interface's answer to a client without a certificate."""
    context = ssl.create_default_context(cafile=str(node.ca_file))
    connection = http.client.HTTPSConnection(
        "localhost", node.addresses["management"][1], context=context, timeout=30
    )
    credentials = base64.b64encode(f"{ALICE.username}:{ALICE.password}".encode()).decode()
    content = json.dumps(body) if body else None
    connection.request(method, f"/api/{path}", content, {"Authorization": f"Basic {credentials}"})
    answer = connection.getresponse()
    return (
        answer.status,
        answer.read(),
        {name.lower(): value for name, value in answer.getheaders()},
    )


# A listener that requires a certificate


def test_a_certificate_is_a_login(strict: Node, tmp_path: Path) -> None:
    assert passes_a_message(certified(strict, tmp_path))
    with connect(certified(strict, tmp_path)):
        end = time.monotonic() + 60  # the interface refreshes its data every few seconds
        while not (
            users := {
                connection.get("user")
                for connection in json.loads(ask(strict, "GET", "connections")[1])
            }
            - {None}
        ):
            assert time.monotonic() < end
            time.sleep(0.2)
    assert users == {COMMON_NAME.username}


def test_a_password_still_is_one_behind_a_certificate(strict: Node, tmp_path: Path) -> None:
    assert passes_a_message(certified(strict, tmp_path, ALICE))
    with pytest.raises(NotAuthorized):
        connect(certified(strict, tmp_path / "wrong", User(ALICE.username, "wrong-password-1")))


def test_nobody_without_a_certificate_gets_through_the_handshake(strict: Node) -> None:
    for protocol in ("amqp", "amqp10"):
        with pytest.raises(ConnectionRefused, match="(?i)handshake|no TLS"):
            connect(strict.address(protocol))


def test_nor_with_a_certificate_of_another_authority_or_for_another_purpose(
    strict: Node, tmp_path: Path
) -> None:
    with pytest.raises(ConnectionRefused):
        connect(certified(strict, tmp_path / "stranger", authority=Authority.create()))
    servers = AUTHORITY.issue().write(tmp_path / "server")
    with pytest.raises(ConnectionRefused):
        connect(
            dataclasses.replace(strict.address("amqp"), certificate=servers.chain, key=servers.key)
        )


def test_the_management_interface_asks_for_none(strict: Node) -> None:
    status, _, headers = ask(strict, "GET", "whoami")
    assert status == 200
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
    assert headers["strict-transport-security"] == "max-age=47304000; includeSubDomains"


def test_versions_and_suites_are_the_documented_ones_all_the_same(strict: Node) -> None:
    scan = probe_all(
        {"amqps": strict.addresses["amqps"]}, server_name=HOSTNAME, ca_file=strict.ca_file
    )["amqps"]
    assert {
        version_scan.version: set(version_scan.accepted)
        for version_scan in scan.versions
        if version_scan.accepted
    } == {"TLSv1.2": set(RABBITMQ_SUITES)}
    assert not any(version_scan.confirmed for version_scan in scan.versions), (
        "the prober has no certificate"
    )
    assert not any(answer.served for answer in scan.plaintext)


# A listener whose only login is a certificate; and limits


def test_the_name_is_taken_from_where_the_configuration_says(by_name: Node, tmp_path: Path) -> None:
    assert passes_a_message(certified(by_name, tmp_path / "alice", names=["alice"]))
    for names in (["mallory"], ["mallory", "alice"], []):
        with pytest.raises(NotAuthorized):
            connect(certified(by_name, tmp_path / f"{len(names)}", names=names))


def test_a_password_is_no_login_where_only_certificates_are(by_name: Node, tmp_path: Path) -> None:
    for address in (by_name.address("amqp"), certified(by_name, tmp_path, ALICE, names=["alice"])):
        with pytest.raises(ClientError):
            connect(address)
    assert ask(by_name, "GET", "whoami")[0] == 200, (
        "the management interface accepts no other login"
    )


def test_limits_are_in_force(by_name: Node, tmp_path: Path) -> None:
    address = certified(by_name, tmp_path, names=["alice"])
    with (
        connect(address) as client,
        pytest.raises(ClientError, match="larger than configured max size 1000"),
    ):
        client.publish(QUEUE, b"x" * 1001)
    statuses = [
        ask(by_name, "PUT", f"queues/%2F/limited{number}", {"durable": True}) for number in range(3)
    ]
    assert b"queue limit in cluster (2) is reached" in statuses[-1][1]
    assert statuses[-1][0] == 400
    assert "x-frame-options" not in ask(by_name, "GET", "whoami")[2], "switched off"


def test_a_consumer_may_take_for_ever(by_name: Node) -> None:
    evaluated = by_name.run(
        "env",
        "HOME=/data/broker",
        "LANG=C.UTF-8",
        "rabbitmqctl",
        "--node",
        "rabbit@localhost",
        "eval",
        "application:get_env(rabbit, consumer_timeout).",
        user="rabbitmq",
    )
    assert evaluated.split() == ["{ok,undefined}"]


# Shovels and federation


@pytest.mark.parametrize(
    ("verify", "name", "state"),
    [
        ("", "localhost", "running"),
        ("", "its own name", "no"),
        pytest.param(
            "amqp_client.ssl_options.verify = verify_none\n",
            "its own name",
            "running",
            marks=pytest.mark.nightly(
                "a shovel that does not verify; every push has one that does"
            ),
        ),
    ],
)
def test_a_shovel_verifies_the_broker_it_sends_to_unless_told_otherwise(
    tmp_path: Path, verify: str, name: str, state: str
) -> None:
    """The certificate has the name localhost, not the container's."""
    with rabbitmq(tmp_path, spec(verify)) as node:
        host = node.run("hostname").strip() if name == "its own name" else name
        uri = f"amqps://{ALICE.username}:{ALICE.password}@{{}}:5671"
        value = {
            "src-protocol": "amqp091",
            "src-uri": uri.format("localhost"),
            "src-queue": "a",
            "src-queue-args": {"x-queue-type": "quorum"},
        }
        value |= {
            "dest-protocol": "amqp091",
            "dest-uri": uri.format(host),
            "dest-queue": "b",
            "dest-queue-args": {"x-queue-type": "quorum"},
        }
        with connect(node.address("amqp")) as client:
            # Before the shovel does: RabbitMQ 4.0 can fail when two declare a quorum queue at once.
            client.publish(Destination.queue("a"), b"to be moved")
            client.subscribe(Destination.queue("b"))
            put = ask(node, "PUT", "parameters/shovel/%2F/mine", {"value": value})
            assert put[0] in (201, 204)
            message = client.receive(timeout=20.0 if state == "running" else 6.0)
        assert (message is not None) == (state == "running")
        if state != "running":
            end = time.monotonic() + 30
            while "hostname_check_failed" not in node.log() and time.monotonic() < end:
                time.sleep(0.5)
            assert "hostname_check_failed" in node.log()
