"""Where output goes and where files are: full disks, closed streams, impossible paths."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.command_line import COMMAND

LONG = "a" * 300  # more than a file system takes for a name


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell in which ``$testbed`` is the command; its output is buffered."""
    variables = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("TESTBED_") and name != "PYTHONUNBUFFERED"
    }
    return subprocess.run(
        ["/bin/bash", "-c", line],
        check=False,
        capture_output=True,
        timeout=60,
        cwd=folder,
        env={**variables, "testbed": str(COMMAND)},
    )


@pytest.mark.parametrize("arguments", ["--version", "--help", "images key", "fault list --json"])
def test_a_full_disk_behind_the_output_is_said(tmp_path: Path, arguments: str) -> None:
    done = shell(f"$testbed {arguments} >/dev/full", tmp_path)
    assert done.returncode == 1
    assert b"The output cannot be written: No space left on device." in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"ignored" not in done.stderr


@pytest.mark.parametrize("arguments", ["--version", "images key"])
def test_a_reader_that_has_left_is_no_fault(tmp_path: Path, arguments: str) -> None:
    line = f"mkfifo pipe; exec 3<>pipe; exec 4>pipe 3<&-; $testbed {arguments} >&4"
    done = shell(line, tmp_path)
    assert (done.returncode, done.stderr) == (1, b"")


def test_control_a_reader_that_stays_gets_everything(tmp_path: Path) -> None:
    done = shell("$testbed images key | cat", tmp_path)
    assert done.returncode == 0
    assert len(done.stdout.strip()) == 16


def test_standard_output_is_one_document_without_a_standard_error(tmp_path: Path) -> None:
    done = shell("$testbed status --json 2>&-", tmp_path)
    assert done.returncode == 1
    assert "There is no testbed" in json.loads(done.stdout)["error"]


def test_without_standard_output_there_is_an_exit_status(tmp_path: Path) -> None:
    assert shell("$testbed images key >&-", tmp_path).returncode == 0
    assert shell("$testbed status --json >&-", tmp_path).returncode == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"$testbed status --json --state {LONG}", "File name too long"),
        (f"$testbed down --json --state {LONG}", "File name too long"),
        ("$testbed down --json --state $'caf\\xe9'", "its path is not in UTF-8"),
        ("rmdir $PWD && $testbed down --json", "The current folder cannot be used"),
    ],
)
def test_a_path_that_cannot_be_is_an_error_of_one_line(
    tmp_path: Path, line: str, message: str
) -> None:
    (tmp_path / "here").mkdir()
    done = shell(line, tmp_path / "here")
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert message in json.loads(done.stdout)["error"]


def test_a_result_for_a_path_that_cannot_be_is_refused_first(tmp_path: Path) -> None:
    done = shell(f"$testbed bench run --html {LONG}/page.html", tmp_path)
    assert done.returncode == 1
    assert done.stderr.decode().count("error: ") == 1
    assert b"Traceback" not in done.stderr
