"""The command line: one file per command or group of commands, imported when it is used.

Results go to standard output, progress to standard error. Exit status: 0 done; 1 refused or failed,
a claim fails, or there is advice; 2 wrong usage; 3 denied (`why`); 130 interrupted.
"""

import atexit
import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn

PATIENCE = 45.0  # seconds that cleaning up has after an interruption


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its status."""
    _handle_interruptions(_exit)  # while libraries are imported, there is nothing to clean up
    from testbed.cli.base import show_progress
    from testbed.cli.root import app

    signal.signal(signal.SIGALRM, _given_up)
    atexit.register(_handle_interruptions, signal.SIG_IGN)  # it is over, with its own status
    show_progress()
    try:
        app(
            args=None if arguments is None else list(arguments),
            obj=partial(_handle_interruptions, _interrupted),
        )
    except (Exception, SystemExit) as error:
        succeeded = isinstance(error, SystemExit) and not error.code
        if _is_interrupted() and not succeeded:  # what failed did so on the way out
            sys.exit(130)
        raise
    finally:
        _handle_interruptions(_exit)


def _is_interrupted() -> bool:
    """Return whether ``_interrupted`` has armed its timer."""
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0


def _handle_interruptions(handler: Callable[..., NoReturn] | signal.Handlers) -> None:
    """Let ``handler`` have SIGINT and SIGTERM: `kill` is to clean up as Ctrl-C does."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _exit(*_: object) -> NoReturn:
    """End at once. Python's own way would be a traceback of whatever was being imported."""
    os._exit(130)


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
