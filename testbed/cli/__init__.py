"""The command line: one file per command or group of commands, imported when it is used.

Results go to standard output, progress to standard error. Exit status: 0 done; 1 refused or failed,
a claim fails, or there is advice; 2 wrong usage; 3 denied (`why`); 130 interrupted.
"""

import atexit
import errno
import faulthandler
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn

# Ctrl-C, `kill`, and a terminal that is closed: all clean up.
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 45.0  # seconds that cleaning up has after an interruption
# What keeps output from being written; nobody reads it any more in the last case.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its status."""
    handle_interruptions(_exit)  # while libraries are imported, there is nothing to clean up
    from testbed.cli.base import show_progress
    from testbed.cli.root import app

    signal.signal(signal.SIGALRM, _given_up)
    atexit.register(handle_interruptions, signal.SIG_IGN)  # it is over, with its own status
    _prepare_streams()
    show_progress()
    try:
        try:
            app(
                args=None if arguments is None else list(arguments),
                obj=partial(handle_interruptions, _interrupted),
            )
        finally:
            sys.stdout.flush()  # Python's own attempt at the end would be no error of the command
    except (Exception, SystemExit) as error:
        succeeded = isinstance(error, SystemExit) and not error.code
        if _is_interrupted() and not succeeded:  # what failed did so on the way out
            sys.exit(130)
        if isinstance(error, OSError) and error.errno in _UNWRITABLE:
            _give_output_up(error)
        raise
    finally:
        handle_interruptions(_exit)


def _prepare_streams() -> None:
    """Open what stands in for closed standard streams: no other file may get their numbers.

    Output in an encoding that lacks a character has its code instead.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number, which is this one
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _give_output_up(error: OSError) -> NoReturn:
    """Say why the output could not be written, and exit with status 1."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left of it goes nowhere
    if error.errno != errno.EPIPE:
        print(f"error: The output cannot be written: {error.strerror}.", file=sys.stderr)
    sys.exit(1)


def _is_interrupted() -> bool:
    """Return whether ``_interrupted`` has armed its timer."""
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0


def handle_interruptions(handler: Callable[..., object] | signal.Handlers) -> None:
    """Call ``handler`` for every interruption except those that are ignored, as under `nohup`."""
    for number in INTERRUPTIONS:
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
