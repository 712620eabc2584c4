"""Reading writes nothing: neither a record in the trail nor a call of KMS."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from freezegun import freeze_time

from testbed.broker.describe import describe
from testbed.errors import NotFoundException
from testbed.kms.base import USER_ACCOUNT
from testbed.testbed import Testbed
from testbed.trail.lookup import events
from tests.support.brokers_offline import Keys, add, offline, request


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    with offline(tmp_path / "state") as testbed:
        yield testbed


def written(testbed: Testbed) -> tuple[int, list[str]]:
    assert isinstance(testbed.kms, Keys)
    return len(list(events(testbed.trail, USER_ACCOUNT))), list(testbed.kms.calls)


def test_peeking_leaves_no_record_and_asks_kms_nothing(testbed: Testbed) -> None:
    broker = add(testbed, request())
    before = written(testbed)
    for _ in range(10):
        assert testbed.brokers.peek(broker.broker_id) == broker
        assert testbed.brokers.peek(broker.broker_name) == broker
        assert testbed.brokers.peek_all() == (broker,)
        assert testbed.brokers.ids() == (broker.broker_id,)
        assert testbed.brokers.address(broker, "amqp").port == broker.endpoint("amqp").port
        assert describe(broker)["BrokerState"] == "RUNNING"
    with pytest.raises(NotFoundException, match=r"Can't find requested broker \[b-1\]"):
        testbed.brokers.peek("b-1")
    assert written(testbed) == before


def test_control_describing_and_listing_are_recorded_and_check_the_key(testbed: Testbed) -> None:
    broker = add(testbed, request())
    described = testbed.brokers.describe(broker.broker_id)
    assert described.broker_state == "CRITICAL_ACTION_REQUIRED"
    testbed.brokers.list()
    records, calls = written(testbed)
    assert (records, calls) == (2, ["DescribeKey"])


@pytest.mark.parametrize(
    ("age", "due"), [(0.0, False), (1.0, False), (3.0, True), (-60.0, True), (-1e9, True)]
)
def test_a_check_is_due_after_its_period_and_if_the_last_one_is_in_the_future(
    testbed: Testbed, age: float, due: bool
) -> None:
    broker = add(testbed, request())
    checked = testbed.clock.now() - age
    testbed.brokers.amend(broker.broker_id, lambda stored: replace(stored, checked=checked))
    described = testbed.brokers.describe(broker.broker_id)
    assert described.broker_state == ("CRITICAL_ACTION_REQUIRED" if due else "RUNNING")


@pytest.mark.parametrize("frozen", ["2012-01-14", "2099-12-31"])
def test_a_check_under_a_frozen_clock_counts_as_any_other(testbed: Testbed, frozen: str) -> None:
    broker = add(testbed, request())
    with freeze_time(frozen):
        assert testbed.brokers.describe(broker.broker_id).broker_state != "RUNNING"
    assert isinstance(testbed.kms, Keys)
    testbed.kms.state = "Enabled"
    testbed.clock.turn(60)
    assert testbed.brokers.describe(broker.broker_id).broker_state == "RUNNING"


def test_a_change_of_the_key_is_seen_by_the_check_and_then_by_peek(testbed: Testbed) -> None:
    broker = add(testbed, request())
    assert testbed.brokers.peek(broker.broker_id).broker_state == "RUNNING"
    assert testbed.upkeep.check(broker.broker_id).broker_state == "CRITICAL_ACTION_REQUIRED"
    [peeked] = testbed.brokers.peek_all()
    assert peeked.broker_state == "CRITICAL_ACTION_REQUIRED"
    assert "is disabled" in peeked.actions_required[0].action_required_info
