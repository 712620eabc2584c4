"""Rendering any run without computing, failing or trusting its text."""

import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from testbed import report
from testbed.documented.claims import CLAIMS
from testbed.documented.tls import Suite
from testbed.graph import Chain, Dependencies, Item
from testbed.report import FILES, as_json, html, junit, terminal, write
from testbed.results import Cell, Finding, Matrix, MatrixRow, Run, ScenarioResult, Verdict
from testbed.timeline import Change, Lane, Moment, Rate, Timeline
from testbed.verdicts import decide_run

HOLDS, FAILS, NOT_REPRODUCIBLE = Verdict.HOLDS, Verdict.FAILS, Verdict.NOT_REPRODUCIBLE
CONTROL = Finding(
    "T3", "a listener with a third suite", FAILS, ("extra suite: TLS_RSA_WITH_AES_128_CBC_SHA",)
)
GOOD = Finding("T3", "RABBITMQ amqps:5671", HOLDS, ("two suites accepted",), CONTROL)
HOSTILE = "<script>alert(1)</script> & ]]> [bold]{{ 7*7 }}[/bold] \x1b[31m \x00 \ud800"


def finding(verdict: Verdict, control: Finding | None = CONTROL, claim: str = "T3") -> Finding:
    return Finding(claim, "a subject", verdict, ("seen",), control)


def run_of(*scenarios: ScenarioResult, **environment: str) -> Run:
    return Run(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 12.34, environment, scenarios)


def scenario(*findings: Finding, error: str = "", notes: tuple[str, ...] = ()) -> ScenarioResult:
    return ScenarioResult("tls", "What the listeners accept", findings, 1.5, error, notes)


# Rendering


def shown(run: Run, width: int = 80, **how: bool) -> str:
    out = io.StringIO()
    terminal.show(run, Console(file=out, width=width, force_terminal=False), **how)
    return out.getvalue()


FULL = run_of(
    scenario(GOOD, finding(NOT_REPRODUCIBLE, None, "R8"), notes=("a handshake takes 11 ms",)),
    ScenarioResult(
        "keys", "Keys that go away", (finding(FAILS, None, "R9"),), 3.0, "LocalStack stopped"
    ),
    docker="20.10",
    python="3.11",
)


def test_a_file_of_each_format_is_written(tmp_path: Path) -> None:
    write(FULL, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES.keys()
    for name in FILES:
        text = (tmp_path / name).read_text()
        assert all(claim.id in text for claim in CLAIMS)
        assert "LocalStack stopped" in text


def test_every_format_is_written_and_on_the_page() -> None:
    package = Path(report.__file__).parent
    rendering = {
        path.stem for path in package.glob("*.py") if "\ndef render(run: Run)" in path.read_text()
    }
    assert rendering == set(FILES.values())
    page = (package.parents[1] / "README.md").read_text()
    assert {name for name in FILES if f"`report/{name}`" not in page} == set()


@pytest.mark.parametrize("width", [80, 120])
def test_a_verdict_that_comes_early_is_one_line(width: int) -> None:
    for verdict in decide_run(FULL):
        out = io.StringIO()
        terminal.show_verdict(verdict, Console(file=out, width=width, force_terminal=False))
        [line] = out.getvalue().splitlines()
        assert len(line) <= width
        assert line.split()[0] == verdict.claim.id
        assert f"{verdict.status} " in line


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_shows_everything_within_its_width(width: int) -> None:
    text = shown(FULL, width)
    assert max(map(len, text.splitlines())) <= width
    flat = re.sub(r"[\s│]+", " ", text)
    for expected in (
        "RABBITMQ amqps:5671",
        "two suites accepted",
        "Control fails, as it must: a listener with a third suite",
        "LocalStack stopped",
    ):
        assert expected in flat
    for expected in (
        "a handshake takes 11 ms",
        "docker 20.10",
        "1 HOLDS",
        "1 FAILS",
        f"{len(CLAIMS) - 3} NOT YET CHECKED",
        "What the listeners accept",
    ):
        assert expected in flat
    for claim in CLAIMS:
        assert re.search(rf"│ {claim.id} +│", text)


def test_the_terminal_can_be_brief() -> None:
    brief = shown(FULL, evidence=False)
    assert "two suites accepted" in brief
    assert "(the control fails, as it must)" in re.sub(r"[\s│]+", " ", brief)
    assert "a listener with a third suite" not in brief, "the control's own evidence"


def test_json_carries_everything_and_its_schema() -> None:
    read = json.loads(as_json.render(FULL))
    assert read["schema"] == 1
    assert read["started"] == "2026-01-02T03:04:05+00:00"
    claim = next(claim for claim in read["claims"] if claim["id"] == "T3")
    assert claim["verdict"] == "HOLDS"
    assert claim["findings"][0]["control"]["verdict"] == "FAILS"
    assert [scenario["error"] for scenario in read["scenarios"]] == ["", "LocalStack stopped"]
    assert read["scenarios"][0]["notes"][0] == "a handshake takes 11 ms"
    assert read["summary"]["FAILS"] == 1


class Page(HTMLParser):
    """Collects what a browser would see: tags with their attributes, and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_alone_and_shows_evidence_and_controls() -> None:
    page = html.render(FULL)
    parsed = Page(page)
    assert page.startswith("<!doctype html>")
    assert not any(
        "src" in attributes or tag in ("script", "link", "img") for tag, attributes in parsed.tags
    )
    assert all((attributes.get("href") or "#").startswith("#") for _, attributes in parsed.tags)
    assert "url(" not in page
    assert "@import" not in page
    assert "prefers-color-scheme: dark" in page
    for expected in (
        "two suites accepted",
        "fails, as it must",
        "extra suite: TLS_RSA_WITH_AES_128_CBC_SHA",
        "LocalStack stopped",
        "20.10",
    ):
        assert expected in parsed.text
    assert sum(tag == "details" for tag, _ in parsed.tags) == 3, "those with evidence"


def test_what_was_checked_comes_first_and_by_theme() -> None:
    headings = [
        "Encryption at rest",
        "R8",
        "R9",
        "Encryption in transit",
        "T3",
        "Not checked in this run",
        "P1",
    ]
    for text in (html.render(FULL).partition("</nav>")[2], shown(FULL)):
        places = [re.search(rf"\b{heading}\b", text) for heading in headings]
        starts = [place.start() for place in places if place]
        assert len(starts) == len(headings)
        assert starts == sorted(starts)


def test_a_control_that_does_not_fail_is_shown_as_a_fault() -> None:
    holds = replace(CONTROL, verdict=HOLDS)
    run = run_of(scenario(finding(HOLDS, holds)))
    words = "HOLDS, but has to fail"
    assert f'<span class="badge bad">{words}</span>' in html.render(run)
    assert f"control {words}: a listener" in junit.render(run)
    assert f"Control {words}: a listener" in re.sub(r"[\s│]+", " ", shown(run))
    assert words not in html.render(FULL)


def test_junit_counts_and_names() -> None:
    root = ET.fromstring(junit.render(FULL))
    claims, scenarios = root.findall("testsuite")
    counts = [claims.get(name) for name in ("tests", "failures", "skipped")]
    assert counts == [str(len(CLAIMS)), "1", str(len(CLAIMS) - 2)]
    assert (scenarios.get("tests"), scenarios.get("errors")) == ("2", "1")
    case = next(
        case for case in claims.findall("testcase") if str(case.get("name")).startswith("T3 ")
    )
    assert case.find("failure") is None
    assert "control fails, as it must: a listener" in str(case.findtext("system-out"))


HOSTILE_RUN = Run(
    datetime(2026, 1, 1, tzinfo=UTC),
    0.0,
    {HOSTILE: HOSTILE},
    (
        ScenarioResult(
            HOSTILE,
            HOSTILE,
            (
                Finding(
                    HOSTILE, HOSTILE, FAILS, (HOSTILE,), Finding("T1", HOSTILE, HOLDS, (HOSTILE,))
                ),
            ),
            0.0,
            HOSTILE,
            (HOSTILE,),
            (
                Matrix(
                    HOSTILE,
                    (HOSTILE,),
                    (
                        MatrixRow(
                            HOSTILE, Suite(HOSTILE, HOSTILE, 1), (Cell(True, False, HOSTILE),)
                        ),
                    ),
                ),
            ),
            (
                Timeline(
                    HOSTILE,
                    9.0,
                    (),
                    (Lane(HOSTILE, (Change(0.0, HOSTILE, "bad"),)),),
                    (Moment(0.0, HOSTILE),),
                ),
            ),
            (Dependencies(HOSTILE, (Chain(Item(HOSTILE, HOSTILE, HOSTILE)),)),),
        ),
    ),
)


def test_hostile_text_is_only_ever_text() -> None:
    page = html.render(HOSTILE_RUN)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert "\x1b" not in page
    ET.fromstring(junit.render(HOSTILE_RUN).encode())
    assert "<script" not in junit.render(HOSTILE_RUN)
    assert "\x1b" not in shown(HOSTILE_RUN)
    assert "[bold]" in shown(HOSTILE_RUN)
    assert json.loads(as_json.render(HOSTILE_RUN))["scenarios"][0]["name"] == HOSTILE
    for text in (page, junit.render(HOSTILE_RUN), as_json.render(HOSTILE_RUN), shown(HOSTILE_RUN)):
        text.encode("utf-8")


def test_an_empty_run_renders() -> None:
    assert "None were run" in html.render(run_of())
    assert f"{len(CLAIMS)} NOT YET CHECKED" in shown(run_of())
    assert json.loads(as_json.render(run_of()))["scenarios"] == []
    assert ET.fromstring(junit.render(run_of())).findall("testsuite/testcase/skipped")


texts = (
    st.text(max_size=20)
    | st.just(HOSTILE)
    | st.text(st.characters(exclude_categories=()), max_size=5)
)
ids = st.sampled_from([claim.id for claim in CLAIMS]) | texts
findings = st.recursive(
    st.builds(
        Finding, ids, texts, st.sampled_from(Verdict), st.lists(texts, max_size=3).map(tuple)
    ),
    lambda inner: st.builds(
        Finding, ids, texts, st.sampled_from(Verdict), st.lists(texts, max_size=3).map(tuple), inner
    ),
    max_leaves=3,
)
seconds = st.floats(0, 1e6)
cells = st.builds(Cell, st.none() | st.booleans(), st.none() | st.booleans(), texts)
suites = st.none() | st.builds(Suite, texts, texts, st.integers(0, 65535))


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    listeners = draw(st.lists(texts, max_size=3))
    row = st.builds(
        MatrixRow, texts, suites, st.tuples(*[cells] * len(listeners)), st.integers(0, 400)
    )
    return Matrix(draw(texts), tuple(listeners), tuple(draw(st.lists(row, max_size=2))))


times = st.floats(0, 1e5)
timelines = st.builds(
    Timeline,
    texts,
    times,
    st.lists(st.builds(Rate, times, times, times), max_size=3).map(tuple),
    st.lists(
        st.builds(
            Lane,
            texts,
            st.lists(
                st.builds(Change, times, texts, st.sampled_from(["good", "bad", "passing"])),
                max_size=3,
            ).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    st.lists(st.builds(Moment, times, texts, st.booleans()), max_size=3).map(tuple),
)
items = st.builds(Item, texts, texts, texts, st.booleans())
dependencies = st.builds(
    Dependencies,
    texts,
    st.lists(st.builds(Chain, items, items, items, st.tuples(items), items), max_size=2).map(tuple),
)
scenarios = st.builds(
    ScenarioResult,
    texts,
    texts,
    st.lists(findings, max_size=3).map(tuple),
    seconds,
    texts,
    st.lists(texts, max_size=3).map(tuple),
    st.lists(matrices(), max_size=2).map(tuple),
    st.lists(timelines, max_size=1).map(tuple),
    st.lists(dependencies, max_size=1).map(tuple),
)
runs = st.builds(
    Run,
    st.datetimes(timezones=st.just(UTC)),
    seconds,
    st.dictionaries(texts, texts, max_size=3),
    st.lists(scenarios, max_size=3).map(tuple),
)


@settings(max_examples=40)
@given(runs)
def test_rendering_never_raises(run: Run) -> None:
    for width in (40, 80, 120):
        shown(run, width).encode()
    html.render(run).encode()
    ET.fromstring(junit.render(run).encode())
    assert json.loads(as_json.render(run).encode())["schema"] == 1
