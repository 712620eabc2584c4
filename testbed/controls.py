"""Brokers with planted defects for the control runs of checks: started once and shared."""

import threading
from collections.abc import Callable
from contextlib import ExitStack

from testbed.broker.model import Broker
from testbed.engines.base import Defects
from testbed.errors import TestbedError
from testbed.runtime.tasks import Task


class Controls:
    """Keep one broker for each engine and kind of defect, from its first use until ``close``.

    A check that changes or stops its control needs its own broker instead.
    """

    def __init__(
        self, create: Callable[[str, Defects], Broker], delete: Callable[[str], object]
    ) -> None:
        self._create, self._delete = create, delete
        self._starts: dict[tuple[str, Defects], Task[Broker]] = {}
        self._lock = threading.Lock()

    def get(self, engine_type: str, defects: Defects) -> Broker:
        """Return the broker, started if it is not yet. Raises as ``Brokers.create`` does."""
        start = self.start(engine_type, defects)
        try:
            return start.result()
        except BaseException:
            kind = (engine_type, defects)
            with self._lock:
                # It failed: the next one who asks may have more luck. One who waited, too, may have
                # asked already, and that start is not the failed one.
                if start.wait(0) and self._starts.get(kind) is start:
                    del self._starts[kind]
            raise

    def start(self, engine_type: str, defects: Defects) -> Task[Broker]:
        """Have the broker started in the background."""
        with self._lock:
            kind = (engine_type, defects)
            if kind not in self._starts:
                self._starts[kind] = Task(lambda: self._create(engine_type, defects))
            return self._starts[kind]

    def close(self) -> None:
        """Delete all of them. Raises an error of a deletion when all have been tried."""
        with self._lock:
            starts, self._starts = self._starts, {}
        with ExitStack() as deletions:
            for start in starts.values():
                deletions.callback(self._end, start)

    def _end(self, start: Task[Broker]) -> None:
        try:
            broker = start.result()
        except TestbedError:  # there is nothing to delete
            return
        self._delete(broker.broker_id)
