"""What happened to each message of a run, written down as it happens.

A message's identity is part of its body, so that whatever comes back can be told from what was
sent: ``body_of`` makes a body and ``identity_of`` reads it back, checking every byte.
"""

import hashlib
import threading
import time
from dataclasses import dataclass
from enum import Enum
from random import Random


class Kind(str, Enum):
    ATTEMPTED = "attempted"  # about to be sent
    CONFIRMED = "confirmed"  # the broker has taken responsibility
    FAILED = "failed"  # the broker has refused it: known not to be taken
    UNKNOWN = "unknown"  # no answer: the broker may have it or not
    RECEIVED = "received"


@dataclass(frozen=True)
class Event:
    """``at`` is ``time.monotonic()`` seconds: only differences mean something."""

    kind: Kind
    message: str
    at: float


@dataclass(frozen=True)
class History:
    """Events in the order in which they were recorded."""

    events: tuple[Event, ...] = ()

    def of(self, kind: Kind) -> tuple[str, ...]:
        """The messages of every event of this kind, in order and with repetitions."""
        return tuple(event.message for event in self.events if event.kind is kind)

    def longest_pause(self) -> float:
        """Seconds of the longest time between one confirmation and the next; 0 with fewer than two."""
        times = [event.at for event in self.events if event.kind is Kind.CONFIRMED]
        return max((later - earlier for earlier, later in zip(times, times[1:])), default=0.0)


class Recorder:
    """Collects events from any number of threads. The same ``seed`` gives the same identities."""

    def __init__(self, seed: int | None = None) -> None:
        self._run = f"{Random(seed).getrandbits(48):012x}"
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._made = 0

    @classmethod
    def of(cls, history: History) -> "Recorder":
        """One that goes on where ``history`` ends."""
        recorder = cls()
        recorder._events = list(history.events)
        return recorder

    def new_message(self) -> str:
        """The next identity of this run."""
        with self._lock:
            self._made += 1
            return f"{self._run}-{self._made:07d}"

    def record(self, kind: Kind, message: str) -> None:
        with self._lock:  # the time is taken inside, so that the order and the times agree
            self._events.append(Event(kind, message, time.monotonic()))

    def history(self) -> History:
        """Everything up to now; later events do not change it."""
        with self._lock:
            return History(tuple(self._events))


def body_of(message: str, size: int = 64) -> bytes:
    """A body of ``size`` bytes (or as many as the identity needs), printable, the same every time. It says its own length."""
    while len(head := f"{message}:{size}:".encode()) > size:
        size = len(head)
    wanted = size - len(head)
    pattern = hashlib.sha256(head).hexdigest().encode()
    return head + (pattern * (wanted // len(pattern) + 1))[:wanted]


def identity_of(body: bytes) -> str:
    """The identity in ``body``, or ``"foreign:..."`` for any body that ``body_of`` did not make, a damaged one included."""
    message, _, rest = body.decode("utf-8", "replace").partition(":")
    size = rest.partition(":")[0]
    if size == str(len(body)) and body == body_of(message, len(body)):
        return message
    return f"foreign:{hashlib.sha256(body).hexdigest()[:16]}"
