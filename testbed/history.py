"""Record what happens to each message of a run.

A message's identity is part of its body: ``body_of`` makes a body, ``identity_of`` reads the
identity back and checks every byte. ``testbed.history_file`` keeps a history on disk.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from random import Random

import msgspec


class Kind(StrEnum):
    """What happened to a message."""

    ATTEMPTED = "attempted"  # about to be sent
    CONFIRMED = "confirmed"  # the broker has taken responsibility
    FAILED = "failed"  # the broker has refused it: known not to be taken
    UNKNOWN = "unknown"  # no answer: the broker may have it or not
    RECEIVED = "received"


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One event; ``at`` is in seconds of ``time.monotonic()``.

    ``client`` is the connection that sent or received the message, ``destination`` where. Both may
    be left out; the order of messages is then not checked. ``redelivered`` is what the broker says
    of a message that it has delivered before.
    """

    kind: Kind
    message: str
    at: float
    client: str = ""
    destination: str = ""
    redelivered: bool = False


@dataclass(frozen=True)
class History:
    """Events in the order in which they were recorded."""

    events: tuple[Event, ...] = ()

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def of(self, kind: Kind) -> tuple[str, ...]:
        """Return the messages of all events of ``kind``, in order, with repetitions."""
        return tuple(event.message for event in self.events if event.kind is kind)

    def longest_pause(self) -> float:
        """Return the longest time between two confirmations in seconds; 0 for fewer than two."""
        times = [event.at for event in self.events if event.kind is Kind.CONFIRMED]
        return max((later - earlier for earlier, later in pairwise(times)), default=0.0)


class Recorder:
    """Collects events from any number of threads. Equal seeds give equal identities.

    ``write`` gets each event, too, in the same order: that of a ``history_file.Writer``, for one.
    """

    def __init__(
        self, seed: int | None = None, write: Callable[[Event], None] = lambda event: None
    ) -> None:
        self._run = f"{Random(seed).getrandbits(48):012x}"  # noqa: S311 - an identity, no secret
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._write = write
        self._made = self._clients = 0

    @classmethod
    def of(cls, history: History) -> "Recorder":
        """Return a recorder that continues ``history``."""
        recorder = cls()
        recorder._events = list(history.events)
        return recorder

    def new_message(self) -> str:
        """Return the next identity of this run."""
        with self._lock:
            self._made += 1
            return f"{self._run}-{self._made:07d}"

    def new_client(self) -> str:
        """Return a name for a connection."""
        with self._lock:
            self._clients += 1
            return f"client-{self._clients}"

    def record(
        self,
        kind: Kind,
        message: str,
        client: str = "",
        destination: str = "",
        *,
        redelivered: bool = False,
    ) -> None:
        with self._lock:  # take the time inside, so that order and times agree
            event = Event(kind, message, time.monotonic(), client, destination, redelivered)
            self._events.append(event)
            self._write(event)

    def history(self) -> History:
        """Return the events so far; later ones do not change it."""
        with self._lock:
            return History(tuple(self._events))


def body_of(message: str, size: int = 64) -> bytes:
    """Return a printable body of ``size`` bytes, or of as many as the identity needs.

    It is always the same for the same arguments, and contains its own length.
    """
    while len(head := f"{message}:{size}:".encode()) > size:
        size = len(head)
    padding = size - len(head)
    pattern = hashlib.sha256(head).hexdigest().encode()
    return head + (pattern * (padding // len(pattern) + 1))[:padding]


def identity_of(body: bytes) -> str:
    """Return the identity in ``body``; ``"foreign:..."`` unless ``body_of`` made exactly it."""
    message, _, rest = body.decode("utf-8", "replace").partition(":")
    size = rest.partition(":")[0]
    if size == str(len(body)) and body == body_of(message, len(body)):
        return message
    return f"foreign:{hashlib.sha256(body).hexdigest()[:16]}"
