"""Sessions, renegotiation and client certificates, on listeners with them and without."""

import socket
import ssl
from pathlib import Path

import pytest

from testbed.documented.tls import PROFILES
from testbed.wire import session_features
from testbed.wire.connection import ListenerAddress
from testbed.wire.prober import probe
from testbed.wire.scan import Refusal, SessionFeatures
from testbed.wire.tls_messages import offered
from testbed.wire.verdict import judge, observed_session_features
from tests.support.tls_servers import (
    NAME,
    OPENSSL,
    Pki,
    openssl_server,
    python_tls,
    serving,
)

with_openssl = pytest.mark.skipif(not OPENSSL, reason="needs the openssl program")
CIPHERS = ":".join(suite.openssl for suite in PROFILES["RABBITMQ"].suites)
UNEXPECTED = Refusal("alert", "fatal unexpected_message")


def features(
    port: int, identity: tuple[Path, Path] | None = None, timeout: float = 3.0
) -> SessionFeatures:
    return session_features.ask(
        ListenerAddress("127.0.0.1", port, NAME, timeout, identity), "TLSv1.2", offered("TLSv1.2")
    )


@with_openssl
@pytest.mark.parametrize(
    ("flags", "session_id", "ticket"),
    [((), True, True), (("-no_ticket",), True, False), (("-no_ticket", "-no_cache"), False, False)],
)
def test_resumption(pki: Pki, flags: tuple[str, ...], session_id: bool, ticket: bool) -> None:
    with openssl_server(pki, "-tls1_2", *flags) as port:
        observed = features(port)
    assert (observed.session_id, observed.ticket) == (session_id, ticket)


@with_openssl
def test_renegotiation_accepted(pki: Pki) -> None:
    with openssl_server(pki, "-tls1_2", "-client_renegotiation") as port:
        assert features(port).renegotiation == "accepted"


@with_openssl
@pytest.mark.parametrize("flag", ["-tls1_2", "-no_renegotiation"])
def test_renegotiation_refused(pki: Pki, flag: str) -> None:
    with openssl_server(pki, flag) as port:
        renegotiation = features(port).renegotiation
    assert isinstance(renegotiation, Refusal), renegotiation
    assert renegotiation.kind in {"alert", "closed"}, renegotiation


def test_a_listener_that_speaks_first_is_asked_all_the_same(pki: Pki) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.chain, pki.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def greet(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.sendall(b"greetings" * 100)
            while secured.recv(1000):
                pass

    with serving(greet) as port:
        observed = features(port)
    assert isinstance(observed.renegotiation, Refusal)
    assert observed.renegotiation.kind == "alert"
    assert observed.ticket is True


def test_nothing_is_asked_for_and_a_certificate_all_the_same_is_refused(pki: Pki) -> None:
    with python_tls(pki, CIPHERS) as port:
        observed = features(port)
    assert observed.asks_certificate is False
    assert observed.unsolicited_certificate == UNEXPECTED


@with_openssl
def test_a_certificate_that_is_asked_for_is_a_difference_unless_it_is_documented(pki: Pki) -> None:
    with openssl_server(
        pki, "-tls1_2", "-cipher", CIPHERS, "-Verify", "2", "-CAfile", str(pki.ca), "-serverpref"
    ) as port:
        without = probe("127.0.0.1", port, server_name=NAME, ca_file=pki.ca)
        shown = probe(
            "127.0.0.1", port, server_name=NAME, ca_file=pki.ca, identity=(pki.chain, pki.key)
        )
    assert without.session_features.asks_certificate is True
    assert without.session_features.unsolicited_certificate is None
    assert without.version("TLSv1.2").confirmed == ()  # type: ignore[union-attr]
    assert without.session_features.session_id is None, "without a certificate there is no session"
    assert [
        (difference.kind, difference.subject) for difference in judge(shown, PROFILES["RABBITMQ"])
    ] == [("client certificate", "asked for")]
    assert judge(shown, PROFILES["RABBITMQ"], mutual=True) == ()
    assert shown.session_features.renegotiation is not None


def test_where_one_should_be_asked_for_its_absence_is_a_difference(pki: Pki) -> None:
    with python_tls(pki, CIPHERS) as port:
        scan = probe("127.0.0.1", port, server_name=NAME, ca_file=pki.ca)
    assert [
        (difference.kind, difference.subject)
        for difference in judge(scan, PROFILES["RABBITMQ"], mutual=True)
    ] == [("client certificate", "not asked for")]


def test_everything_is_described_in_sentences(pki: Pki) -> None:
    with python_tls(pki, CIPHERS) as port:
        scan = probe("127.0.0.1", port, server_name=NAME, ca_file=pki.ca)
    text = "\n".join(observed_session_features(scan))
    for part in (
        "signed by rsa_",
        "curves x25519",
        "extended master secret yes",
        "session id",
        "renegotiation by the client",
        "not asked for",
        "unsolicited",
    ):
        assert part in text, part


@pytest.mark.parametrize("how", ["hangs up", "silent", "garbage", "nobody"])
def test_a_listener_without_tls_has_no_session_features_and_raises_nothing(how: str) -> None:
    def handle(connection: socket.socket) -> None:
        if how == "silent":
            while connection.recv(4096):
                pass
        elif how == "garbage":
            connection.sendall(bytes(range(256)))

    if how == "nobody":
        with socket.create_server(("127.0.0.1", 0)) as reserved:
            port = reserved.getsockname()[1]
        assert features(port, timeout=0.3) == SessionFeatures()
        return
    with serving(handle) as port:
        assert features(port, timeout=0.3) == SessionFeatures()
