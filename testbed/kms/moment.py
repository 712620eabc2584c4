"""The time of a call: one, for all that is decided on it, however long it takes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Moment:
    """``clock``, which stands still for a thread while it holds the moment. What the clock costs is so paid once a call."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._local = clock, threading.local()

    def now(self) -> float:
        """Seconds since 1970."""
        held = getattr(self._local, "held", None)
        return self._clock() if held is None else held

    @contextmanager
    def held(self) -> Iterator[float]:
        self._local.held = self.now()
        try:
            yield self._local.held
        finally:
            self._local.held = None
