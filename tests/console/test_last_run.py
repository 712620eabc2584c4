"""The last run as its report has it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from testbed import report
from testbed.console import last_run
from testbed.results import Run


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
    page = last_run.page(state)
    assert page
    assert page.startswith(b"<!doctype html>") or b"<!doctype html>" in page


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", json.dumps({"schema": 99})])
def test_what_is_no_report_is_not_shown(state: Path, text: str) -> None:
    (state.parent / "report" / "report.json").write_text(text)
    assert last_run.read(state) is None


def test_without_a_report_there_is_no_run(tmp_path: Path) -> None:
    assert last_run.read(tmp_path / ".testbed") is None
    assert last_run.page(tmp_path / ".testbed") is None
