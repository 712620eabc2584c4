"""What commands share: options, progress, results, and errors on one line."""

import errno
import json
import logging
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.arn import is_account
from testbed.errors import StateBroken, TestbedError

if TYPE_CHECKING:  # commands start sooner without
    from testbed.testbed import Testbed

StateOption = Annotated[
    Path,
    typer.Option("--state", envvar="TESTBED_STATE", help="The state folder.", show_default=True),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output.")
]
STATE = Path(".testbed")
_started = time.monotonic()
# Errors of files that the system does not name: the current folder is gone, or a disk is full.
_UNNAMED = (errno.ENOENT, errno.ENOSPC, errno.EDQUOT)


class ProgressHandler(logging.Handler):
    """Print each record on standard error, with the seconds since the program's start."""

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``."""
        seconds = time.monotonic() - _started
        with suppress(OSError):  # nobody reads it any more, as behind `| head`: the work goes on
            print(f"[{seconds:6.1f} s] {record.getMessage()}", file=sys.stderr, flush=True)


def show_progress() -> None:
    """Show the testbed's log as the progress of a command, and no other library's."""
    logging.getLogger().addHandler(logging.NullHandler())
    logger = logging.getLogger("testbed")
    logger.setLevel(logging.INFO)
    logger.addHandler(ProgressHandler())


def checked_account(account: str) -> str:
    """Return ``account``. Raises ``TestbedError`` unless it has the form of one."""
    if not is_account(account):
        raise TestbedError(f"{account!r} is not an account.", hint="An account has twelve digits.")
    return account


def finite(value: float | None) -> float | None:
    """Return a number as it is: the callback of options that take any but ``inf`` and ``nan``."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number.")
    return value


def new_app(help_text: str = "") -> typer.Typer:
    """Return the Typer of a module's commands."""
    return typer.Typer(help=help_text, no_args_is_help=True, rich_markup_mode=None)


def show(document: Any, as_json: bool, text: Callable[[Any], str]) -> None:
    """Print the result on standard output, as JSON or as ``text`` renders it."""
    # At once: `testbed serve` goes on after it, and the reader may be a pipe.
    print(json.dumps(document, indent=2) if as_json else text(document), flush=True)


def fail(error: TestbedError, as_json: bool) -> None:
    """Print what happened and what to do next, and exit with status 1."""
    if as_json:
        print(json.dumps({"error": str(error), "hint": error.hint}))
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    if error.hint:
        print(f"  hint: {error.hint}", file=sys.stderr)
    raise typer.Exit(1)


@contextmanager
def errors_shown(as_json: bool = False) -> Iterator[None]:
    """Turn errors of the testbed, and of files that are named, into a message and exit status 1."""
    from testbed.extras import explained

    try:
        with explained():
            yield
    except TestbedError as error:
        fail(error, as_json)
    except OSError as error:
        if error.filename is None and error.errno not in _UNNAMED:
            raise
        fail(StateBroken.because_of(error, _file_sentence(error), ""), as_json)


def _file_sentence(error: OSError) -> str:
    if error.filename is not None:
        return f"{error.filename} cannot be used"
    if error.errno == errno.ENOENT:
        return "The current folder cannot be used"
    return "The output cannot be written"


@contextmanager
def existing(folder: Path) -> "Iterator[Testbed]":
    """Open the testbed of ``folder``, which has to be up, and start nothing.

    Raises ``TestbedError`` when there is none.
    """
    from testbed.state.store import require_testbed
    from testbed.testbed import Testbed

    require_testbed(folder)

    with Testbed(folder, start=False) as testbed:
        yield testbed
