"""Account for a history: find out whether anything was lost that the broker had confirmed.

The model is Jepsen's total queue (https://github.com/jepsen-io/jepsen, ``checker/total-queue``):
whatever is confirmed has to come out, nothing else may, and duplicates are allowed, because
delivery is at least once.

Queues also promise order, to each connection that sends and to each that receives: what one sent to
a queue arrives at the other in that order (https://www.rabbitmq.com/docs/queues#message-ordering,
https://activemq.apache.org/components/classic/documentation/how-do-i-preserve-order-of-messages).
What the broker delivers again, because a consumer went without acknowledging it, may come later.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from testbed.history import Event, Kind


@dataclass(frozen=True)
class Account:
    """The messages of a history, each tuple in the order of their first appearance."""

    attempted: int
    confirmed: int
    received: int  # distinct
    failed: int  # refused by the broker, and never received
    lost: tuple[str, ...]  # confirmed, never received
    duplicated: tuple[str, ...]  # received more than once
    unexpected: tuple[str, ...]  # received before any attempt, after a refusal, or elsewhere
    unknown: tuple[str, ...]  # neither confirmed nor refused
    recovered: tuple[str, ...]  # unknown, but received
    disordered: tuple[str, ...] = ()  # first received after one that was sent later, see ``check``

    @property
    def ok(self) -> bool:
        """Whether nothing is lost, unexpected or out of order.

        Something has to be confirmed: no messages prove nothing.
        """
        return self.confirmed > 0 and not self.lost and not self.unexpected and not self.disordered

    def __str__(self) -> str:
        order = f", {len(self.disordered)} out of order" if self.disordered else ""
        return (
            f"{self.attempted} attempted, {self.confirmed} confirmed, {self.received} received, "
            f"{len(self.lost)} lost, {len(self.duplicated)} duplicated, "
            f"{len(self.unexpected)} unexpected, {len(self.unknown)} of unknown outcome "
            f"({len(self.recovered)} of them received){order}"
        )


# What is known of a message.
_ATTEMPTED, _CONFIRMED, _FAILED, _RECEIVED, _AGAIN, _EARLY, _ELSEWHERE, _DISORDERED = (
    1 << bit for bit in range(8)
)
_OUTCOMES = {Kind.CONFIRMED: _CONFIRMED, Kind.FAILED: _FAILED, Kind.UNKNOWN: 0}


def check(events: Iterable[Event], *, ordered: bool = True) -> Account:
    """Account for every message of a history.

    With ``ordered`` the first receipts of each receiving connection have to be in the order in
    which each sending connection sent to a destination. Receipts that the broker calls redelivered
    do not count, nor do events without a client. Leave it out where no order is promised: over a
    network of brokers, or with priorities. A message has to be received where it was sent to, where
    the events say both.

    The events are read once, and one entry is kept for each message. Raises ``ValueError`` for an
    impossible history: an outcome before its attempt, or a message both confirmed and refused.
    """
    messages = _Messages()
    for event in events:
        messages.add(event, ordered=ordered)
    return messages.account()


class _Messages:
    """What is known of each message: a byte of flags, and the number of who sent it where."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}  # in the order of first appearance
        self._flags = bytearray()
        self._flows = array("L")
        self._flow_numbers: dict[tuple[str, str], int] = {}  # from 1 on; 0 is nobody's
        self._places = array("L")
        self._place_numbers = {"": 0}
        self._latest: dict[tuple[str, int], int] = {}  # by receiving client and flow

    def add(self, event: Event, *, ordered: bool) -> None:
        number = self._numbers.setdefault(event.message, len(self._flags))
        if number == len(self._flags):
            self._flags.append(0)
            self._flows.append(0)
            self._places.append(0)
        known = self._flags[number]
        if event.kind is Kind.RECEIVED:
            known |= _RECEIVED | self._found_by(number, known, event, ordered=ordered)
        elif event.kind is Kind.ATTEMPTED:
            known |= _ATTEMPTED
            self._places[number] = self._place_numbers.setdefault(
                event.destination, len(self._place_numbers)
            )
            if event.client:
                flow = (event.client, event.destination)
                self._flows[number] = self._flow_numbers.setdefault(
                    flow, len(self._flow_numbers) + 1
                )
        elif not known & _ATTEMPTED:
            raise ValueError(f"{event.message} is {event.kind.value}, but it was not attempted")
        else:
            known |= _OUTCOMES[event.kind]
            if known & _CONFIRMED and known & _FAILED:
                raise ValueError(f"{event.message} is both confirmed and refused")
        self._flags[number] = known

    def _found_by(self, number: int, known: int, event: Event, *, ordered: bool) -> int:
        """Return what a receipt tells of a message of which ``known`` is known."""
        found = _ELSEWHERE if self._is_elsewhere(number, event.destination) else 0
        if known & _RECEIVED:
            return found | _AGAIN
        if not known & _ATTEMPTED:
            return found | _EARLY
        if ordered and not event.redelivered and self._is_overtaken(number, event.client):
            return found | _DISORDERED
        return found

    def _is_elsewhere(self, number: int, destination: str) -> bool:
        """Return whether a message was sent somewhere else than to ``destination``."""
        place = self._places[number]
        return bool(place and destination) and self._place_numbers.get(destination) != place

    def _is_overtaken(self, number: int, client: str) -> bool:
        """Return whether ``client`` has received a message that was sent after this one."""
        flow = self._flows[number]
        if not client or not flow:
            return False
        latest = self._latest.get((client, flow), -1)
        self._latest[client, flow] = max(latest, number)
        return number < latest

    def account(self) -> Account:
        decided = _CONFIRMED | _FAILED
        refused = set(self._with(_FAILED | _RECEIVED))
        return Account(
            attempted=self._count(_ATTEMPTED),
            confirmed=self._count(_CONFIRMED),
            received=self._count(_RECEIVED),
            failed=self._count(_FAILED, without=_RECEIVED),
            lost=self._with(_CONFIRMED, without=_RECEIVED),
            duplicated=self._with(_AGAIN),
            unexpected=tuple(
                message
                for message, known in zip(self._numbers, self._flags, strict=True)
                if known & (_EARLY | _ELSEWHERE) or message in refused
            ),
            unknown=self._with(_ATTEMPTED, without=decided),
            recovered=self._with(_ATTEMPTED | _RECEIVED, without=decided),
            disordered=self._with(_DISORDERED),
        )

    def _count(self, wanted: int, without: int = 0) -> int:
        return sum(known & (wanted | without) == wanted for known in self._flags)

    def _with(self, wanted: int, without: int = 0) -> tuple[str, ...]:
        """Return the messages with all flags of ``wanted`` and none of ``without``."""
        return tuple(
            message
            for message, known in zip(self._numbers, self._flags, strict=True)
            if known & (wanted | without) == wanted
        )
