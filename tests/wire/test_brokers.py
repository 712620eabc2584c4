"""Real brokers as the prober sees them: what is documented, and how they behave beyond it."""

from typing import Any

import pytest

from testbed.documented import fips
from testbed.documented.tls import PROFILES
from testbed.wire import half_open, session_features
from testbed.wire.connection import ListenerAddress
from testbed.wire.fips import ask_all
from testbed.wire.matrix import matrix
from testbed.wire.prober import probe_all
from testbed.wire.protocol_greetings import wrong_protocols
from testbed.wire.scan import ListenerScan, Refusal
from testbed.wire.verdict import judge, judge_protocols
from tests.support.broker_node import HOSTNAME

pytestmark = pytest.mark.containers
UNEXPECTED = Refusal("alert", "fatal unexpected_message")


@pytest.fixture(params=["ACTIVEMQ", "RABBITMQ"])
def node(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(f"{request.param.lower()}_node")


@pytest.fixture(scope="module")
def scanned() -> dict[str, dict[str, ListenerScan]]:
    return {}


@pytest.fixture
def scans(node: Any, scanned: dict[str, dict[str, ListenerScan]]) -> dict[str, ListenerScan]:
    """Scan all listeners for all suites and versions, once for all tests."""
    if node.container not in scanned:
        scanned[node.container] = probe_all(
            node.addresses, server_name=HOSTNAME, ca_file=node.ca_file
        )
    return scanned[node.container]


@pytest.mark.nightly("a whole broker; every push has scenario handshakes")
def test_a_whole_broker_is_exactly_as_documented_and_asked_with_few_handshakes(
    node: Any, scans: dict[str, ListenerScan]
) -> None:
    profile = PROFILES[node.engine.type]
    assert {name: judge(scan, profile) for name, scan in scans.items()} == dict.fromkeys(
        node.addresses, ()
    )
    assert matrix(node.engine.type, scans, profile).differences == ()
    # It asks about 356 suites: one handshake for each of them would take a minute.
    assert all(scan.handshakes < 30 + 2 * len(profile.suites) for scan in scans.values())


def test_groups_and_signatures(node: Any, scans: dict[str, ListenerScan]) -> None:
    for name, scan in scans.items():
        twelve = scan.version("TLSv1.2")
        assert twelve, name
        assert twelve.preference == "server", name
        assert twelve.secure_renegotiation is True, name
        kinds = {exchange.group.iana for exchange in twelve.exchanges if exchange}
        assert kinds == (
            {"x25519", "ffdhe2048"} if node.engine.type == "ACTIVEMQ" else {"x25519"}
        ), name
        assert {
            exchange.signature.iana
            for exchange in twelve.exchanges
            if exchange and exchange.signature
        } == {"rsa_pss_rsae_sha256"}, name
        assert {"x25519", "secp256r1", "secp384r1", "secp521r1"} <= {
            group.iana for group in twelve.groups
        }, name


def test_session_features(node: Any, scans: dict[str, ListenerScan]) -> None:
    """The engines' differences are undocumented; a change in them should be noticed."""
    for name, scan in scans.items():
        features, twelve = scan.session_features, scan.version("TLSv1.2")
        assert features.session_id is True, name
        assert features.asks_certificate is False, name
        assert features.unsolicited_certificate == UNEXPECTED, name
        assert twelve
        assert twelve.compression is False
        if node.engine.type == "ACTIVEMQ":  # Java's TLS: the client may renegotiate
            assert features.renegotiation == "accepted", name
            assert twelve.extended_master_secret is True, name
        else:  # Erlang's, configured to refuse it; it has no extended master secret
            assert isinstance(features.renegotiation, Refusal), name
            assert twelve.extended_master_secret is False, name
            assert features.ticket is False, name


def test_a_greeting_during_the_second_handshake_is_not_a_refusal(activemq_node: Any) -> None:
    """ActiveMQ speaks first on OpenWire, in one of five connections during the renegotiation."""
    host, port = activemq_node.addresses["openwire"]
    suites = [suite.code for suite in PROFILES["ACTIVEMQ"].suites]
    answers = [
        session_features.ask(ListenerAddress(host, port, HOSTNAME), "TLSv1.2", suites).renegotiation
        for _ in range(50)
    ]
    assert answers == ["accepted"] * 50


def test_each_listener_speaks_its_own_protocols_and_no_other(node: Any) -> None:
    answers = wrong_protocols(node.addresses, server_name=HOSTNAME)
    protocols = {
        listener.name: listener.protocols for listener in node.engine.listeners(node.spec.version)
    }
    assert {
        name: judge_protocols(answers[name], protocols[name]) for name in answers
    } == dict.fromkeys(node.addresses, ())
    replies = {(name, answer.protocol): answer for name in answers for answer in answers[name]}
    if node.engine.type == "ACTIVEMQ":
        stomp_on_openwire = replies["openwire", "STOMP"]
        assert stomp_on_openwire.spoken == "OpenWire"
        assert replies["stomp", "OpenWire"].words == ""
        assert replies["console", "MQTT"].spoken == "HTTP"
        assert replies["amqp", "AMQP 0-9-1"].spoken == "AMQP 1.0"
    else:
        assert replies["amqps", "MQTT"].spoken.startswith("AMQP")
        assert replies["amqps", "MQTT"].ended


def test_rabbitmq_hangs_up_on_a_handshake_that_does_not_go_on(rabbitmq_node: Any) -> None:
    profile = PROFILES["RABBITMQ"]
    suites = [suite.code for suite in profile.suites]
    answers = half_open.wait(
        rabbitmq_node.addresses,
        server_name=HOSTNAME,
        version="TLSv1.2",
        suites=suites,
        patience=30.0,
    )
    for name, stages in answers.items():
        assert all(stage.ended.kind == "closed" and 3 < stage.seconds < 25 for stage in stages), (
            name,
            stages,
        )
        assert [stage.answered for stage in stages] == [False, False, True], name


def test_activemq_waits_longer_and_the_question_is_bounded(activemq_node: Any) -> None:
    suites = [suite.code for suite in PROFILES["ACTIVEMQ"].suites]
    answers = half_open.wait(
        activemq_node.addresses,
        server_name=HOSTNAME,
        version="TLSv1.2",
        suites=suites,
        patience=2.0,
    )
    assert {stage.ended.kind for stages in answers.values() for stage in stages} == {"timeout"}
    assert all(stage.seconds < 15 for stages in answers.values() for stage in stages)


def test_a_client_of_approved_algorithms_alone_is_taken_by_every_listener(node: Any) -> None:
    answers = ask_all(node.addresses, server_name=HOSTNAME, ca_file=node.ca_file)
    for name, answer in answers.items():
        assert answer.accepted, (name, answer)
        assert answer.suite in fips.SUITES, (name, answer)
        assert answer.group
        assert answer.group.iana == "secp256r1"
        assert answer.key == "RSA 2048"
        # RabbitMQ on this Erlang lacks what FIPS 140-3 IG D.Q requires; see documented/fips.py.
        assert answer.extended_master_secret is (node.engine.type == "ACTIVEMQ"), name
