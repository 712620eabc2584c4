"""Injecting and undoing, by this process and by others."""

import signal
import time
from pathlib import Path

import pytest

from testbed import Faults, Testbed
from testbed.errors import TestbedError
from testbed.library import MqBroker
from tests.support.command_line import CommandLine
from tests.support.faults import serves

pytestmark = pytest.mark.containers


def status(broker: MqBroker) -> str:
    [node] = broker.testbed.brokers.peek(broker.broker_id).nodes
    return broker.testbed.containers.state(node.container_id).status


def test_what_a_test_does_not_undo_is_undone_after_it(rabbitmq_broker: MqBroker) -> None:
    faults = Faults(rabbitmq_broker.testbed)

    def fail() -> None:
        with faults:
            faults.pause(rabbitmq_broker)
            assert status(rabbitmq_broker) == "paused"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert status(rabbitmq_broker) == "running"
    assert faults.active() == ()
    assert serves(rabbitmq_broker)


def test_undoing_twice_is_harmless(rabbitmq_broker: MqBroker, faults: Faults) -> None:
    paused = faults.pause(rabbitmq_broker)
    assert not paused.is_undone
    paused.undo()
    assert paused.is_undone
    paused.undo()


@pytest.mark.parametrize(
    ("broker", "node", "message"),
    [
        ("nowhere", "", "There is no broker 'nowhere'"),
        ("", "", "needs a broker"),
        ("rabbitmq", "7", "has no node '7'"),
    ],
)
def test_an_unknown_target_is_refused_and_nothing_is_stored(
    rabbitmq_broker: MqBroker, faults: Faults, broker: str, node: str, message: str
) -> None:
    with pytest.raises(TestbedError, match=message) as refused:
        faults.inject("pause", broker, node=node)
    assert refused.value.hint
    assert faults.active() == ()


def test_a_fault_whose_process_was_killed_is_undone_by_the_next(
    testbed: Testbed, rabbitmq_broker: MqBroker, tmp_path: Path
) -> None:
    faults = Faults(testbed)
    run = CommandLine(tmp_path).start(
        *("fault", "run", "pause", "--broker", rabbitmq_broker.broker_id, "--for", "10m"),
        *("--state", testbed.state.folder),
    )
    try:
        run.wait_for("Paused")
        assert faults.undo_all(abandoned=True) == [], "control: its process lives"
        assert status(rabbitmq_broker) == "paused"
    finally:
        run.end(signal.SIGKILL)
    assert len(faults.undo_all(abandoned=True)) == 1
    assert serves(rabbitmq_broker)


def test_an_interrupted_command_undoes_its_fault(
    testbed: Testbed, rabbitmq_broker: MqBroker, tmp_path: Path
) -> None:
    run = CommandLine(tmp_path).start(
        *("fault", "run", "pause", "--broker", rabbitmq_broker.broker_id, "--for", "10m"),
        *("--state", testbed.state.folder),
    )
    run.wait_for("Paused")
    code, _ = run.end(signal.SIGINT)
    assert code == 130
    assert Faults(testbed).active() == ()
    assert serves(rabbitmq_broker)


def test_the_command_says_what_it_did_and_ends_in_time(
    testbed: Testbed, rabbitmq_broker: MqBroker, tmp_path: Path
) -> None:
    started = time.monotonic()
    document = CommandLine(tmp_path).json(
        *("fault", "run", "pause", "--broker", rabbitmq_broker.broker_id, "--for", "1s"),
        *("--state", testbed.state.folder),
    )
    assert document["undone"]
    assert document["seconds"] >= 1
    assert "Paused" in document["description"]
    assert time.monotonic() - started < 120
    assert serves(rabbitmq_broker)


def test_control_a_wrong_command_is_one_line(testbed: Testbed, tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    state = "--state", testbed.state.folder
    error, hint = line.error("fault", "run", "flood", *state)
    assert error == "There is no fault 'flood'."
    assert "pause" in hint
    error, _ = line.error("fault", "run", "kill", "--broker", "x", "--for", "soon", *state)
    assert "'soon' is not a duration" in error
    assert line.error("fault", "run", "kill", *state)[0] == "The fault needs a broker."
