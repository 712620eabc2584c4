"""Every example of the API page runs, unchanged."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "api.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.containers
@pytest.mark.parametrize(
    "example",
    [*EXAMPLES[:2], pytest.param(EXAMPLES[2], marks=pytest.mark.nightly("several brokers"))],
    ids=["import", "one broker", "several"],
)
def test_an_example_works(example: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", example],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
