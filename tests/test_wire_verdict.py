"""The verdict on a scan, apart from any listener."""

import pytest

from testbed.documented.tls import PROFILES, TlsProfile
from testbed.results import read_suite_note
from testbed.wire.scan import ListenerScan, Refusal, Verification, VersionScan
from testbed.wire.verdict import Difference, judge, judge_certificate, suite_notes

RABBITMQ, ACTIVEMQ = PROFILES["RABBITMQ"], PROFILES["ACTIVEMQ"]


def kinds(differences: tuple[Difference, ...]) -> list[tuple[str, str]]:
    return [(each.kind, each.subject) for each in differences]


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
        (scan_with(VersionScan("TLSv1.2", SUITES, REFUSED, confirmed=SUITES[:1])), [("missing suite", SUITES[1].iana)]),
        (scan_with(VersionScan("TLSv1.2", SUITES, Refusal("timeout"), confirmed=SUITES)), [("no answer", "TLSv1.2")]),
        (scan_with(VersionScan("TLSv1.2", SUITES, REFUSED, confirmed=SUITES, compression=True)), [("compression", "TLSv1.2")]),
    ],
)
def test_the_verdict(scan: ListenerScan, expected: list[tuple[str, str]]) -> None:
    assert kinds(judge(scan, RABBITMQ)) == expected


def test_a_client_that_accepts_anything_fails_the_certificate_check() -> None:
    assert {kind for kind, _ in kinds(judge_certificate(scan_with()))} == {"wrong name accepted", "wrong authority accepted"}


def test_old_versions_want_only_the_suites_they_can_use() -> None:
    suites = tuple(suite for suite in ACTIVEMQ.suites if suite.iana.endswith("_SHA"))
    scan = scan_with(VersionScan("TLSv1.1", suites, REFUSED, confirmed=suites))
    assert judge(scan, TlsProfile(("TLSv1.1",), ACTIVEMQ.suites)) == ()


def test_notes_can_be_read_back() -> None:
    scan = scan_with(VersionScan("TLSv1.2", SUITES, REFUSED), VersionScan("TLSv1.3", (), REFUSED))
    notes = suite_notes(scan, "RABBITMQ: on amqps:5671")
    assert [read_suite_note(note) for note in notes] == [("RABBITMQ: on amqps:5671", "TLSv1.2", tuple(suite.iana for suite in SUITES))]
    assert read_suite_note("anything: else") is None
