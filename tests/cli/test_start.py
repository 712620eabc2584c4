"""A command imports what it needs and no more: the libraries of all take a second."""

import subprocess
import sys

import pytest

from testbed import cli

HEAVY = {"aws_encryption_sdk", "boto3", "botocore", "cryptography", "docker", "jinja2"}
HEAVY |= {"locust", "lxml", "pika", "proton", "rich", "testcontainers"}
_SCRIPT = """
import sys
from testbed.cli import main
try:
    main(sys.argv[1:])
finally:
    print("modules:", *sys.modules)
"""


def run(*arguments: str) -> tuple[str, set[str]]:
    """Return the output of the command, and the modules that it has imported."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *arguments], capture_output=True, text=True, check=True
    )
    output, _, modules = done.stdout.rpartition("modules: ")
    return output, {name for name in modules.split() if "." not in name}


@pytest.mark.parametrize("command", sorted(cli._MODULES))
def test_the_help_of_a_command_imports_no_heavy_library(command: str) -> None:
    output, modules = run(command, "--help")
    assert f"{command} [OPTIONS]" in output
    assert not modules & HEAVY


def test_control_a_command_that_works_imports_some() -> None:
    output, modules = run("scenario", "list")
    assert "handshakes" in output
    assert modules & HEAVY


def test_every_command_is_in_the_help() -> None:
    output, _ = run("--help")
    names = [line.split()[0] for line in output.partition("Commands:\n")[2].splitlines()]
    assert names == list(cli._MODULES)
