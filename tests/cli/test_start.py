"""A command imports what it needs and no more: the libraries of all take a second."""

import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from testbed.cli.root import MODULES
from tests.support.command_line import CommandLine

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


@pytest.mark.parametrize("command", sorted(MODULES))
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
    assert names == list(MODULES)


_INTERRUPTED = """
import os, signal, sys
from importlib.abc import MetaPathFinder

class Interruption(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.Signals[sys.argv[2]])

sys.meta_path.insert(0, Interruption())
from testbed.cli import main
main(["status", "--state", "nowhere"])
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("module", ["typer", "testbed.cli.status", "testbed.extras"])
def test_one_that_is_interrupted_while_it_imports_ends_without_a_word(
    module: str, number: str
) -> None:
    command = [sys.executable, "-c", _INTERRUPTED, module, number]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (130, "")


def test_control_one_that_is_not_interrupted_says_what_it_is_about() -> None:
    command = [sys.executable, "-c", _INTERRUPTED, "no.such.module", "SIGINT"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.split(":")[0]) == (1, "error")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rabbitmq-version", "3.7"), "Broker engine version [3.7] is invalid"),
        (("--kms-key-id", "not a key"), "is not a KMS key id"),
        (("--fixed-ports",), "Port 5671 on 127.0.0.1 is in use"),
        ((), "No container engine answers"),  # control: nothing else is wrong
    ],
)
def test_what_needs_no_engine_to_be_refused_is_refused_without(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    command, nowhere = CommandLine(tmp_path), "unix:///nonexistent.sock"
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # something else has it, which is as good
            other.bind(("127.0.0.1", 5671))
            other.listen()
        error, _ = command.error("up", "--engine", "rabbitmq", *options, DOCKER_HOST=nowhere)
    assert message in error
    assert not command.state.exists()


def test_a_line_of_the_list_of_scenarios_ends_with_claims_or_the_title() -> None:
    output, _ = run("scenario", "list")
    assert "()" not in output
    assert any(line.endswith(")") for line in output.splitlines()), "control: some have claims"


_CLUMSY = """
import atexit, os, signal, sys, time, types
from testbed.cli import main, root
from testbed.cli.base import errors_shown, new_app
from testbed.errors import TestbedError

module = sys.modules["testbed.cli.clumsy"] = types.ModuleType("testbed.cli.clumsy")
module.app = new_app()
root.MODULES["clumsy"] = "clumsy"

@module.app.command()
def clumsy():
    with errors_shown():
        try:
            if sys.argv[2] == "interrupted":
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(60)
        finally:
            if sys.argv[1] != "nothing":
                raise {"a fault": RuntimeError, "an error": TestbedError}[sys.argv[1]]("late")

atexit.register(os.kill, os.getpid(), signal.SIGTERM)  # when all else is over
main(["clumsy"])
"""


@pytest.mark.parametrize(
    ("raised", "how", "status"),
    [
        ("a fault", "interrupted", 130),
        ("an error", "interrupted", 130),
        ("nothing", "interrupted", 130),
        ("an error", "undisturbed", 1),  # controls
        ("nothing", "undisturbed", 0),
    ],
)
def test_an_interruption_is_not_lost_in_a_clean_up_that_fails(
    raised: str, how: str, status: int
) -> None:
    command = [sys.executable, "-c", _CLUMSY, raised, how]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
