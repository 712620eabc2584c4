"""A short soak on real brokers; what it finds is in test_growth.py."""

from pathlib import Path

import pytest

from testbed import Testbed
from testbed.campaign import soak


@pytest.mark.containers
@pytest.mark.nightly("a minute of soak")
def test_rounds_calls_and_brokers_are_mixed(tmp_path: Path) -> None:
    with Testbed() as testbed:
        soaked = soak.run(testbed, tmp_path, seed=1, seconds=60, command="a test")
    assert soaked.campaign.ok, [each.error for each in soaked.campaign.played]
    assert soaked.calls >= 100
    assert soaked.created >= 1
    assert len(soaked.samples) == len(soaked.campaign.played)
    assert {sample.containers for sample in soaked.samples} == {3.0}
