"""What Amazon MQ does by itself: rounds of maintenance for each broker.

The service's period is not documented. A long round, which brings a node back, does not delay the
other brokers.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from testbed.broker.service import Brokers
from testbed.errors import NotFoundException

logger = logging.getLogger(__name__)

PERIOD = 10.0  # seconds


class Maintenance:
    """Rounds for all of ``brokers`` from ``start`` to ``stop``, every ``period`` seconds.

    An error ends no round but its own, and is logged when it is new.
    """

    def __init__(self, brokers: Brokers, period: float = PERIOD) -> None:
        self._brokers, self._period = brokers, min(period, threading.TIMEOUT_MAX)
        self._stopping = threading.Event()
        self._rounds: dict[str, threading.Thread] = {}
        self._last_errors: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="maintenance", daemon=True)

    def start(self) -> None:
        """Begin, in a thread."""
        self._thread.start()

    def stop(self, patience: float = 10.0) -> None:
        """Begin no further round, and wait ``patience`` seconds for each one under way."""
        self._stopping.set()
        self._thread.join(patience)
        for thread in self._rounds.values():
            thread.join(patience)

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._logged("maintenance"):
                self._begin(self._brokers.ids())
            self._stopping.wait(self._period)

    def _begin(self, broker_ids: tuple[str, ...]) -> None:
        self._rounds = {
            broker_id: thread for broker_id, thread in self._rounds.items() if thread.is_alive()
        }
        for broker_id in broker_ids:
            if broker_id not in self._rounds:
                thread = threading.Thread(target=self._round, args=(broker_id,), daemon=True)
                self._rounds[broker_id] = thread
                thread.start()

    def _round(self, broker_id: str) -> None:
        with self._logged(broker_id), suppress(NotFoundException):  # deleted in between
            self._brokers.upkeep.maintain(broker_id)

    @contextmanager
    def _logged(self, subject: str) -> Iterator[None]:
        """Suppress errors, and log one unless it is the same as the last of ``subject``."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - see above
            line = f"{subject}: {type(error).__name__}: {error}"
            if self._last_errors.get(subject) != line:
                logger.error(line)  # noqa: TRY400 - a trace may hold secrets
            self._last_errors[subject] = line
        else:
            self._last_errors.pop(subject, None)
