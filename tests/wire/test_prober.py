"""The prober against real listeners: right ones, and ones with every defect it has to see."""

import socket
import subprocess
import time
from pathlib import Path

import pytest

from testbed.documented.tls import PROFILES, Suite, TlsProfile
from testbed.errors import ClientError
from testbed.wire.connection import ListenerAddress, handshake
from testbed.wire.prober import accepted_all, probe, probe_all
from testbed.wire.protocol_greetings import GREETINGS
from testbed.wire.scan import VERSIONS, ListenerScan, Refusal, Verification
from testbed.wire.tls_messages import offered, registry
from testbed.wire.tls_messages import suite as suite_of
from testbed.wire.verdict import Difference, judge, judge_certificate, observed
from tests.support.tls_servers import (
    NAME,
    OPENSSL,
    WILDCARD,
    Pki,
    make_pki,
    openssl_server,
    python_tls,
    serving,
)

RABBITMQ, ACTIVEMQ = PROFILES["RABBITMQ"], PROFILES["ACTIVEMQ"]
RABBITMQ_CIPHERS = ":".join(suite.openssl for suite in RABBITMQ.suites)
ACTIVEMQ_CIPHERS = ":".join(suite.openssl for suite in ACTIVEMQ.suites)
pytestmark = pytest.mark.filterwarnings(
    "ignore:ssl.TLSVersion.TLSv1:DeprecationWarning"
)  # offering them is the point
with_openssl = pytest.mark.skipif(not OPENSSL, reason="needs the openssl program")


def scan_of(port: int, pki: Pki, **how: object) -> ListenerScan:
    return probe("127.0.0.1", port, server_name=NAME, ca_file=pki.ca, timeout=3.0, **how)  # type: ignore[arg-type]


def kinds(differences: tuple[Difference, ...]) -> list[tuple[str, str]]:
    return [(difference.kind, difference.subject) for difference in differences]


# The suites that can be offered


def test_the_registry_is_whole_and_agrees_with_what_is_documented() -> None:
    assert len(registry()) > 350
    assert len({suite.iana for suite in registry().values()}) == len(registry())
    for profile in PROFILES.values():
        assert [registry()[suite.code] for suite in profile.suites] == list(profile.suites)
    assert sorted(offered("TLSv1.2") + offered("TLSv1.3")) == sorted(registry())
    assert not {0x00FF, 0x5600} & registry().keys()  # signals, not suites


@with_openssl
def test_the_registry_agrees_with_the_local_openssl() -> None:
    output = subprocess.run(
        [str(OPENSSL), "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
        capture_output=True,
        text=True,
        check=True,
    )
    compared = 0
    for line in output.stdout.splitlines():
        code, _, standard, _, name = line.split()[:5]
        high, low = (int(part, 16) for part in code.split(","))
        suite = registry()[high << 8 | low]
        assert suite.openssl == name
        assert suite.iana == standard
        compared += 1
    assert compared > 60


# Listeners as they should be


def test_exactly_the_two_suites_of_rabbitmq(pki: Pki) -> None:
    with python_tls(pki, RABBITMQ_CIPHERS) as port:
        scan = scan_of(port, pki)
    assert judge(scan, RABBITMQ) == ()
    assert judge_certificate(scan, [WILDCARD]) == ()
    twelve = scan.version("TLSv1.2")
    assert twelve
    assert twelve.accepted == twelve.confirmed == RABBITMQ.suites
    assert twelve.preference == "server"
    assert twelve.compression is False
    assert twelve.secure_renegotiation is True
    assert [
        version_scan.accepted for version_scan in scan.versions if version_scan.version != "TLSv1.2"
    ] == [
        (),
        (),
        (),
        (),
    ]
    assert str(scan.version("TLSv1.1").refusal) == "alert: fatal protocol_version"  # type: ignore[union-attr]
    assert scan.handshakes < 30


def test_exactly_the_suites_of_activemq(pki: Pki) -> None:
    with python_tls(pki, ACTIVEMQ_CIPHERS) as port:
        scan = scan_of(port, pki)
    dhe = {suite.code for suite in ACTIVEMQ.suites if "_DHE_" in suite.iana}
    differences = judge(scan, ACTIVEMQ)
    # Python's ssl gives a server no Diffie-Hellman parameters: it cannot offer these six.
    assert {difference.subject for difference in differences} == {
        suite.iana for suite in ACTIVEMQ.suites if suite.code in dhe
    }


@with_openssl
def test_all_suites_of_activemq_with_diffie_hellman(pki: Pki) -> None:
    with openssl_server(pki, "-tls1_2", "-cipher", ACTIVEMQ_CIPHERS, "-serverpref") as port:
        scan = scan_of(port, pki)
    assert judge(scan, ACTIVEMQ) == ()
    assert len(scan.version("TLSv1.2").confirmed) == len(ACTIVEMQ.suites)  # type: ignore[union-attr]


def test_the_certificate_is_read_and_checked(pki: Pki) -> None:
    with python_tls(pki, RABBITMQ_CIPHERS) as port:
        scan = scan_of(port, pki)
    facts = scan.certificate
    assert facts
    assert WILDCARD in facts.names
    assert "127.0.0.1" in facts.names
    assert facts.subject == f"CN={WILDCARD}"
    assert facts.issuer == "CN=Test authority"
    assert (facts.chain_length, facts.days_left, facts.key) == (2, 5, "RSA 2048")
    assert scan.verified.accepted
    assert scan.wrong_name.rejected
    assert "ostname mismatch" in scan.wrong_name.reason
    assert scan.wrong_authority.rejected
    assert "self-signed" in scan.wrong_authority.reason


# Listeners with a defect


def test_one_suite_too_many_is_seen(pki: Pki) -> None:
    with python_tls(pki, f"{RABBITMQ_CIPHERS}:AES128-SHA:@SECLEVEL=0") as port:
        assert kinds(judge(scan_of(port, pki), RABBITMQ)) == [
            ("extra suite", "TLS_RSA_WITH_AES_128_CBC_SHA")
        ]


def test_one_suite_too_few_is_seen(pki: Pki) -> None:
    with python_tls(pki, RABBITMQ.suites[0].openssl) as port:
        assert kinds(judge(scan_of(port, pki), RABBITMQ)) == [
            ("missing suite", RABBITMQ.suites[1].iana)
        ]


def test_a_version_too_many_is_seen_and_its_suites_are_named(pki: Pki) -> None:
    with python_tls(pki, RABBITMQ_CIPHERS, high="TLSv1_3") as port:
        scan = scan_of(port, pki)
    assert kinds(judge(scan, RABBITMQ)) == [("extra version", "TLSv1.3")]
    thirteen = scan.version("TLSv1.3")
    assert thirteen
    assert {suite.iana for suite in thirteen.accepted} == {
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_GCM_SHA256",
    }
    assert [suite.iana for suite in thirteen.confirmed] == ["TLS_AES_256_GCM_SHA384"]
    assert (
        judge(scan, TlsProfile(("TLSv1.2", "TLSv1.3"), RABBITMQ.suites + thirteen.accepted)) == ()
    )


def test_the_wrong_version_alone(pki: Pki) -> None:
    with python_tls(pki, RABBITMQ_CIPHERS, "TLSv1_3", "TLSv1_3") as port:
        scan = scan_of(port, pki)
    assert ("missing version", "TLSv1.2") in kinds(judge(scan, RABBITMQ))
    assert scan.certificate
    assert scan.certificate.chain_length == 0


@with_openssl
@pytest.mark.parametrize(("flag", "version"), [("-tls1", "TLSv1"), ("-tls1_1", "TLSv1.1")])
def test_an_old_version_is_seen(pki: Pki, flag: str, version: str) -> None:
    with openssl_server(pki, flag, "-cipher", "ALL:@SECLEVEL=0") as port:
        scan = scan_of(port, pki)
    version_scan = scan.version(version)
    assert version_scan
    assert len(version_scan.accepted) >= 4
    assert version_scan.confirmed
    assert ("extra version", version) in kinds(judge(scan, RABBITMQ))
    older = "TLSv1" if version == "TLSv1.1" else "TLSv1.1"
    assert scan.version(older).accepted == ()  # type: ignore[union-attr]


@with_openssl
def test_suites_without_a_certificate_are_seen(pki: Pki) -> None:
    with openssl_server(pki, "-tls1_2", "-nocert", "-cipher", "aNULL:@SECLEVEL=0") as port:
        scan = scan_of(port, pki)
    extra = {
        difference.subject
        for difference in judge(scan, RABBITMQ)
        if difference.kind == "extra suite"
    }
    assert "TLS_ECDH_anon_WITH_AES_128_CBC_SHA" in extra
    assert all("_anon_" in name for name in extra)


@with_openssl
def test_everything_openssl_can_do_at_once(pki: Pki) -> None:
    with openssl_server(
        pki, "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0", "-min_protocol", "TLSv1"
    ) as port:
        scan = scan_of(port, pki)
    assert [bool(version_scan.accepted) for version_scan in scan.versions] == [
        False,
        True,
        True,
        True,
        True,
    ]
    assert len(scan.version("TLSv1.2").accepted) > 40  # type: ignore[union-attr]
    assert {("extra version", version) for version in ("TLSv1", "TLSv1.1", "TLSv1.3")} <= set(
        kinds(judge(scan, RABBITMQ))
    )


@pytest.mark.parametrize(("client_order", "preference"), [(False, "server"), (True, "client")])
def test_whose_order_decides(pki: Pki, client_order: bool, preference: str) -> None:
    with python_tls(pki, RABBITMQ_CIPHERS, client_order=client_order) as port:
        assert scan_of(port, pki, versions=["TLSv1.2"]).versions[0].preference == preference


def test_an_expired_certificate_is_refused_with_the_reason(tmp_path: Path) -> None:
    expired = make_pki(tmp_path, expired=True)
    with python_tls(expired, RABBITMQ_CIPHERS) as port:
        scan = scan_of(port, expired)
    assert scan.verified == Verification(False, "certificate has expired", rejected=True)
    assert scan.certificate
    assert scan.certificate.days_left < 0
    assert ("certificate refused", NAME) in kinds(judge_certificate(scan))
    # No client accepts the certificate, so no handshake is complete and no suite is accepted.
    assert ("missing suite", RABBITMQ.suites[0].iana) in kinds(judge(scan, RABBITMQ))


def test_a_missing_name_is_seen(pki: Pki) -> None:
    with python_tls(pki, RABBITMQ_CIPHERS) as port:
        scan = scan_of(port, pki)
    assert kinds(judge_certificate(scan, ["*.mq.eu-west-1.amazonaws.com"])) == [
        ("missing name", "*.mq.eu-west-1.amazonaws.com")
    ]


# Listeners without TLS


@pytest.mark.parametrize("protocol", GREETINGS)
def test_plaintext_is_seen(pki: Pki, protocol: str) -> None:
    def answer(connection: socket.socket) -> None:
        if connection.recv(4096) == GREETINGS[protocol]:
            connection.sendall(b"HELLO")

    with serving(answer) as port:
        scan = scan_of(port, pki)
    assert [plain.protocol for plain in scan.plaintext if plain.served] == [protocol]
    differences = kinds(judge(scan, RABBITMQ))
    assert ("plaintext served", protocol) in differences
    assert ("missing version", "TLSv1.2") in differences


def test_a_plaintext_listener_that_speaks_first(pki: Pki) -> None:
    with serving(lambda connection: connection.sendall(b"\0\0\1\x3b\1ActiveMQ")) as port:
        scan = scan_of(port, pki)
    assert all(plain.served for plain in scan.plaintext)
    assert {version_scan.refusal.kind for version_scan in scan.versions} == {"bytes"}


def test_a_tls_listener_serves_no_plaintext(pki: Pki) -> None:
    with python_tls(pki, RABBITMQ_CIPHERS) as port:
        assert not any(plain.served for plain in scan_of(port, pki).plaintext)


def test_silence_is_bounded_and_refuses_nothing(pki: Pki) -> None:
    with serving(lambda connection: list(iter(lambda: connection.recv(4096), b""))) as port:
        scan = probe("127.0.0.1", port, server_name=NAME, ca_file=pki.ca, timeout=0.3)
    assert scan.seconds < 0.3 * (len(VERSIONS) + 4) + 2
    assert {version_scan.refusal for version_scan in scan.versions} == {Refusal("timeout")}
    differences = kinds(judge(scan, RABBITMQ))
    assert ("missing version", "TLSv1.2") in differences
    assert [subject for kind, subject in differences if kind == "no answer"] == [
        "SSLv3",
        "TLSv1",
        "TLSv1.1",
        "TLSv1.3",
    ]


def test_a_trickle_is_bounded_too() -> None:
    def trickle(connection: socket.socket) -> None:
        for byte in b"\x16\x03\x03\x40\x00" + bytes(50):
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    with serving(trickle) as port:
        answer = handshake(ListenerAddress("127.0.0.1", port, NAME, 0.5), "TLSv1.2", [0xC030])
    assert isinstance(answer, Refusal)
    assert answer.kind == "bytes"


def test_nobody_listens(pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    scan = scan_of(port, pki)
    assert {version_scan.refusal.kind for version_scan in scan.versions} == {"unreachable"}
    assert judge(scan, RABBITMQ)
    assert len(observed(scan)) == 6
    assert not scan.verified.accepted
    assert not scan.wrong_authority.rejected
    assert {kind for kind, _ in kinds(judge_certificate(scan))} == {
        "certificate refused",
        "no answer",
    }


def test_an_authority_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(ClientError, match=name):
            probe("127.0.0.1", 1, server_name=NAME, ca_file=tmp_path / name)


def test_several_side_by_side_and_one_broken_takes_no_other_down(pki: Pki) -> None:
    with python_tls(pki, RABBITMQ_CIPHERS) as good, serving(lambda connection: None) as bad:
        scans = probe_all(
            {"good": ("127.0.0.1", good), "bad": ("127.0.0.1", bad)},
            server_name=NAME,
            ca_file=pki.ca,
        )
    assert judge(scans["good"], RABBITMQ) == ()
    assert {version_scan.refusal.kind for version_scan in scans["bad"].versions} == {"closed"}


def test_what_is_accepted_can_be_asked_alone_and_is_the_same(pki: Pki) -> None:
    with (
        python_tls(pki, RABBITMQ_CIPHERS, high="TLSv1_3") as good,
        serving(lambda connection: None) as bad,
    ):
        accepted = accepted_all(
            {"good": ("127.0.0.1", good), "bad": ("127.0.0.1", bad)}, server_name=NAME
        )
        whole = scan_of(good, pki)
    assert [
        (version_scan.version, version_scan.accepted, version_scan.groups)
        for version_scan in accepted["good"]
    ] == [
        (version_scan.version, version_scan.accepted, version_scan.groups)
        for version_scan in whole.versions
    ]
    assert all(version_scan.confirmed == () for version_scan in accepted["good"])
    assert [version_scan.accepted for version_scan in accepted["bad"]] == [()] * 5


def test_a_suite_is_named_by_its_number_where_it_has_no_name() -> None:
    assert suite_of(0xFF42) == Suite("0xFF42", "", 0xFF42)
