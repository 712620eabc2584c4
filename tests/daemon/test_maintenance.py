"""The rounds of maintenance: what they do to a broker, and that no error ends them."""

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from testbed.broker.service import Brokers
from testbed.broker.upkeep import Upkeep
from testbed.daemon.maintenance import Maintenance
from testbed.errors import ContainerFailed, StateBroken
from testbed.library import MqBroker
from testbed.testbed import Testbed


def wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.containers
def test_a_lost_node_comes_back_by_itself(
    testbed: Testbed, rabbitmq_broker: MqBroker, caplog: pytest.LogCaptureFixture
) -> None:
    identity = rabbitmq_broker.broker_id
    [before] = testbed.brokers.describe(identity).nodes
    testbed.upkeep.detach(identity)
    assert not testbed.containers.state(before.container_id).running
    maintenance = Maintenance(testbed.brokers, period=0.2)
    maintenance.start()
    try:
        wait_until(
            lambda: (
                testbed.containers.state(
                    testbed.brokers.describe(identity).nodes[0].container_id
                ).running
            )
        )
    finally:
        maintenance.stop(120)
    [after] = testbed.brokers.describe(identity).nodes
    assert after.container_id != before.container_id
    assert after.volume.volume_id == before.volume.volume_id
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.containers
@pytest.mark.nightly("a broker's life by maintenance alone; every push has a lost node")
def test_what_a_process_began_and_did_not_finish_is_finished(testbed: Testbed) -> None:
    brokers = testbed.brokers
    identity = brokers.begin_create(testbed.request("RABBITMQ", "begun")).broker.broker_id
    maintenance = Maintenance(brokers, period=0.2)
    maintenance.start()
    try:
        wait_until(lambda: brokers.describe(identity).broker_state == "RUNNING")
        brokers.begin_reboot(identity)
        wait_until(lambda: brokers.describe(identity).broker_state == "RUNNING")
        brokers.begin_delete(identity)
        wait_until(lambda: identity not in brokers.ids())
    finally:
        maintenance.stop(120)


class Failing(Upkeep):
    """One broker is well, one fails, and one is busy until ``busy`` is set."""

    def __init__(self) -> None:
        self.rounds: list[str] = []
        self.busy = threading.Event()
        self.trouble: Exception | None = ContainerFailed("disk full")

    def maintain(self, broker_id: str) -> Any:
        self.rounds.append(broker_id)
        if broker_id == "b-busy":
            self.busy.wait(30)
        if broker_id == "b-failing" and self.trouble:
            raise self.trouble


class FailingBrokers(Brokers):
    def __init__(self, upkeep: Failing) -> None:
        self.upkeep: Failing = upkeep

    def ids(self) -> tuple[str, ...]:
        rounds = self.upkeep.rounds
        if len(rounds) > 5 and "broken" not in rounds:
            rounds.append("broken")
            raise StateBroken("temporary")
        return ("b-well", "b-failing", "b-busy")


def test_a_period_without_an_end_is_one_round() -> None:
    upkeep = Failing()
    upkeep.busy.set()
    maintenance = Maintenance(FailingBrokers(upkeep), period=math.inf)
    maintenance.start()
    wait_until(lambda: "b-well" in upkeep.rounds)
    time.sleep(0.1)
    assert maintenance._thread.is_alive()
    maintenance.stop()
    assert not maintenance._thread.is_alive()
    assert upkeep.rounds.count("b-well") == 1


def test_errors_end_nothing_and_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    upkeep = Failing()
    maintenance = Maintenance(FailingBrokers(upkeep), period=0.01)
    maintenance.start()
    wait_until(lambda: upkeep.rounds.count("b-failing") > 10)
    assert caplog.messages.count("b-failing: ContainerFailed: disk full") == 1
    assert upkeep.rounds.count("b-busy") == 1, "one round at a time, and it delays nothing else"
    upkeep.trouble = ValueError("another")
    wait_until(lambda: "b-failing: ValueError: another" in caplog.messages)
    upkeep.trouble = None
    rounds = upkeep.rounds.count("b-failing")
    wait_until(lambda: upkeep.rounds.count("b-failing") > rounds + 1)
    upkeep.trouble = ValueError("another")
    wait_until(lambda: caplog.messages.count("b-failing: ValueError: another") == 2)
    upkeep.busy.set()
    maintenance.stop()
    count = len(upkeep.rounds)
    time.sleep(0.1)
    assert len(upkeep.rounds) == count, "it stays stopped"
    assert [line for line in caplog.messages if "temporary" in line] == [
        "maintenance: StateBroken: temporary"
    ]
