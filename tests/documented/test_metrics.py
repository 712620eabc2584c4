"""The metrics of brokers: each is expected of a real broker, and none is called absent."""

import re
from pathlib import Path

from testbed.documented.metrics import PER_MINUTE, UNITS

ROOT = Path(__file__).resolve().parents[2]


def test_every_metric_is_expected_of_a_real_broker() -> None:
    expected = re.findall(r'"(\w+)"', (ROOT / "tests" / "aws" / "test_metrics.py").read_text())
    assert UNITS.keys() <= set(expected)
    assert UNITS.keys() >= PER_MINUTE


def test_the_page_calls_no_metric_absent_that_is_there() -> None:
    page = (ROOT / "docs" / "neighbours.md").read_text()
    [absent] = re.findall(r"^Not there are (.*?)\. ", page, re.MULTILINE | re.DOTALL)
    names = set(re.findall(r"`(\w+)`", absent))
    assert "BurstBalance" in names
    assert names & UNITS.keys() == set()
