"""Two commands at once on one folder: both end, and what each says is true."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.command_line import CommandLine
from tests.support.interruptions import require_message

pytestmark = pytest.mark.containers
UP = ("up", "--engine", "rabbitmq", "--json")


@pytest.fixture
def command(tmp_path: Path) -> Iterator[CommandLine]:
    command = CommandLine(tmp_path)
    yield command
    command.run("down")


def at_once(command: CommandLine, *commands: tuple[str, ...]) -> list[CompletedProcess[str]]:
    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(lambda arguments: command.run(*arguments), commands))


def test_two_that_start_it_and_two_that_remove_it(command: CommandLine) -> None:
    """The folder does not exist yet, so both would make it, and either would remove it again."""
    both = at_once(command, UP, UP)
    assert [done.returncode for done in both] == [0, 0], [done.stderr for done in both]
    first, second = (json.loads(done.stdout) for done in both)
    assert first == second, "one testbed"
    require_message(command)

    removals = at_once(command, ("down", "--json"), ("down", "--json"))
    assert [done.returncode for done in removals] == [0, 0], [done.stderr for done in removals]
    removed = sorted(json.loads(done.stdout)["containers"] for done in removals)
    assert removed == [0, 2], "KMS and the broker, once"
    command.wait_until_nothing_is_left()


@pytest.mark.nightly("other pairs of commands")
def test_one_that_starts_it_and_one_that_removes_it(command: CommandLine) -> None:
    up, down = at_once(command, UP, ("down",))
    assert (up.returncode, down.returncode) == (0, 0), (up.stderr, down.stderr)
    if command.state.exists():
        require_message(command)  # `down` was first
        assert command.run("down").returncode == 0
    command.wait_until_nothing_is_left()


@pytest.mark.nightly("other pairs of commands")
def test_a_start_that_fails_leaves_the_testbed_of_another(command: CommandLine) -> None:
    """They have different wishes, and one of them cannot be granted, first or second."""
    both = at_once(command, UP, (*UP, "--kms-key-id", "11111111-2222-3333-4444-555555555555"))
    assert both[0].returncode == 0, both[0].stderr
    assert both[1].returncode == 1, "no such key"
    assert "Traceback" not in both[1].stderr
    require_message(command)
