"""The last run as its report has it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from testbed import report
from testbed.console import last_run
from testbed.results import Run
from tests.support import run_content


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "report").mkdir()
    return tmp_path / ".testbed"


def test_the_report_of_a_run_is_read(state: Path) -> None:
    started = datetime(2026, 1, 1, tzinfo=UTC)
    report.write(
        Run(started=started, seconds=1.0, environment={}, scenarios=()), state.parent / "report"
    )
    run = last_run.read(state)
    assert run
    assert run.started == started.isoformat()
    assert len(run.claims) == sum(count for _, count in run.summary) > 0
    page = last_run.page(state, "report")
    assert page
    assert page.startswith(b"<!doctype html>") or b"<!doctype html>" in page


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", json.dumps({"schema": 99})])
def test_what_is_no_report_is_not_shown(state: Path, text: str) -> None:
    (state.parent / "report" / "report.json").write_text(text)
    assert last_run.read(state) is None


def test_without_a_report_there_is_no_run(tmp_path: Path) -> None:
    assert last_run.read(tmp_path / ".testbed") is None
    assert last_run.page(tmp_path / ".testbed", "report") is None
    assert last_run.benchmarked(tmp_path / ".testbed") is None


def test_the_time_lines_of_a_run_are_read(state: Path) -> None:
    run = run_content.full_run()
    report.write(run, state.parent / "report")
    read = last_run.read(state)
    assert read
    assert read.timelines == (run_content.TIMELINE,)
    assert [claim.id for claim in read.claims][:5] == ["P9", "R9", "G2", "T6", "P1"]


def test_a_report_of_before_has_no_time_line(state: Path) -> None:
    report.write(run_content.full_run(), state.parent / "report")
    path = state.parent / "report" / "report.json"
    document = json.loads(path.read_text())
    for scenario in document["scenarios"]:
        del scenario["timelines"]
    path.write_text(json.dumps(document))
    read = last_run.read(state)
    assert read
    assert read.timelines == ()


def test_the_benchmarks_page_is_read(state: Path) -> None:
    written = state.parent / "report" / "benchmark.html"
    written.write_text("a page")
    assert last_run.page(state, "benchmark") == b"a page"
    assert last_run.benchmarked(state) == written.stat().st_mtime
