"""The testbed's one clock: the machine's, which can be turned forward.

Turning the clock makes delays of hours and deletion windows of weeks pass in an instant, in every
process that uses the same state folder; nothing sleeps for them.
"""

import time
from datetime import UTC, datetime

from testbed.state.store import State

_KIND, _ID = "clock", "offset"


class Clock:
    """Seconds since 1970, as ``time.time`` gives them, plus the sum of all turns."""

    def __init__(self, state: State) -> None:
        self._state = state
        # The state's ``changes`` and the offset, read together.
        self._known: tuple[int, float] | None = None

    def now(self) -> float:
        return time.time() + self._offset()

    def datetime(self) -> datetime:
        """Return ``now`` as an aware UTC time."""
        return datetime.fromtimestamp(self.now(), UTC)

    def turn(self, seconds: float) -> float:
        """Move the clock forward and return the new time.

        Raises ``ValueError`` for a negative number: time does not run back.
        """
        if seconds < 0:
            raise ValueError("the clock can only be turned forward")
        self._state.put(_KIND, _ID, {"seconds": self._offset() + seconds})
        return self.now()

    def _offset(self) -> float:
        changes, known = self._state.changes(), self._known
        if known is None or known[0] != changes:
            document = self._state.get(_KIND, _ID)
            known = self._known = (changes, document["seconds"] if document else 0.0)
        return known[1]
