"""The verdict on a scan, apart from any listener."""

from dataclasses import replace

import pytest

from testbed.documented.tls import PROFILES, TLS13_SUITES, TlsProfile, profile
from testbed.wire.scan import ListenerScan, Refusal, SessionFeatures, Verification, VersionScan
from testbed.wire.verdict import Difference, judge, judge_certificate

RABBITMQ, ACTIVEMQ = PROFILES["RABBITMQ"], PROFILES["ACTIVEMQ"]


def kinds(differences: tuple[Difference, ...]) -> list[tuple[str, str]]:
    return [(difference.kind, difference.subject) for difference in differences]


def scan_with(*versions: VersionScan) -> ListenerScan:
    good = Verification(True)
    return ListenerScan("h", 1, "n", versions, (), None, good, good, good, 0, 0.0)


SUITES = RABBITMQ.suites
REFUSED = Refusal("alert", "fatal handshake_failure")


@pytest.mark.parametrize(
    ("scan", "expected"),
    [
        (scan_with(), [("not asked", "TLSv1.2")]),
        (scan_with(VersionScan("TLSv1.2", (), REFUSED)), [("missing version", "TLSv1.2")]),
        (scan_with(VersionScan("TLSv1.2", SUITES, REFUSED, confirmed=SUITES)), []),
        (
            scan_with(VersionScan("TLSv1.2", SUITES, REFUSED, confirmed=SUITES[:1])),
            [("missing suite", SUITES[1].iana)],
        ),
        (
            scan_with(VersionScan("TLSv1.2", SUITES, Refusal("timeout"), confirmed=SUITES)),
            [("no answer", "TLSv1.2")],
        ),
        (
            scan_with(VersionScan("TLSv1.2", SUITES, REFUSED, confirmed=SUITES, compression=True)),
            [("compression", "TLSv1.2")],
        ),
    ],
)
def test_the_verdict(scan: ListenerScan, expected: list[tuple[str, str]]) -> None:
    assert kinds(judge(scan, RABBITMQ)) == expected


def test_a_client_that_accepts_anything_fails_the_certificate_check() -> None:
    assert {kind for kind, _ in kinds(judge_certificate(scan_with()))} == {
        "wrong name accepted",
        "wrong authority accepted",
    }


def test_old_versions_want_only_the_suites_they_can_use() -> None:
    suites = tuple(suite for suite in ACTIVEMQ.suites if suite.iana.endswith("_SHA"))
    scan = scan_with(VersionScan("TLSv1.1", suites, REFUSED, confirmed=suites))
    assert judge(scan, TlsProfile(("TLSv1.1",), ACTIVEMQ.suites)) == ()


TWELVE = VersionScan("TLSv1.2", SUITES, REFUSED, confirmed=SUITES)
THIRTEEN = VersionScan("TLSv1.3", TLS13_SUITES, REFUSED, confirmed=TLS13_SUITES[:1])


def test_the_older_edition_of_the_page_says_nothing_of_tls_1_3_for_rabbitmq() -> None:
    older = profile("RABBITMQ", edition="older")
    assert profile("RABBITMQ") == RABBITMQ
    assert older.suites == RABBITMQ.suites
    for thirteen in (
        THIRTEEN,
        VersionScan("TLSv1.3", (), REFUSED),
        VersionScan("TLSv1.3", (), Refusal("timeout")),
    ):
        assert judge(scan_with(TWELVE, thirteen), older) == ()
    assert kinds(judge(scan_with(TWELVE, THIRTEEN), profile("RABBITMQ"))) == [
        ("extra version", "TLSv1.3")
    ]


def test_tls_1_3_on_activemq_is_a_parameter_and_off_by_default() -> None:
    suites = ACTIVEMQ.suites
    scan = scan_with(VersionScan("TLSv1.2", suites, REFUSED, confirmed=suites), THIRTEEN)
    assert kinds(judge(scan, profile("ACTIVEMQ"))) == [("extra version", "TLSv1.3")]
    on = profile("ACTIVEMQ", activemq_tls13=True)
    assert judge(scan, on) == ()
    assert kinds(judge(scan_with(scan.versions[0], VersionScan("TLSv1.3", (), REFUSED)), on)) == [
        ("missing version", "TLSv1.3")
    ]
    assert profile("ACTIVEMQ", edition="older") == profile("ACTIVEMQ") == ACTIVEMQ


def test_renegotiation_without_its_extension_is_a_difference() -> None:
    def with_features(secure: bool) -> ListenerScan:
        return replace(
            scan_with(replace(TWELVE, secure_renegotiation=secure)),
            session_features=SessionFeatures(renegotiation="accepted"),
        )

    assert kinds(judge(with_features(False), RABBITMQ)) == [
        ("insecure renegotiation", "accepted without RFC 5746")
    ]
    assert judge(with_features(True), RABBITMQ) == ()
