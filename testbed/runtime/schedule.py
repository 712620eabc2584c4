"""Share items among threads, when some items cannot be worked on at the same time."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Schedule(Generic[T]):
    """Items, most urgent first, of which each thread takes the first that fits.

    ``fit`` says of two items whether they can be worked on at the same time.
    """

    def __init__(self, items: Sequence[T], fit: Callable[[T, T], bool]) -> None:
        self._waiting = list(items)
        self._fit = fit
        self._taken: list[T] = []
        self._changed = threading.Condition()

    def work(self, call: Callable[[T], None]) -> None:
        """Call ``call`` in this thread with one item after the other, until none is left."""
        while (item := self._take()) is not None:
            try:
                call(item)
            finally:
                self._put_down(item)

    def _take(self) -> T | None:
        with self._changed:
            while self._waiting:
                for item in self._waiting:
                    if all(self._fit(item, taken) for taken in self._taken):
                        self._waiting.remove(item)
                        self._taken.append(item)
                        return item
                self._changed.wait()
            return None

    def _put_down(self, item: T) -> None:
        with self._changed:
            self._taken.remove(item)
            self._changed.notify_all()
