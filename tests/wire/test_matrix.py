"""The matrix of scans, apart from any listener: every cell, and its agreement with the verdict."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.documented.tls import (
    ACTIVEMQ_SUITES,
    PROFILES,
    RABBITMQ_SUITES,
    TLS13_SUITES,
    TlsProfile,
    profile,
)
from testbed.results import Cell
from testbed.wire.key_exchange import GROUPS, KeyExchange
from testbed.wire.matrix import matrix
from testbed.wire.scan import ListenerScan, Refusal, Verification, VersionScan
from testbed.wire.tls_messages import offered
from testbed.wire.verdict import judge

RABBITMQ = PROFILES["RABBITMQ"]
REFUSED = Refusal("alert", "fatal handshake_failure")
GOOD = Verification(True)
TWELVE = VersionScan("TLSv1.2", RABBITMQ_SUITES, REFUSED, confirmed=RABBITMQ_SUITES)
EXTRA = ACTIVEMQ_SUITES[1]


def scan_with(*versions: VersionScan) -> ListenerScan:
    return ListenerScan("h", 1, "n", versions, (), None, GOOD, GOOD, GOOD, 0, 0.0)


def states(scan: ListenerScan, documented: TlsProfile = RABBITMQ) -> list[tuple[str, str, str]]:
    return [
        (row.version, row.suite.iana if row.suite else f"{row.others} others", row.cells[0].state)
        for row in matrix("RABBITMQ", {"amqps": scan}, documented).rows
    ]


def test_exactly_as_documented() -> None:
    scan = scan_with(VersionScan("TLSv1.1", (), REFUSED), TWELVE)
    assert states(scan) == [
        ("TLSv1.2", RABBITMQ_SUITES[0].iana, "accepted"),
        ("TLSv1.2", RABBITMQ_SUITES[1].iana, "accepted"),
        ("TLSv1.2", f"{len(offered('TLSv1.2')) - 2} others", "refused"),
        ("TLSv1.1", f"{len(offered('TLSv1.1'))} others", "refused"),
    ]
    assert matrix("RABBITMQ", {"amqps": scan}, RABBITMQ).differences == ()


@pytest.mark.parametrize(
    ("twelve", "expected"),
    [
        (
            replace(TWELVE, accepted=RABBITMQ_SUITES[:1], confirmed=RABBITMQ_SUITES[:1]),
            [("missing", RABBITMQ_SUITES[1].iana)],
        ),
        (replace(TWELVE, accepted=(*RABBITMQ_SUITES, EXTRA)), [("extra", EXTRA.iana)]),
        (
            replace(
                TWELVE,
                confirmed=RABBITMQ_SUITES[1:],
                unconfirmed=((RABBITMQ_SUITES[0], "no shared group"),),
            ),
            [("missing", RABBITMQ_SUITES[0].iana)],
        ),
        (replace(TWELVE, refusal=Refusal("timeout")), [("unknown", "others")]),
        (
            VersionScan("TLSv1.2", (), Refusal("timeout")),
            [
                ("unknown", RABBITMQ_SUITES[0].iana),
                ("unknown", RABBITMQ_SUITES[1].iana),
                ("unknown", "others"),
            ],
        ),
    ],
)
def test_what_differs(twelve: VersionScan, expected: list[tuple[str, str]]) -> None:
    differences = matrix("RABBITMQ", {"amqps": scan_with(twelve)}, RABBITMQ).differences
    assert [
        (cell.state, row.suite.iana if row.suite else "others") for _, row, cell in differences
    ] == expected


def test_a_cell_says_why() -> None:
    unconfirmed = replace(
        TWELVE,
        confirmed=(),
        unconfirmed=tuple((suite, "no shared group") for suite in RABBITMQ_SUITES),
    )
    assert matrix("R", {"a": scan_with(unconfirmed)}, RABBITMQ).rows[0].cells[0] == Cell(
        True, False, "no shared group"
    )
    exchanged = replace(TWELVE, exchanges=(KeyExchange(GROUPS[0x17], None), None))
    assert [
        row.cells[0].detail for row in matrix("R", {"a": scan_with(exchanged)}, RABBITMQ).rows
    ] == ["secp256r1", "", str(REFUSED)]


def test_several_listeners_side_by_side_and_one_that_was_not_asked() -> None:
    scans = {
        "a": scan_with(TWELVE),
        "b": scan_with(replace(TWELVE, accepted=(*RABBITMQ_SUITES, EXTRA))),
        "c": scan_with(),
    }
    result = matrix("R", scans, RABBITMQ)
    assert result.listeners == ("a", "b", "c")
    extra = next(row for row in result.rows if row.suite == EXTRA)
    assert [cell.state for cell in extra.cells] == ["refused", "extra", "unknown"]


def test_a_version_that_the_page_does_not_state_is_shown_and_is_no_difference() -> None:
    thirteen = VersionScan("TLSv1.3", TLS13_SUITES, REFUSED, confirmed=TLS13_SUITES[:1])
    older = profile("RABBITMQ", edition="older")
    assert {
        state
        for version, _, state in states(scan_with(TWELVE, thirteen), older)
        if version == "TLSv1.3"
    } == {"unstated"}
    assert matrix("R", {"a": scan_with(TWELVE, thirteen)}, older).differences == ()
    assert {
        state for version, _, state in states(scan_with(TWELVE, thirteen)) if version == "TLSv1.3"
    } == {"extra", "refused"}


chosen = st.lists(st.sampled_from(ACTIVEMQ_SUITES + RABBITMQ_SUITES), max_size=6, unique=True).map(
    tuple
)
refusals = st.sampled_from([REFUSED, Refusal("timeout"), Refusal("closed"), Refusal("unreachable")])


@st.composite
def version_scans(draw: st.DrawFn, version: str) -> VersionScan:
    accepted = draw(chosen)
    confirmed = tuple(suite for suite in accepted if draw(st.booleans()))
    return VersionScan(version, accepted, draw(refusals), confirmed=confirmed)


@given(
    version_scans("TLSv1.2"),
    version_scans("TLSv1.1"),
    st.sampled_from(["newer", "older"]),
    st.sampled_from(["ACTIVEMQ", "RABBITMQ"]),
)
def test_it_differs_exactly_where_the_verdict_does(
    twelve: VersionScan, eleven: VersionScan, edition: str, engine: str
) -> None:
    scan, documented = scan_with(eleven, twelve), profile(engine, edition=edition)  # type: ignore[arg-type]
    assert bool(matrix(engine, {"it": scan}, documented).differences) == bool(
        judge(scan, documented)
    )
