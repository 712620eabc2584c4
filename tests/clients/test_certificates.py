"""Every client library against every bad certificate: each refuses it and says why.

The listener confirms the refusal.
``pytest -s`` prints what each library says.
"""

import io
import socket
import ssl
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import proton
import pytest

from testbed.clients import PROTOCOLS, Address, Destination, amqp10, connect, openwire, tls
from testbed.engines.activemq.engine import ActiveMQ
from testbed.engines.base import User
from testbed.engines.rabbitmq.engine import RabbitMQ
from testbed.errors import ConnectionRefused
from testbed.pki import Authority, Certificate, bad_names
from testbed.runtime import ports
from tests.support import activemq_node, rabbitmq_node
from tests.support.authority import shared
from tests.support.broker_node import node_spec
from tests.support.scanners import Scanners, beside
from tests.support.tls_servers import serving

IN_PYTHON = [protocol for protocol in PROTOCOLS if protocol != "openwire"]
SAYS = {
    "expired": "it has expired",
    "not-yet-valid": "it is not valid yet",
    "wrong-host": "it is made out to another host name",
    "wrong-authority": "it is signed by an authority that is not trusted",
    "self-signed": "it is signed by itself",
    "missing-intermediate": "an intermediate certificate is missing",
    "weak-key": "its key is too weak",
}
# Java's messages, which are the same for two of the defects.
JAVA = {
    "expired": "CertificateExpiredException",
    "not-yet-valid": "CertificateNotYetValidException",
    "wrong-host": "No subject alternative DNS name matching localhost",
    "wrong-authority": "Path does not chain with any of the trust anchors",
    "self-signed": "unable to find valid certification path",
    "missing-intermediate": "unable to find valid certification path",
    "weak-key": "Algorithm constraints check failed on keysize limits: RSA 1024",
}
ALICE = User("alice", "alices-password-1")


def test_there_is_a_sentence_for_every_defect() -> None:
    assert SAYS.keys() == JAVA.keys() == set(bad_names())


@pytest.fixture(scope="module")
def authority() -> Authority:
    return shared()


@contextmanager
def listening(certificate: Certificate, folder: Path) -> Iterator[tuple[int, Path, list[str]]]:
    """Serve with the certificate; yield port, authority to trust, and how each handshake ended."""
    written = certificate.write(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")  # or OpenSSL would not serve the weak key
    context.load_cert_chain(written.chain, written.key)
    # In TLS 1.3 a client sends its Finished before it refuses, and the listener would not notice.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    ended: list[str] = []

    def handle(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                ended.append("completed")
                secured.recv(1)
        except (OSError, ValueError) as error:
            ended.append(str(getattr(error, "reason", None) or error))
            raise

    with serving(handle) as port:
        yield port, written.ca, ended


def outcome(ended: list[str]) -> list[str]:
    """Wait until the listener has noticed, for a client may return before; return the outcomes."""
    end = time.monotonic() + 5
    while not ended and time.monotonic() < end:
        time.sleep(0.02)
    return ended


@pytest.mark.parametrize("defect", bad_names())
@pytest.mark.parametrize("protocol", IN_PYTHON)
def test_it_is_refused_with_the_reason(
    protocol: str, defect: str, authority: Authority, tmp_path: Path
) -> None:
    with listening(authority.issue_bad(defect), tmp_path) as (port, ca_file, ended):
        with pytest.raises(
            ConnectionRefused, match=f"the certificate is refused: .*{SAYS[defect]}"
        ) as refusal:
            connect(Address(protocol, "localhost", port, ALICE.username, ALICE.password, ca_file))
        assert outcome(ended)
        assert "completed" not in ended, "the library itself has to refuse it"
    print(f"{protocol}, {defect}: {refusal.value.message}")
    print(f"    its library: {refusal.value.__cause__!r}")


@pytest.mark.parametrize("protocol", IN_PYTHON)
def test_control_a_sound_certificate_of_the_same_authority_gets_through(
    protocol: str, authority: Authority, tmp_path: Path
) -> None:
    with listening(authority.issue(), tmp_path) as (port, ca_file, ended):
        with pytest.raises(ConnectionRefused) as refusal:  # it is not a broker
            connect(Address(protocol, "localhost", port, ALICE.username, ALICE.password, ca_file))
        assert "completed" in outcome(ended)
        assert "certificate" not in refusal.value.message


def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable the verification of every client except OpenWire's."""

    def nothing_is_checked(address: Address) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        return context

    def no_peer(address: Address) -> proton.SSLDomain:
        domain = proton.SSLDomain(proton.SSLDomain.MODE_CLIENT)
        domain.set_peer_authentication(proton.SSLDomain.ANONYMOUS_PEER)
        return domain

    monkeypatch.setattr(tls, "context", nothing_is_checked)
    monkeypatch.setattr(amqp10, "_domain", no_peer)
    monkeypatch.setattr(amqp10, "_name", lambda address, timeout: None)


@pytest.mark.parametrize("defect", bad_names())
@pytest.mark.parametrize("protocol", IN_PYTHON)
def test_control_a_client_that_does_not_check_is_found_by_the_same_test(
    protocol: str,
    defect: str,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unchecked(monkeypatch)
    with listening(authority.issue_bad(defect), tmp_path) as (port, ca_file, ended):
        with pytest.raises(ConnectionRefused) as refusal:  # it is not a broker
            connect(Address(protocol, "localhost", port, ALICE.username, ALICE.password, ca_file))
        assert "completed" in outcome(ended)
        assert "the certificate is refused" not in refusal.value.message


# Real brokers with an expired certificate


@pytest.fixture(scope="module")
def expired_rabbitmq(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[rabbitmq_node.Node]:
    spec = node_spec(RabbitMQ(), "4.2", (ALICE,), certificate=authority.issue_bad("expired"))
    with rabbitmq_node.rabbitmq(tmp_path_factory.mktemp("rabbitmq"), spec) as node:
        yield node


@pytest.fixture(scope="module")
def expired_activemq(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[activemq_node.Node]:
    spec = node_spec(ActiveMQ(), "5.19", (ALICE,), certificate=authority.issue_bad("expired"))
    with activemq_node.activemq(tmp_path_factory.mktemp("activemq"), spec) as node:
        yield node


REAL = [
    ("rabbitmq", "amqp"),
    ("rabbitmq", "amqp10"),
    *(("activemq", protocol) for protocol in PROTOCOLS if protocol != "amqp"),
]
LISTENERS = {"amqp10": "amqp", "stomp-ws": "wss", "mqtt-ws": "wss"}


@pytest.fixture(params=REAL, ids="-".join)
def address(request: pytest.FixtureRequest) -> Address:
    engine, protocol = request.param
    node = request.getfixturevalue(f"expired_{engine}")
    if engine == "rabbitmq":
        address: Address = node.address(protocol)
    else:
        address = node.address(LISTENERS.get(protocol, protocol), protocol=protocol)
    return address


@pytest.mark.containers
def test_a_real_brokers_expired_certificate_is_refused(address: Address) -> None:
    with pytest.raises(ConnectionRefused, match="the certificate is refused: it has expired"):
        connect(address)


@pytest.mark.containers
def test_control_a_client_that_does_not_check_gets_its_message_through(
    address: Address, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if address.protocol == "openwire":  # Java takes a certificate that is trusted itself as it is
        trusted = tmp_path / "leaf.pem"
        trusted.write_text(ssl.get_server_certificate((address.host, address.port)))
        address = replace(address, ca_file=trusted)
    else:
        unchecked(monkeypatch)
    topic = Destination.topic("test.unchecked")
    with connect(address) as client:
        client.subscribe(topic)
        client.publish(topic, b"through")
        message = client.receive()
        assert message is not None
        assert message.body == b"through"
        message.acknowledge()


# OpenWire: Java beside a broker, and beside both a listener with each defect


@pytest.fixture(scope="module")
def neighbours(expired_activemq: activemq_node.Node) -> Iterator[Scanners]:
    with beside(expired_activemq.containers, expired_activemq.container) as scanners:
        yield scanners


@contextmanager
def listening_beside(scanners: Scanners, certificate: Certificate) -> Iterator[int]:
    """Run ``openssl s_server`` with the certificate in the network from which Java connects."""
    folder, port = f"/tmp/{certificate.profile.name}", ports.free(1)[0]
    leaf, end, sent = certificate.chain_pem.partition(b"-----END CERTIFICATE-----\n")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in (
            ("leaf.pem", leaf + end),
            ("sent.pem", sent),
            ("key.pem", certificate.private_key_pem),
        ):
            info = tarfile.TarInfo(f"{folder[5:]}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    scanners.containers.client.api.put_archive(scanners.container, "/tmp", buffer.getvalue())
    serve = f"openssl s_server -quiet -accept 127.0.0.1:{port}"
    serve += f" -cert {folder}/leaf.pem -key {folder}/key.pem"
    serve += f" -cert_chain {folder}/sent.pem" if sent else ""
    serve += " -tls1_2 -cipher ALL:@SECLEVEL=0"
    quietly = "</dev/null >/dev/null 2>&1"
    scanners.run("sh", "-c", f"{serve} {quietly} & echo $! > {folder}/pid")
    connects = f"openssl s_client -connect 127.0.0.1:{port} {quietly}"
    scanners.run("sh", "-c", f"for i in $(seq 100); do {connects} && break; sleep 0.1; done")
    try:
        yield port
    finally:
        scanners.run("sh", "-c", f"kill $(cat {folder}/pid)")


@pytest.mark.containers
@pytest.mark.parametrize("defect", bad_names())
def test_openwire_refuses_it_too(
    defect: str,
    authority: Authority,
    expired_activemq: activemq_node.Node,
    neighbours: Scanners,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = authority.issue_bad(defect)
    # The same certificate from here, where the client connects again to find the reason.
    with (
        listening(certificate, tmp_path) as (outer_port, ca_file, _),
        listening_beside(neighbours, certificate) as inner_port,
    ):
        monkeypatch.setattr(openwire, "_PORT", inner_port)
        address = Address(
            "openwire",
            "localhost",
            outer_port,
            ALICE.username,
            ALICE.password,
            ca_file,
            beside=expired_activemq.container,
        )
        with pytest.raises(
            ConnectionRefused, match=f"the certificate is refused: .*{SAYS[defect]}"
        ) as refusal:
            connect(address)
    # One of Java's threads may notice that another has hung up, and report that instead.
    assert JAVA[defect] in refusal.value.message or "has closed" in refusal.value.message
    print(f"openwire, {defect}: {refusal.value.message}")


@pytest.mark.containers
def test_control_openwire_and_a_sound_certificate_there(
    authority: Authority,
    expired_activemq: activemq_node.Node,
    neighbours: Scanners,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = authority.issue()
    with (
        listening(certificate, tmp_path) as (outer_port, ca_file, _),
        listening_beside(neighbours, certificate) as inner_port,
    ):
        monkeypatch.setattr(openwire, "_PORT", inner_port)
        monkeypatch.setattr(openwire, "CONNECT_TIMEOUT", 5.0)
        with pytest.raises(ConnectionRefused) as refusal:  # it is not a broker
            connect(
                Address(
                    "openwire",
                    "localhost",
                    outer_port,
                    ALICE.username,
                    ALICE.password,
                    ca_file,
                    beside=expired_activemq.container,
                )
            )
    assert "certif" not in refusal.value.message.lower(), refusal.value.message
