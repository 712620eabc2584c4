"""Account for a history: find out whether anything was lost that the broker had confirmed.

The model is Jepsen's total queue (https://github.com/jepsen-io/jepsen, ``checker/total-queue``):
whatever is confirmed has to come out, nothing else may, and duplicates are allowed, because
delivery is at least once.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from testbed.history import Event, History, Kind


@dataclass(frozen=True)
class Account:
    """The messages of a history, each tuple in the order of their first appearance."""

    attempted: int
    confirmed: int
    received: int  # distinct
    failed: int  # refused by the broker, and never received
    lost: tuple[str, ...]  # confirmed, never received
    duplicated: tuple[str, ...]  # received more than once
    unexpected: tuple[str, ...]  # received before any attempt, or after a refusal
    unknown: tuple[str, ...]  # neither confirmed nor refused
    recovered: tuple[str, ...]  # unknown, but received

    @property
    def ok(self) -> bool:
        """Nothing is lost or unexpected, and something is confirmed: no messages prove nothing."""
        return self.confirmed > 0 and not self.lost and not self.unexpected

    def __str__(self) -> str:
        return (
            f"{self.attempted} attempted, {self.confirmed} confirmed, {self.received} received, "
            f"{len(self.lost)} lost, {len(self.duplicated)} duplicated, "
            f"{len(self.unexpected)} unexpected, {len(self.unknown)} of unknown outcome "
            f"({len(self.recovered)} of them received)"
        )


def check(history: History) -> Account:
    """Account for every message of ``history``.

    Raises ``ValueError`` for an impossible history: an outcome before its attempt, or a message
    both confirmed and refused.
    """
    _require_possible(history.events)
    # Counters keep the order of first appearance.
    attempted, confirmed, failed, received = (
        Counter(history.of(kind))
        for kind in (Kind.ATTEMPTED, Kind.CONFIRMED, Kind.FAILED, Kind.RECEIVED)
    )
    unknown = _without(attempted, confirmed, failed)
    refused = (message for message in received if message in failed)
    return Account(
        attempted=len(attempted),
        confirmed=len(confirmed),
        received=len(received),
        failed=len(_without(failed, received)),
        lost=_without(confirmed, received),
        duplicated=tuple(message for message, times in received.items() if times > 1),
        unexpected=tuple(dict.fromkeys((*_unattempted(history.events), *refused))),
        unknown=unknown,
        recovered=tuple(message for message in unknown if message in received),
    )


def _without(messages: Iterable[str], *others: Container[str]) -> tuple[str, ...]:
    return tuple(message for message in messages if not any(message in other for other in others))


def _unattempted(events: Iterable[Event]) -> Iterator[str]:
    """Yield the messages received before any attempt to send them."""
    attempted = set()
    for event in events:
        if event.kind is Kind.ATTEMPTED:
            attempted.add(event.message)
        elif event.kind is Kind.RECEIVED and event.message not in attempted:
            yield event.message


def _require_possible(events: Iterable[Event]) -> None:
    outcomes: dict[str, set[Kind]] = {}
    for event in events:
        if event.kind is Kind.ATTEMPTED:
            outcomes.setdefault(event.message, set())
        elif event.kind is not Kind.RECEIVED:
            if event.message not in outcomes:
                raise ValueError(f"{event.message} is {event.kind.value}, but it was not attempted")
            outcomes[event.message].add(event.kind)
    for message, kinds in outcomes.items():
        if {Kind.CONFIRMED, Kind.FAILED} <= kinds:
            raise ValueError(f"{message} is both confirmed and refused")
