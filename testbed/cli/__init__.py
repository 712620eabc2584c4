"""The command line: one file per group of commands. Results go to standard output, progress to standard error.

Exit status: 0 done, 1 refused, failed or a claim that fails, 2 wrong usage, 130 interrupted.
"""

import importlib
import pkgutil
import signal
from collections.abc import Sequence

import typer

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
    for module in pkgutil.iter_modules(__path__):  # each adds its commands to ``app``
        importlib.import_module(f"{__name__}.{module.name}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` is to clean up as Ctrl-C does
    app(args=None if arguments is None else list(arguments))
