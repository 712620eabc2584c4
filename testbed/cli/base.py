"""What every command shares: options, progress on standard error, results on standard output, errors on one line."""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from testbed.errors import TestbedError
from testbed.extras import explained
from testbed.runtime import engine
from testbed.state.store import DEFAULT_FOLDER, State, is_ours
from testbed.testbed import Testbed

StateOption = Annotated[
    Path,
    typer.Option("--state", envvar="TESTBED_STATE", help="The state folder.", show_default=True),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output.")
]
STATE = Path(DEFAULT_FOLDER)
_started = time.monotonic()


class ProgressHandler(logging.Handler):
    """Print each record on standard error, with the seconds since the program's start."""

    def emit(self, record: logging.LogRecord) -> None:
        seconds = time.monotonic() - _started
        print(f"[{seconds:6.1f} s] {record.getMessage()}", file=sys.stderr, flush=True)


def show_progress() -> None:
    """Let the testbed's log be the progress of a command, and other libraries' logs be silent."""
    logging.getLogger().addHandler(logging.NullHandler())
    logger = logging.getLogger("testbed")
    logger.setLevel(logging.INFO)
    logger.addHandler(ProgressHandler())


def show(document: Any, as_json: bool, text: Callable[[Any], str]) -> None:
    """The result on standard output, as JSON or as ``text`` makes it."""
    print(json.dumps(document, indent=2) if as_json else text(document))


def fail(error: TestbedError, as_json: bool) -> None:
    """What happened, why, and what to do next; exit status 1."""
    if as_json:
        print(json.dumps({"error": str(error), "hint": error.hint}))
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    if error.hint:
        print(f"  hint: {error.hint}", file=sys.stderr)
    raise typer.Exit(1)


@contextmanager
def translated(as_json: bool = False) -> Iterator[None]:
    """Errors of the testbed become a message and exit status 1."""
    try:
        with explained():
            yield
    except TestbedError as error:
        fail(error, as_json)


@contextmanager
def existing(folder: Path) -> Iterator[Testbed]:
    """The testbed of ``folder``, which has to be up; nothing is started. Raises ``TestbedError`` when there is none."""
    if not is_ours(folder):
        raise TestbedError(
            f"There is no testbed in {folder}.",
            hint="`testbed up` starts one; --state names another folder.",
        )
    testbed = Testbed(State(folder), engine.connect(start=False), start=False)
    try:
        yield testbed
    finally:
        testbed.close()
