"""What happened to a broker over time: states, what was done, and messages a second. Pure.

Times are in seconds from the beginning.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from testbed import history

Kind = Literal["good", "bad", "passing"]
STEP = 0.5  # seconds for which a rate is counted


@dataclass(frozen=True)
class Rate:
    """Messages a second from ``at`` on, until the next one."""

    at: float
    confirmed: float
    received: float


@dataclass(frozen=True)
class Change:
    """A state from ``at`` on, until the next one: a good one, a bad one, or one that will pass."""

    at: float
    state: str
    kind: Kind


@dataclass(frozen=True)
class Lane:
    """The states of one thing, in their order."""

    name: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Moment:
    """Something that was done. ``refused`` is whether it was refused."""

    at: float
    what: str
    refused: bool = False


@dataclass(frozen=True)
class Timeline:
    """A broker's time line. ``subject`` names it and what it is about."""

    subject: str
    seconds: float
    rates: tuple[Rate, ...]
    lanes: tuple[Lane, ...]
    moments: tuple[Moment, ...]


def rates(events: Iterable[history.Event], begun: float) -> tuple[Rate, ...]:
    """Return the rates from ``begun`` to the last event, in steps."""
    counts: Counter[tuple[int, history.Kind]] = Counter(
        (int((event.at - begun) // STEP), event.kind) for event in events if event.at >= begun
    )
    last = max((step for step, _ in counts), default=-1)
    return tuple(
        Rate(
            step * STEP,
            counts[step, history.Kind.CONFIRMED] / STEP,
            counts[step, history.Kind.RECEIVED] / STEP,
        )
        for step in range(last + 1)
    )
