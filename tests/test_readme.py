"""Every command of the README runs, unchanged.

`make test` is this run itself, and `make demo` is left to test_scenarios.py.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.page_commands import environment

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
# The first that starts brokers, and those that start none.
CHEAP = [BLOCKS[1], *(block for block in BLOCKS if "--help" in block)]
BY_OTHERS = {
    "make demo": "test_scenarios.py runs all scenarios, test_interrupted.py the command",
    "make test": "this run",
}


def script(block: str) -> str:
    """Return the block as a script that stops at the first failure, with this environment."""
    return "set -eu\n" + block.replace(".venv/bin/", f"{Path(sys.executable).parent}/")


def test_the_readme_leads_with_the_two_commands() -> None:
    assert BLOCKS[0].split("\n")[:2] == list(BY_OTHERS)


@pytest.mark.containers
@pytest.mark.parametrize(
    "block",
    [
        pytest.param(
            block,
            id=block.splitlines()[0],
            marks=()
            if block in CHEAP
            else pytest.mark.nightly("the blocks that start brokers, except the first"),
        )
        for block in BLOCKS[1:]
    ],
)
def test_the_commands_of_the_readme_work(block: str, tmp_path: Path) -> None:
    try:
        done = subprocess.run(
            ["bash", "-c", script(block)],
            cwd=ROOT,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        subprocess.run(
            [Path(sys.executable).parent / "testbed", "down"],
            env=environment(tmp_path),
            capture_output=True,
            check=True,
        )


def test_control_a_command_that_fails_is_found(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", script(".venv/bin/testbed status\n")],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1


@pytest.mark.containers
@pytest.mark.nightly("the example of a test; every push has test_pytest_plugin.py")
def test_the_example_of_a_test_passes(tmp_path: Path) -> None:
    [example] = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (tmp_path / "test_example.py").write_text(example)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(tmp_path)],
        env=environment(tmp_path) | {"TESTBED_STATE": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
