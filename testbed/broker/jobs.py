"""What remains of an operation once it has been answered, and the threads in which it finishes."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from testbed.broker.model import Broker

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """An operation that has begun: the broker as the answer describes it, and ``finish``.

    ``finish`` may be called in any thread; a later one, or another process, may be faster.
    """

    broker: Broker
    finish: Callable[[], None]


class JobThreads:
    """Runs each job in a thread. Errors are logged, since no caller waits for them."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._guard = threading.Lock()

    def start(self, job: Job) -> None:
        """Finish the job in a new thread."""
        name = f"finish {job.broker.broker_id}"
        thread = threading.Thread(target=_run, args=(job,), name=name, daemon=True)
        with self._guard:
            self._threads = [running for running in self._threads if running.is_alive()]
            self._threads.append(thread)
            thread.start()

    def wait(self, patience: float) -> None:
        """Give each job that still runs ``patience`` seconds."""
        with self._guard:
            threads = list(self._threads)
        for thread in threads:
            thread.join(patience)


def _run(job: Job) -> None:
    try:
        job.finish()
    except Exception as error:  # noqa: BLE001 - no caller waits for it
        logger.error(  # noqa: TRY400 - one line, not a traceback
            "%s: %s: %s", job.broker.broker_id, type(error).__name__, error
        )
