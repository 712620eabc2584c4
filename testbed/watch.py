"""Watch a broker, its key and its grants as they are stored, which is recorded nowhere."""

import threading
import time
from contextlib import closing
from typing import Self

from testbed.graph import Dependencies
from testbed.history import History
from testbed.kms.key import Key
from testbed.kms.ledger import Ledger
from testbed.relations import chains
from testbed.testbed import Testbed
from testbed.timeline import Change, Kind, Lane, Moment, Timeline, rates

_PERIOD = 0.1  # seconds between two looks


class Watch:
    """Records changes of the states of a broker and its key while the ``with`` block runs."""

    def __init__(self, testbed: Testbed, broker_id: str) -> None:
        self._testbed, self._broker_id = testbed, broker_id
        self._key = testbed.brokers.peek(broker_id).key_arn
        self._lanes: dict[str, list[Change]] = {"key": [], "broker": []}
        self._moments: list[Moment] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._begun = self._ended = time.monotonic()
        self._thread = threading.Thread(target=self._keep_looking, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._ledger = Ledger(self._testbed.state)
        self._begun = time.monotonic()
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._look()
        self._ledger.close()
        self._ended = time.monotonic()

    def note(self, what: str, *, refused: bool = False) -> None:
        """Record that something was done just now, and what the states are after it."""
        at = self._now()
        with self._lock:
            self._moments.append(Moment(at, what, refused))
        self._look()

    def timeline(self, subject: str, history: History) -> Timeline:
        """Return what was recorded; the rates are those of ``history``."""
        lanes = tuple(Lane(name, tuple(changes)) for name, changes in self._lanes.items())
        return Timeline(
            subject,
            round(self._ended - self._begun, 2),
            tuple(
                rate for rate in rates(history, self._begun) if rate.at < self._ended - self._begun
            ),
            lanes,
            tuple(self._moments),
        )

    def _now(self) -> float:
        return round(time.monotonic() - self._begun, 2)

    def _keep_looking(self) -> None:
        while not self._stopping.wait(_PERIOD):
            self._look()

    def _look(self) -> None:
        with self._lock:
            now = self._testbed.clock.now()
            key = self._ledger.key(self._key)
            state = self._testbed.brokers.peek(self._broker_id).broker_state
            self._add("key", *_key_state(key, now))
            self._add("broker", state, _broker_kind(state))

    def _add(self, lane: str, state: str, kind: Kind) -> None:
        changes = self._lanes[lane]
        if not changes or changes[-1].state != state:
            changes.append(Change(self._now(), state, kind))


def _key_state(key: Key | None, now: float) -> tuple[str, Kind]:
    if key is None:
        return "deleted", "bad"
    if key.state == "Enabled":
        return key.state, "good"
    return (f"{key.state}, not yet in effect", "passing") if key.usable(now) else (key.state, "bad")


def _broker_kind(state: str) -> Kind:
    if state == "RUNNING":
        return "good"
    return "passing" if state.endswith("_IN_PROGRESS") else "bad"


def dependencies(testbed: Testbed, broker_id: str, subject: str) -> Dependencies:
    """Return which grants let which services open the broker's volumes just now."""
    broker, now = testbed.brokers.peek(broker_id), testbed.clock.now()
    with closing(Ledger(testbed.state)) as ledger:
        key, grants = ledger.key(broker.key_arn), ledger.grants(key=broker.key_arn)
    running = {row["id"] for row in testbed.containers.find() if row["status"] == "running"}
    keys = [key] if key else []
    found = chains(keys, {}, {broker.key_arn: grants}, [broker], now=now, running=running)
    return Dependencies(subject, tuple(found))
