"""What `make clean` removes: nothing that is not the project's."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_clean_leaves_a_folder_alone_that_the_environment_names() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "clean"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "REPORT": "/home/someone"},
    )
    [removal] = [line for line in done.stdout.splitlines() if line.startswith("rm -rf")]
    assert "report" in removal.split()
    assert "/home/someone" not in removal
