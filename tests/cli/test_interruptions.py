"""Interruptions at random moments, as many as a night has time for; a benchmark has hundreds."""

from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.interruptions import (
    CALLS,
    COMMANDS,
    plan,
    removed,
    serves,
    session,
)

SEED, COUNT = 196, 3  # three signals, a second command once, the endpoint once


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plan(1, 20) == plan(1, 20) != plan(2, 20)
    planned = plan(1, 2000)
    assert {one.what for one in planned} >= set(COMMANDS)
    assert {one.what[1] for one in planned if one.what not in COMMANDS} == set(CALLS)
    assert 0.3 < sum(bool(one.beside) for one in planned) / len(planned) < 0.37


@pytest.mark.containers
@pytest.mark.nightly("random moments; every push has chosen ones in test_interrupted.py")
def test_after_some_interruptions_down_leaves_nothing_and_up_serves(tmp_path: Path) -> None:
    command = CommandLine(tmp_path)
    assert list(session(command, plan(SEED, COUNT))) == []
    assert list(serves(command)) == []
    assert list(removed(command)) == []


@pytest.mark.containers
def test_control_what_is_left_or_does_not_come_up_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = CommandLine(tmp_path)
    with monkeypatch.context() as environment:
        environment.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
        [fault] = serves(command)
    assert "No container engine answers" in fault
    (tmp_path / "tmp" / "forgotten").touch()
    with pytest.raises(AssertionError, match="forgotten"):
        command.wait_until_nothing_is_left(timeout=0)
