"""A run of these tests that is killed leaves no testbed that its commands have started."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testbed.state.store import State

# Uses a folder as a test does, and waits.
_RUN = """
import sys, time
from pathlib import Path
from tests.support import command_line
command_line.CommandLine(Path(sys.argv[1]))
print("up", flush=True)
time.sleep(600 * (sys.argv[2] == "killed"))
"""


@pytest.mark.parametrize("end", ["killed", "by itself"])
def test_what_commands_have_started_is_taken_down(tmp_path: Path, end: str) -> None:
    folder = tmp_path / "state"
    State(folder)
    paths = [str(Path.cwd()), *sys.path]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "DOCKER_HOST": f"unix://{tmp_path}/no-engine",  # nothing to remove there
    }
    with subprocess.Popen(
        [sys.executable, "-c", _RUN, tmp_path, end], stdout=subprocess.PIPE, env=environment
    ) as run:
        assert run.stdout
        assert run.stdout.readline() == b"up\n"
        if end == "killed":
            run.kill()
    deadline = time.monotonic() + 60
    while folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
