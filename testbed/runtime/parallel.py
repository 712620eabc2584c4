"""Several things side by side, so that Ctrl-C is heard at once and no process of ours outlives us.

Threads are daemons: one that waits for an answer of the engine does not keep an interrupted program alive.
"""

import atexit
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from testbed.errors import Interrupted

T = TypeVar("T")
_children: set[subprocess.Popen[Any]] = set()


class Task:
    """``work`` in a thread of its own, from now on."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._result: Any = None
        self._error: BaseException | None = None
        # Not the thread's own end: a join that Ctrl-C interrupts takes a running thread for ended from then on
        # (https://github.com/python/cpython/issues/90882).
        self._ended = threading.Event()
        threading.Thread(target=self._run, args=(work,), daemon=True).start()

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            self._result = work()
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            self._error = error
        finally:
            self._ended.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it has ended, after ``timeout`` seconds at most."""
        return self._ended.wait(timeout)

    def result(self, cancelled: threading.Event | None = None) -> Any:
        """What ``work`` returned, once it has; raises what it raised, the first time and every other.

        Raises ``Interrupted`` as soon as ``cancelled`` is set. ``work`` then goes on by itself, and ends with the program.
        """
        while not self.wait(
            0.1
        ):  # in slices: a join without an end would not hear Ctrl-C on every platform
            if cancelled is not None and cancelled.is_set():
                raise Interrupted("Interrupted.")
        if self._error is not None:
            raise self._error
        return self._result


def side_by_side(
    work: Sequence[Callable[[], T]],
    on_interrupt: Callable[[], None] = lambda: None,
    patience: float = 20.0,
) -> list[T]:
    """Call each of ``work`` in a thread of its own and return the results in order.

    When one raises, the others are awaited and the first error is raised. When the program is interrupted,
    ``on_interrupt`` is called, and the others get ``patience`` seconds together to notice.
    """
    tasks = [Task(each) for each in work]
    try:
        for task in tasks:
            while not task.wait(0.1):
                pass
    except BaseException:
        on_interrupt()
        deadline = time.monotonic() + patience
        for task in tasks:
            task.wait(max(0.0, deadline - time.monotonic()))
        raise
    return [task.result() for task in tasks]


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run ``command`` to its end and return exit code and output, both streams. It is ended when this program ends."""
    child = subprocess.Popen(
        list(command),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    _children.add(child)
    try:
        output, _ = child.communicate()
    except BaseException:
        child.terminate()
        child.wait()
        raise
    finally:
        _children.discard(child)
    return child.returncode, output


@atexit.register
def _end_children() -> None:
    for child in list(_children):
        child.terminate()
    for child in list(_children):
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
