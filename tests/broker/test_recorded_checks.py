"""A periodic check is in the trail when it finds something else than the one before."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.broker.service import Brokers
from testbed.kms.base import MQ, USER_ACCOUNT
from testbed.testbed import Testbed
from testbed.trail.lookup import events
from testbed.trail.recording import RecordingKms
from tests.support.brokers_offline import Keys, add, offline, request


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    with offline(tmp_path / "state", key_state="Enabled") as testbed:
        yield testbed


@pytest.fixture
def brokers(testbed: Testbed) -> Brokers:
    """Return Amazon MQ over a KMS whose calls are recorded."""
    kms = RecordingKms(testbed.kms, testbed.services.recorder)
    return Brokers(replace(testbed.services, kms=kms))


def recorded(testbed: Testbed) -> list[str]:
    """Return what the services' records are, the oldest first."""
    return [
        f"{record['eventName']} {record['userIdentity']['invokedBy']}"
        for record in events(testbed.trail, USER_ACCOUNT)
        if "invokedBy" in record["userIdentity"]
    ][::-1]


def test_checks_that_find_the_same_leave_no_record(testbed: Testbed, brokers: Brokers) -> None:
    keys = testbed.kms
    assert isinstance(keys, Keys)
    broker = add(testbed, request())
    by_mq = f"DescribeKey {MQ.principal}"
    for state, records in (("Enabled", 0), ("Disabled", 1), ("Enabled", 2)):
        keys.state = state
        for _ in range(20):
            brokers.upkeep.check(broker.broker_id)
        assert recorded(testbed) == [by_mq] * records, state
    assert keys.calls == ["DescribeKey"] * 60, "control: each of them asked KMS"


def test_a_check_during_an_outage_leaves_none(testbed: Testbed, brokers: Brokers) -> None:
    keys = testbed.kms
    assert isinstance(keys, Keys)
    broker = add(testbed, request())
    keys.errors[""] = keys.errors["DescribeKey"] = "KMSInternalException"
    brokers.upkeep.check(broker.broker_id)
    assert (recorded(testbed), keys.calls) == ([], ["DescribeKey"])
