"""The command line: one file per group of commands. Results go to standard output, progress to standard error.

Exit status: 0 done, 1 refused, failed or a claim that fails, 2 wrong usage, 130 interrupted.
"""

import faulthandler
import importlib
import os
import pkgutil
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

PATIENCE = 45.0  # seconds that cleaning up has after an interruption

app = typer.Typer(
    name="testbed",
    help="Amazon MQ's data protection on this machine: real TLS-only brokers on volumes under KMS keys.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its status."""
    from testbed.cli import base

    for module in pkgutil.iter_modules(__path__):  # each adds its commands to ``app``
        importlib.import_module(f"{__name__}.{module.name}")
    for each in (signal.SIGINT, signal.SIGTERM):  # `kill` is to clean up as Ctrl-C does
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, _interrupted)
    signal.signal(signal.SIGALRM, _given_up)
    base.show_progress()
    app(args=None if arguments is None else list(arguments))


def _interrupted(*_: object) -> NoReturn:
    """Raise it, and see to it that the program ends: Python loses what is raised amid a finalizer, and then goes on as if nothing was."""
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    raise KeyboardInterrupt


def _given_up(*_: object) -> NoReturn:
    """As after `kill -9`: the reaper or `testbed down` removes the rest."""
    print(
        f"error: interrupted, and not at the end {PATIENCE:.0f} s later: hanging up. This is a fault of the testbed's; it was here:",
        file=sys.stderr,
    )
    faulthandler.dump_traceback()
    os._exit(130)
