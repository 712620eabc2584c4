"""Every command by its help, and the page of commands; none starts anything."""

import pytest
import typer
from typer.testing import CliRunner

from testbed.cli.root import app

COMMANDS = typer.main.get_command(app).list_commands(None)  # type: ignore[attr-defined]  # a group


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_its_help(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0, result.output
    usage, _, text = result.output.strip().partition("\n\n")
    assert usage.startswith(f"Usage: testbed {command}")
    assert text.strip()[0].isupper()


def test_the_help_has_a_sentence_for_each() -> None:
    lines = CliRunner().invoke(app, ["--help"]).output.splitlines()
    for command in COMMANDS:
        [line] = [line for line in lines if line.split()[:1] == [command]]
        assert len(line.split()) > 2
