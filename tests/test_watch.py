"""What a watch records of a broker and its key, and what is drawn of their grants."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.broker.model import Broker
from testbed.history import Kind, Recorder
from testbed.kms.key import Key
from testbed.testbed import Testbed
from testbed.trail.lookup import newest
from testbed.watch import Watch, dependencies
from tests.support import brokers_offline, console_content
from tests.support.brokers_offline import KEY, request
from tests.support.console import store


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    with brokers_offline.offline(tmp_path / ".testbed") as testbed:
        yield testbed


@pytest.fixture
def broker(testbed: Testbed) -> Broker:
    store(testbed, Key(KEY, "{}"))
    broker = brokers_offline.add(testbed, request(name="orders"))
    return testbed.brokers.amend(
        broker.broker_id, lambda stored: replace(stored, key_arn=KEY, broker_state="RUNNING")
    )


def set_state(testbed: Testbed, broker: Broker, state: str) -> None:
    testbed.brokers.amend(broker.broker_id, lambda stored: replace(stored, broker_state=state))


def test_states_are_recorded_as_they_change(testbed: Testbed, broker: Broker) -> None:
    now, key = testbed.clock.now(), Key(KEY, "{}")
    with Watch(testbed, broker.broker_id) as watch:
        store(testbed, key.disabled(now, 3600))
        watch.note("DisableKey")
        store(testbed, key.disabled(now - 7200, 3600))
        set_state(testbed, broker, "CRITICAL_ACTION_REQUIRED")
        watch.note("RebootBroker", refused=True)
        store(testbed, key)
        set_state(testbed, broker, "REBOOT_IN_PROGRESS")
        watch.note("EnableKey")
        set_state(testbed, broker, "RUNNING")
    timeline = watch.timeline("orders", Recorder().history())
    of_key, of_broker = timeline.lanes
    assert [(change.state, change.kind) for change in of_key.changes] == [
        ("Enabled", "good"),
        ("Disabled, not yet in effect", "passing"),
        ("Disabled", "bad"),
        ("Enabled", "good"),
    ]
    assert [(change.state, change.kind) for change in of_broker.changes] == [
        ("RUNNING", "good"),
        ("CRITICAL_ACTION_REQUIRED", "bad"),
        ("REBOOT_IN_PROGRESS", "passing"),
        ("RUNNING", "good"),
    ]
    assert [(moment.what, moment.refused) for moment in timeline.moments] == [
        ("DisableKey", False),
        ("RebootBroker", True),
        ("EnableKey", False),
    ]
    for lane in timeline.lanes:
        times = [change.at for change in lane.changes]
        assert times == sorted(times)
        assert 0 <= times[0] <= times[-1] <= timeline.seconds


def test_messages_before_and_after_the_watch_are_left_out(testbed: Testbed, broker: Broker) -> None:
    recorder = Recorder()
    recorder.record(Kind.CONFIRMED, "before")
    with Watch(testbed, broker.broker_id) as watch:
        recorder.record(Kind.CONFIRMED, "while")
    recorder.record(Kind.CONFIRMED, "long after")
    [rate] = watch.timeline("orders", recorder.history()).rates
    assert rate.confirmed >= 2, "one in half a second"


def test_watching_is_recorded_nowhere(testbed: Testbed, broker: Broker) -> None:
    before = newest(testbed.trail), len(testbed.kms.calls)  # type: ignore[attr-defined]
    with Watch(testbed, broker.broker_id) as watch:
        watch.note("nothing")
    dependencies(testbed, broker.broker_id, "orders")
    assert (newest(testbed.trail), len(testbed.kms.calls)) == before  # type: ignore[attr-defined]


def test_a_node_that_does_not_run_breaks_the_way_to_its_volume(testbed: Testbed) -> None:
    console_content.furnish(testbed)
    [orders] = [b for b in testbed.brokers.peek_all() if b.broker_name == "orders"]

    def volumes() -> dict[str, bool]:
        chains = dependencies(testbed, orders.broker_id, "orders").chains
        return {volume.detail: volume.sound for chain in chains for volume in chain.volumes}

    assert volumes() == {"node 1": True, "node 2": True, "node 3": True}
    lost = replace(orders.nodes[1], container_id="gone")
    testbed.brokers.amend(orders.broker_id, lambda stored: stored.with_node(lost))
    assert volumes() == {"node 1": True, "node 2 is lost": False, "node 3": True}
