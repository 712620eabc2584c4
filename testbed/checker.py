"""What a history amounts to: was anything lost that the broker had confirmed?

The model is Jepsen's total queue (https://github.com/jepsen-io/jepsen, ``checker/total-queue``):
what is confirmed has to come out, nothing else may come out, and coming out twice is allowed,
because delivery is at least once.
"""

from collections import Counter
from dataclasses import dataclass

from testbed.history import History, Kind


@dataclass(frozen=True)
class Account:
    """The messages of a history, each tuple in the order in which they first appeared."""

    attempted: int
    confirmed: int
    received: int  # distinct
    failed: int  # refused by the broker, and never received
    lost: tuple[str, ...]  # confirmed, never received
    duplicated: tuple[str, ...]  # received more than once
    unexpected: tuple[str, ...]  # received, but never attempted before, or refused
    unknown: tuple[str, ...]  # neither confirmed nor refused
    recovered: tuple[str, ...]  # unknown, and received all the same

    @property
    def ok(self) -> bool:
        """Nothing lost, nothing unexpected, and something confirmed: an empty history proves nothing."""
        return self.confirmed > 0 and not self.lost and not self.unexpected

    def __str__(self) -> str:
        return (
            f"{self.attempted} attempted, {self.confirmed} confirmed, {self.received} received, {len(self.lost)} lost, "
            f"{len(self.duplicated)} duplicated, {len(self.unexpected)} unexpected, "
            f"{len(self.unknown)} of unknown outcome ({len(self.recovered)} of them received)"
        )


def check(history: History) -> Account:
    """Account for every message of ``history``.

    Raises ``ValueError`` for a history that no run can have: an outcome of a message that was
    not attempted before it, or one message both confirmed and refused.
    """
    attempted: dict[str, None] = {}  # dicts keep the order
    confirmed: dict[str, None] = {}
    failed: dict[str, None] = {}
    unexpected: dict[str, None] = {}
    received: Counter[str] = Counter()
    for event in history.events:
        message = event.message
        if event.kind is Kind.ATTEMPTED:
            attempted[message] = None
            continue
        if event.kind is Kind.RECEIVED:
            received[message] += 1
            if message not in attempted:
                unexpected[message] = None
            continue
        if message not in attempted:
            raise ValueError(f"{message} is {event.kind.value}, but it was not attempted")
        if event.kind is Kind.CONFIRMED:
            confirmed[message] = None
        elif event.kind is Kind.FAILED:
            failed[message] = None
    if contradictory := confirmed.keys() & failed.keys():
        raise ValueError(f"{min(contradictory)} is both confirmed and refused")
    unexpected |= {message: None for message in received if message in failed}
    unknown = tuple(
        message for message in attempted if message not in confirmed and message not in failed
    )
    return Account(
        attempted=len(attempted),
        confirmed=len(confirmed),
        received=len(received),
        failed=sum(message not in received for message in failed),
        lost=tuple(message for message in confirmed if message not in received),
        duplicated=tuple(message for message, times in received.items() if times > 1),
        unexpected=tuple(unexpected),
        unknown=unknown,
        recovered=tuple(message for message in unknown if message in received),
    )
