"""Ctrl-C, `kill` and `kill -9` at any time: the program ends soon, and nothing of it stays."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testbed import cli
from tests.support.command_line import CommandLine

pytestmark = pytest.mark.containers
SOON = 60.0  # seconds; a few on an idle machine

UP = ("up", "--engine", "rabbitmq")
DEMO = ("demo", "--report", "report")
PHASES = {
    "up, broker starting": (UP, r"rabbitmq: starting, \d+ s"),
    "demo, scenario running": (DEMO, r"scenario \w+: "),
    "up, KMS starting": (UP, "KMS: starting"),
    "demo, KMS starting": (DEMO, "KMS: starting"),
    "demo, brokers starting": (DEMO, "activemq: starting ACTIVEMQ"),
}
NIGHTLY = pytest.mark.nightly("interruptions in other phases and by other signals")
INTERRUPTIONS = [("up, broker starting", signal.SIGTERM)]


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.mark.parametrize(
    ("phase_name", "signal_number"),
    [
        pytest.param(
            phase_name,
            signal_number,
            marks=() if (phase_name, signal_number) in INTERRUPTIONS else NIGHTLY,
        )
        for phase_name in PHASES
        for signal_number in cli.INTERRUPTIONS
    ],
)
def test_nothing_stays_of_what_was_interrupted(
    command: CommandLine, phase_name: str, signal_number: signal.Signals
) -> None:
    arguments, phase = PHASES[phase_name]
    running = command.start(*arguments)
    running.wait_for(phase)
    command.note()
    status, seconds = running.end(signal_number)
    print(f"{phase}: {seconds:.1f} s")
    assert (status, [line for line in running.lines if "Traceback" in line]) == (130, []), (
        running.lines
    )
    assert [  # not the last: scenarios in other threads break off when their containers go
        line
        for line in running.lines
        if "taking everything down" in line or "removing what was started" in line
    ], running.lines
    assert seconds < SOON
    assert not command.state.exists()
    command.wait_until_nothing_is_left()


def test_one_that_does_not_hear_it_is_ended_and_says_where_it_was() -> None:
    deaf = """
import sys, time, types
from testbed import cli
from testbed.cli import root
from testbed.cli.base import new_app

module = sys.modules["testbed.cli.deaf"] = types.ModuleType("testbed.cli.deaf")
module.app = new_app()
root.MODULES["deaf"] = "deaf"

@module.app.command()
def deaf():
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(60)

cli.PATIENCE = 1.0
cli.main(["deaf"])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", deaf], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted, and still running 1 s later" in errors
    assert ", line 17 in deaf" in errors


@pytest.mark.parametrize(
    "phase", ["rabbitmq: starting RABBITMQ", pytest.param("KMS: starting", marks=NIGHTLY)]
)
def test_down_cleans_up_behind_an_up_that_was_killed(command: CommandLine, phase: str) -> None:
    running = command.start(*UP)
    running.wait_for(phase)
    assert running.end(signal.SIGKILL)[0] == -signal.SIGKILL
    assert command.state.exists(), "control: this time something stays"
    assert command.run("down").returncode == 0
    assert not command.state.exists()
    command.wait_until_nothing_is_left()


@pytest.mark.parametrize(
    "phase",
    ["activemq: starting ACTIVEMQ", pytest.param(r"scenario \w+: ", marks=NIGHTLY)],
)
def test_a_demo_that_was_killed_is_cleaned_up_behind(command: CommandLine, phase: str) -> None:
    running = command.start(*DEMO)
    running.wait_for(phase)
    command.note()
    running.end(signal.SIGKILL)
    command.wait_until_nothing_is_left()


@NIGHTLY
def test_what_was_there_before_stays_when_more_is_interrupted(command: CommandLine) -> None:
    assert command.run(*UP).returncode == 0
    try:
        running = command.start("up")
        running.wait_for("activemq: starting ACTIVEMQ")
        assert running.end(signal.SIGINT)[0] == 130
        [broker] = command.json("status")["brokers"]
        assert broker["BrokerName"] == "rabbitmq"
        assert broker["nodes"][0]["container"] == "running"
        assert {row["role"].split()[0] for row in command.containers.find()} == {
            "kms",
            "broker",
        }
        assert len(command.containers.find()) == 2
        running = command.start("up")
        running.wait_for("activemq: starting ACTIVEMQ")
        running.end(signal.SIGKILL)
        assert command.run("up", timeout=400).returncode == 0, "what was interrupted is built again"
        assert [broker["BrokerState"] for broker in command.json("status")["brokers"]] == [
            "RUNNING",
            "RUNNING",
        ]
        assert len(command.containers.find()) == 3
    finally:
        command.run("down")
    command.wait_until_nothing_is_left()
