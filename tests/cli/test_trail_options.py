"""The options of `testbed trail` that need no broker and no KMS: times, accounts and exports."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner, Result

from testbed.cli import trail
from testbed.cli.root import app
from testbed.kms.base import USER
from testbed.testbed import Testbed
from testbed.trail.record import Call
from tests.support.brokers_offline import offline


@pytest.fixture
def testbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Testbed]:
    """Provide a testbed in which DisableKey was called at 2026-01-02 03:04:05 UTC."""
    monkeypatch.delenv("COLUMNS", raising=False)  # the workers of pytest-xdist have it
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    with offline(tmp_path / "state") as testbed:
        cast("Any", testbed).user_in = lambda region: testbed.user
        call = Call(USER, "DisableKey", {}, 1767323045.0, "a-request")
        testbed.services.recorder.kms_call(call)

        @contextmanager
        def existing(_: Path) -> Iterator[Testbed]:
            yield testbed

        monkeypatch.setattr(trail, "existing", existing)
        yield testbed
    monkeypatch.undo()
    time.tzset()


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["trail", *map(str, words)])


def test_times_are_in_utc_as_those_that_are_shown(testbed: Testbed) -> None:
    shown = run().stdout.split("Z", maxsplit=1)[0]
    assert shown == "2026-01-02T03:04:05"
    assert shown in run("--start", shown, "--end", shown).stdout
    assert not run("--start", "2026-01-02T03:04:06").stdout
    assert not run("--end", "2026-01-02 03:04:04").stdout


def test_no_time_is_too_early(testbed: Testbed) -> None:
    assert "DisableKey" in run("--start", "0001-01-01").stdout
    assert run("--end", "0001-01-01").exit_code == 0


def test_an_account_has_twelve_digits(testbed: Testbed) -> None:
    refused = run("--account", "12", "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["error"] == "'12' is not an account."


def test_an_export_names_its_files(testbed: Testbed, tmp_path: Path) -> None:
    [file] = json.loads(run("--export", tmp_path / "out", "--json").stdout)["files"]
    assert run("--export", tmp_path / "out").stdout == f"{file}\n"
    assert Path(file).exists()
    nothing = run("--export", tmp_path / "out", "--json", "--account", "1" * 12)
    assert json.loads(nothing.stdout) == {"files": []}
