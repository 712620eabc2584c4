"""The command line: one file per command or group of commands, imported when it is used.

Results go to standard output, progress to standard error. Exit status: 0 done; 1 refused, failed or
a claim that fails, advice; 2 wrong usage; 130 interrupted.
"""

import faulthandler
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

PATIENCE = 45.0  # seconds that cleaning up has after an interruption

# The commands in the order of the help, each with its module. A module's ``app`` has the command;
# one of the group's name has the whole group.
_MODULES = {
    "up": "lifecycle",
    "down": "lifecycle",
    "reboot": "lifecycle",
    "status": "status",
    "endpoints": "endpoints",
    "env": "endpoints",
    "advise": "advise",
    "logs": "logs",
    "serve": "serve",
    "trail": "trail",
    "demo": "demo",
    "scenario": "scenario",
    "bench": "bench",
    "images": "images",
}
_GROUPS = {"scenario", "bench", "images"}


class _LazyGroup(TyperGroup):
    """Import a command's module when the command is used: the libraries of all take a second."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # of typer's copy of click
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f"{__name__}.{_MODULES[cmd_name]}")
        group = typer.main.get_group(module.app)
        group.name = cmd_name
        return group if cmd_name in _GROUPS else group.commands[cmd_name]


app = typer.Typer(
    name="testbed",
    cls=_LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)


@app.callback()
def _root() -> None:
    """Run Amazon MQ's data protection on this machine.

    Real TLS-only brokers on volumes under KMS keys.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its status."""
    from testbed.cli.base import show_progress

    for number in (signal.SIGINT, signal.SIGTERM):  # `kill` is to clean up as Ctrl-C does
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupted)
    signal.signal(signal.SIGALRM, _given_up)
    show_progress()
    app(args=None if arguments is None else list(arguments))


def _interrupted(*_: object) -> NoReturn:
    """Raise KeyboardInterrupt, and arm a timer: Python swallows what is raised in a finalizer."""
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    raise KeyboardInterrupt


def _given_up(*_: object) -> NoReturn:
    """End as by `kill -9`: the reaper or `testbed down` removes the rest."""
    print(
        f"error: interrupted, and still running {PATIENCE:.0f} s later: hanging up. "
        "This is a fault of the testbed's; it was here:",
        file=sys.stderr,
    )
    faulthandler.dump_traceback()
    os._exit(130)
