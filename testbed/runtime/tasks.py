"""Work in threads, in such a way that Ctrl-C takes effect at once.

Threads are daemons: one that waits for the engine does not keep an interrupted program alive.
"""

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from testbed.errors import Interrupted

T = TypeVar("T")
_SLICE = 0.1  # seconds; a wait without an end would not hear Ctrl-C on every platform


class Task(Generic[T]):
    """A call of ``work`` in a thread, begun at once."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._result: list[T] = []
        self._error: BaseException | None = None
        # Not the end of the thread: after a join that Ctrl-C interrupted, Python takes a running
        # thread for ended (https://github.com/python/cpython/issues/90882).
        self._ended = threading.Event()
        threading.Thread(target=self._run, args=(work,), daemon=True).start()

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._result.append(work())
        except BaseException as error:  # noqa: BLE001 - raised by ``result``
            self._error = error
        finally:
            self._ended.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, for ``timeout`` seconds at most, and return whether it came."""
        return self._ended.wait(timeout)

    def result(self, cancelled: threading.Event | None = None) -> T:
        """Wait for the end and return what ``work`` returned, or raise what it raised.

        Raises ``Interrupted`` as soon as ``cancelled`` is set; the thread then goes on until the
        program ends.
        """
        while not self.wait(_SLICE):
            if cancelled is not None and cancelled.is_set():
                raise Interrupted("Interrupted.")
        if self._error is not None:
            raise self._error
        return self._result[0]


def reap(process: subprocess.Popen[bytes]) -> None:
    """Wait in a thread for the end of a process that may outlive this one.

    Whoever starts a process has to wait for it, or it stays behind as a zombie when it ends.
    """
    threading.Thread(target=process.wait, daemon=True).start()


def run_concurrently(
    work: Sequence[Callable[[], T]],
    on_interrupt: Callable[[], None] = lambda: None,
    patience: float = 20.0,
) -> list[T]:
    """Call each of ``work`` in a thread and return the results in order.

    When one raises, the others are waited for, and the first error is raised. When the program is
    interrupted, ``on_interrupt`` is called, and the others get ``patience`` seconds to notice.
    """
    tasks: list[Task[T]] = []
    try:
        for call in work:  # an interruption is told even while the last of them starts
            tasks.append(Task(call))  # noqa: PERF401
        for task in tasks:
            while not task.wait(_SLICE):
                pass
    except BaseException:
        on_interrupt()
        deadline = time.monotonic() + patience
        for task in tasks:
            task.wait(max(0.0, deadline - time.monotonic()))
        raise
    return [task.result() for task in tasks]


def run_in_step(
    work: Sequence[Callable[[Callable[[], object]], T]],
    step: Callable[[], object],
    on_interrupt: Callable[[], None] = lambda: None,
) -> list[T]:
    """Call each of ``work`` in a thread, with a function that waits until all have called it.

    Then ``step`` is called once, and all go on. Return the results in order. When one raises, those
    that wait end, and its error is raised.
    """

    def take_step() -> None:
        step()

    together = threading.Barrier(len(work), take_step)

    def call(one: Callable[[Callable[[], object]], T]) -> list[T]:
        try:
            return [one(together.wait)]
        except threading.BrokenBarrierError:
            return []  # by the error of another
        except BaseException:
            together.abort()
            raise

    results = run_concurrently([partial(call, one) for one in work], on_interrupt)
    return [result for ended in results for result in ended]
