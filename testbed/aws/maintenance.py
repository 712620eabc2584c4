"""What Amazon MQ does by itself, for as long as someone is there to do it: a round for each broker every some seconds.

The service's period is not documented. A round that takes its time (a node is brought back) keeps no other broker waiting.
"""

import logging
import threading
from contextlib import suppress

from testbed.broker.service import Brokers
from testbed.errors import NotFoundException

logger = logging.getLogger(__name__)

PERIOD = 10.0  # seconds


class Maintenance:
    """Rounds for all of ``brokers`` from ``start`` to ``stop``. Errors are logged when they are new, and end nothing."""

    def __init__(self, brokers: Brokers, period: float = PERIOD) -> None:
        self._brokers, self._period = brokers, period
        self._over = threading.Event()
        self._rounds: dict[str, threading.Thread] = {}
        self._said: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="maintenance", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, patience: float = 10.0) -> None:
        """Begin no further round; those that are on their way get ``patience`` seconds each."""
        self._over.set()
        self._thread.join(patience)
        for each in self._rounds.values():
            each.join(patience)

    def _run(self) -> None:
        while not self._over.is_set():
            with self._logged("maintenance"):
                self._begin(self._brokers.ids())
            self._over.wait(self._period)

    def _begin(self, ids: tuple[str, ...]) -> None:
        self._rounds = {
            identity: thread for identity, thread in self._rounds.items() if thread.is_alive()
        }
        for identity in ids:
            if identity not in self._rounds:
                self._rounds[identity] = threading.Thread(
                    target=self._round, args=(identity,), daemon=True
                )
                self._rounds[identity].start()

    def _round(self, identity: str) -> None:
        with self._logged(identity), suppress(NotFoundException):  # deleted meanwhile
            self._brokers.maintain(identity)

    def _logged(self, what: str) -> "_Logged":
        return _Logged(what, self._said)


class _Logged:
    """Keeps errors in, and says each once, until it is another one or none."""

    def __init__(self, what: str, said: dict[str, str]) -> None:
        self._what, self._said = what, said

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> bool:
        line = f"{self._what}: {kind.__name__}: {error}" if kind else ""
        if line and self._said.get(self._what) != line:
            logger.error(line)
        self._said[self._what] = line
        return isinstance(error, Exception)
