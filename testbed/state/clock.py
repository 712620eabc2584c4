"""The testbed's one clock: the machine's, which can be turned forward, and does not run back.

Turning the clock makes delays of hours and deletion windows of weeks pass in an instant, in every
process that uses the same state folder; nothing sleeps for them. A correction of the machine's
clock must not undo what has already happened: the folder remembers one reading, from which the
time since then is counted by the clock that nobody sets.
"""

import math
import time
from datetime import UTC, datetime

from testbed.state.store import State

_KIND, _OFFSET, _ANCHOR = "clock", "offset", "anchor"
# Both go on while the machine sleeps (macOS has only the second, which does so there), and are the
# same for all processes.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def machine_time() -> float:
    """Return the machine's time, in seconds since 1970.

    As the system has it: a test that freezes Python's clock does not freeze the testbed.
    """
    return time.clock_gettime(time.CLOCK_REALTIME)


def machine_datetime() -> datetime:
    """Return ``machine_time`` as an aware UTC time."""
    return datetime.fromtimestamp(machine_time(), UTC)


def steady_time() -> float:
    """Return seconds since the machine started, which no correction of its clock changes."""
    return time.clock_gettime(_STEADY)


class Clock:
    """Seconds since 1970, as ``machine_time`` gives them, plus the sum of all turns."""

    def __init__(self, state: State) -> None:
        self._state = state
        # The state's ``changes``, the offset, and what the steady clock lacks of the time; read
        # together.
        self._known: tuple[int, float, float] | None = None

    def now(self) -> float:
        _, offset, lead = self._read()
        return max(machine_time(), steady_time() + lead) + offset

    def datetime(self) -> datetime:
        """Return ``now`` as an aware UTC time."""
        return datetime.fromtimestamp(self.now(), UTC)

    def turn(self, seconds: float) -> float:
        """Move the clock forward and return the new time.

        Raises ``ValueError`` for a negative number: time does not run back.
        """
        if seconds < 0:
            raise ValueError("the clock can only be turned forward")
        # In one step: of two turns at once, one would be lost, and time might run back.
        self._state.update(
            _KIND,
            _OFFSET,
            lambda offset: {"seconds": offset["seconds"] + seconds},
            missing={"seconds": 0.0},
        )
        return self.now()

    def anchor(self) -> None:
        """Remember one reading of the machine's clock, unless one since its start is known."""
        steady, document = steady_time(), self._state.get(_KIND, _ANCHOR)
        if document is None or steady < document["steady"]:
            self._state.put(_KIND, _ANCHOR, {"machine": machine_time(), "steady": steady})

    def _read(self) -> tuple[int, float, float]:
        changes, known = self._state.changes(), self._known
        if known is None or known[0] != changes:
            offset = self._state.get(_KIND, _OFFSET)
            anchor = self._state.get(_KIND, _ANCHOR)
            known = self._known = (
                changes,
                offset["seconds"] if offset else 0.0,
                anchor["machine"] - anchor["steady"] if anchor else -math.inf,
            )
        return known
