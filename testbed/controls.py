"""Brokers with planted defects for the control runs of checks: started once and shared."""

import threading
from collections.abc import Callable

from testbed.broker.model import Broker
from testbed.engines.base import Defects
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
            with self._lock:
                if start.wait(0):  # it failed: the next one who asks may have more luck
                    self._starts.pop((engine_type, defects), None)
            raise

    def start(self, engine_type: str, defects: Defects) -> Task[Broker]:
        """Have the broker started in the background."""
        with self._lock:
            kind = (engine_type, defects)
            if kind not in self._starts:
                self._starts[kind] = Task(lambda: self._create(engine_type, defects))
            return self._starts[kind]

    def close(self) -> None:
        """Delete all of them."""
        with self._lock:
            starts, self._starts = self._starts, {}
        for start in starts.values():
            self._delete(start.result().broker_id)
