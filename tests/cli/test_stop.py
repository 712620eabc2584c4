"""`testbed stop` and `start` without a testbed, completion, version and short help."""

import os
import subprocess
from pathlib import Path

from testbed.cli import stop
from tests.support.command_line import COMMAND, CommandLine


def test_there_is_nothing_to_stop_or_start(tmp_path: Path) -> None:
    command = CommandLine(tmp_path)
    for name in ("stop", "start"):
        error, hint = command.error(name)
        assert "There is no testbed" in error
        assert "testbed up" in hint
        assert not command.state.exists()


def test_completion_and_version_and_short_help() -> None:
    completion = {
        **os.environ,
        "_TESTBED_COMPLETE": "complete_bash",
        "COMP_WORDS": "testbed tr",
        "COMP_CWORD": "1",
    }
    done = subprocess.run([COMMAND], env=completion, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["trail"]
    version = subprocess.run([COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("testbed ")
    for command in ("-h", "up -h", "scenario run -h"):
        text = subprocess.run(
            [COMMAND, *command.split()], capture_output=True, text=True, check=True
        )
        assert text.stdout.startswith("Usage: testbed")


def test_one_container_is_one() -> None:
    assert [stop._stopped(count) for count in (0, 1, 2)] == [
        "Stopped 0 containers.",
        "Stopped 1 container.",
        "Stopped 2 containers.",
    ]
