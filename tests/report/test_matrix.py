"""The matrix as a reader sees it: on a narrow and a wide terminal, on the page, as JSON."""

import io
import json
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from rich.console import Console

from testbed.documented.tls import ACTIVEMQ_SUITES, RABBITMQ_SUITES
from testbed.report import as_json, html, matrix, terminal
from testbed.results import Cell, Matrix, MatrixRow, Run, ScenarioResult

YES, NO = Cell(True, True, "x25519"), Cell(False, False, "alert: fatal handshake_failure")
SOUND = Matrix(
    "RABBITMQ orders",
    ("amqps", "management"),
    (
        *(MatrixRow("TLSv1.2", suite, (YES, YES)) for suite in RABBITMQ_SUITES),
        MatrixRow("TLSv1.2", None, (NO, NO), 354),
        MatrixRow("TLSv1.3", None, (Cell(None, False), Cell(None, True)), 15),
    ),
)
LACKING = MatrixRow(
    "TLSv1.2", RABBITMQ_SUITES[0], (YES, Cell(True, False, "alert: fatal insufficient_security"))
)
TOO_MUCH = MatrixRow("TLSv1.2", ACTIVEMQ_SUITES[1], (Cell(False, True), Cell(False, True)))
SILENT = MatrixRow("TLSv1.1", None, (NO, Cell(False, None, "timeout")), 356)
WRONG = Matrix("RABBITMQ orders", ("amqps", "management"), (LACKING, TOO_MUCH, SILENT))


def run_of(*matrices: Matrix) -> Run:
    return Run(
        datetime(2026, 1, 2, tzinfo=UTC),
        1.0,
        {},
        (ScenarioResult("tls", "What the listeners accept", (), 1.0, matrices=matrices),),
    )


def shown(shown: Matrix, width: int, *, colour: bool = False) -> str:
    out = io.StringIO()
    Console(
        file=out, width=width, force_terminal=colour, color_system="standard" if colour else None
    ).print(matrix.MatrixTable(shown))
    return out.getvalue()


def test_every_state_has_a_distinct_mark() -> None:
    states = {
        Cell(documented, accepted).state: matrix.mark(Cell(documented, accepted))
        for documented in (True, False)
        for accepted in (True, False, None)
    }
    assert states == {
        "accepted": "✓",
        "missing": "LACKS",
        "unknown": "?",
        "extra": "EXTRA",
        "refused": "·",
    }
    assert [matrix.mark(Cell(None, accepted)) for accepted in (True, False)] == ["(✓)", "(·)"]
    assert all(mark in matrix.LEGEND for mark in states.values())


def test_the_summary_says_what_differs_and_where() -> None:
    assert matrix.summary(SOUND) == "RABBITMQ orders: 2 listeners, exactly as documented."
    assert matrix.summary(WRONG) == (
        "RABBITMQ orders is not as documented. "
        f"TLSv1.2 {RABBITMQ_SUITES[0].iana}: missing on management; "
        f"TLSv1.2 {ACTIVEMQ_SUITES[1].iana}: extra on all 2 listeners; "
        "TLSv1.1 all 356 suites: unknown on management."
    )


@pytest.mark.parametrize("width", [80, 130])
def test_it_fits_the_terminal(width: int) -> None:
    text = shown(SOUND, width)
    assert max(map(len, text.splitlines())) <= width
    for expected in (
        "RABBITMQ orders",
        "the other 354 suites",
        "all 15 suites",
        RABBITMQ_SUITES[0].iana,
        "exactly as documented",
    ):
        assert expected in text
    assert (RABBITMQ_SUITES[0].openssl in text) == (width > 80)


def test_six_listeners_with_long_suites_still_fit_80_columns_on_a_line_each() -> None:
    cells = (Cell(False, True),) * 6
    six = Matrix(
        "ACTIVEMQ",
        ("openwire", "amqp", "stomp", "mqtt", "wss", "console"),
        tuple(MatrixRow("TLSv1.2", suite, cells) for suite in ACTIVEMQ_SUITES),
    )
    rows = [line for line in shown(six, 80).splitlines() if "EXTRA" in line and "TLS_" in line]
    assert len(rows) == len(ACTIVEMQ_SUITES)
    assert all(line.count("EXTRA") == 6 for line in rows)


def test_only_differences_are_loud() -> None:
    red = "\x1b[1;37;41m"
    assert red not in shown(SOUND, 80, colour=True)
    text = shown(WRONG, 80, colour=True)
    assert [part.partition("\x1b")[0].strip() for part in text.split(red)[1:]] == [
        "LACKS",
        "EXTRA",
        "EXTRA",
    ]


class Cells(HTMLParser):
    """The text of every table cell by its class."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._in = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in = (dict(attrs).get("class") or "-") if tag == "td" else ""

    def handle_data(self, data: str) -> None:
        if self._in:
            self.found.append((self._in, data))
            self._in = ""


def test_the_page_has_a_word_and_a_colour_for_every_difference() -> None:
    page = html.render(run_of(WRONG))
    cells = Cells(page).found
    assert [cell for cell in cells if cell[0].split()[-1] in ("missing", "extra", "unknown")] == [
        ("cell missing", "LACKS"),
        ("cell extra", "EXTRA"),
        ("cell extra", "EXTRA"),
        ("cell unknown", "?"),
    ]
    assert "is not as documented" in page
    assert 'title="alert: fatal insufficient_security"' in page
    assert all(f".matrix .{state}" in page for state in ("missing", "extra", "unknown"))
    assert ("openssl soft", RABBITMQ_SUITES[0].openssl) in cells


def test_a_page_without_a_matrix_has_no_heading_for_one() -> None:
    assert "documented against accepted" in html.render(run_of(SOUND))
    assert "documented against accepted" not in html.render(run_of())


def test_the_terminal_report_and_json_carry_it() -> None:
    out = io.StringIO()
    terminal.show(run_of(WRONG), Console(file=out, width=80))
    assert "LACKS" in out.getvalue()
    (read,) = json.loads(as_json.render(run_of(WRONG)))["scenarios"][0]["matrices"]
    assert read["listeners"] == ["amqps", "management"]
    first = read["rows"][0]
    assert first["suite"] == {
        "iana": RABBITMQ_SUITES[0].iana,
        "openssl": RABBITMQ_SUITES[0].openssl,
        "code": 0xC030,
    }
    assert [cell["state"] for cell in first["cells"]] == ["accepted", "missing"]
    assert read["rows"][2]["suite"] is None
    assert read["rows"][2]["others"] == 356
