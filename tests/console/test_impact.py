"""What a key's brokers lose with it."""

from dataclasses import replace
from pathlib import Path

from testbed.console import impact
from tests.support import brokers_offline
from tests.support.brokers_offline import request


def test_a_broker_on_ebs_serves_on_and_one_on_efs_stops(tmp_path: Path) -> None:
    with brokers_offline.offline(tmp_path) as testbed:
        ebs = brokers_offline.add(testbed, request(name="on-ebs"))
        efs = brokers_offline.add(testbed, replace(request("ACTIVEMQ"), storage_type="EFS"))
    first, second = impact.of((ebs, efs))
    assert first.startswith("on-ebs: CRITICAL_ACTION_REQUIRED")
    assert "serves until it loses a node" in first
    assert "it stops" in second


def test_a_key_without_brokers_may_still_close_what_clients_encrypted() -> None:
    [sentence] = impact.of(())
    assert "no broker uses it" in sentence
