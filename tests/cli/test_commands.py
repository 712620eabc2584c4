"""Every command and subcommand by its help; none starts anything."""

import re
from collections.abc import Iterator
from pathlib import Path

from typer.testing import CliRunner

from testbed import cli
from testbed.cli.root import MODULES, app


def help_of(*path: str) -> str:
    """Return what `--help` prints for a command on 80 columns."""
    done = CliRunner().invoke(app, [*path, "--help"], prog_name="testbed", terminal_width=80)
    assert done.exit_code == 0, done.output
    return done.output


def lines_below(*path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each command below ``path`` with its line in the help of its group."""
    for line in help_of(*path).partition("Commands:\n")[2].splitlines():
        if line.startswith("  ") and line[2] != " ":
            name, _, text = line.strip().partition(" ")
            yield (*path, name), text.strip()
            yield from lines_below(*path, name)


def test_every_file_with_a_command_is_listed() -> None:
    files = Path(cli.__file__).parent.glob("*.py")
    with_a_command = {path.stem for path in files if "\napp = " in path.read_text()}
    assert with_a_command - {"root"} == set(MODULES.values())


def test_a_command_explains_itself_in_a_line_and_in_its_help() -> None:
    lines = dict(lines_below())
    assert lines.keys() >= {("bench", "run"), ("images", "key"), *((name,) for name in MODULES)}
    for command, line in lines.items():
        assert len(line.split()) > 1, command
        assert not line.endswith("..."), f"the line of {command} is cut off"
        usage, _, text = help_of(*command).strip().partition("\n\n")
        assert usage.startswith(f"Usage: testbed {' '.join(command)}")
        assert text.strip()[0].isupper()


def test_a_number_is_finite() -> None:
    a_number = re.compile(r"^ +(--[\w-]+) +<?float", re.MULTILINE | re.IGNORECASE)
    options = [
        (*command, option)
        for command, _ in lines_below()
        for option in a_number.findall(help_of(*command))
    ]
    assert ("soak", "--hours") in options
    for option in options:
        for number in ("nan", "inf"):
            done = CliRunner().invoke(app, [*option, number])
            assert done.exit_code == 2, (option, number, done.output)
            assert f"Invalid value for '{option[-1]}'" in done.output
