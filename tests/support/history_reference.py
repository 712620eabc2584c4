"""What an account has to be, by definition: slow, and one sentence for each member."""

from collections.abc import Callable, Sequence
from typing import Any

from testbed.history import Event, Kind


def reference(events: Sequence[Event], *, ordered: bool) -> dict[str, Any] | None:
    """Return the members of the account, or None for an impossible history."""
    names = list(dict.fromkeys(event.message for event in events))

    def positions(name: str, kind: Kind) -> list[int]:
        return [
            at for at, event in enumerate(events) if (event.message, event.kind) == (name, kind)
        ]

    def has(name: str, kind: Kind) -> bool:
        return bool(positions(name, kind))

    def received(name: str) -> bool:
        return has(name, Kind.RECEIVED)

    for at, event in enumerate(events):
        attempts = positions(event.message, Kind.ATTEMPTED)
        decides = event.kind not in (Kind.ATTEMPTED, Kind.RECEIVED)
        if decides and not any(attempt < at for attempt in attempts):
            return None
        if has(event.message, Kind.CONFIRMED) and has(event.message, Kind.FAILED):
            return None

    def receipt(name: str) -> int:
        return positions(name, Kind.RECEIVED)[0]

    def early(name: str) -> bool:
        attempts = positions(name, Kind.ATTEMPTED)
        return received(name) and not any(attempt < receipt(name) for attempt in attempts)

    def elsewhere(name: str) -> bool:
        return any(
            sent[-1] and events[at].destination not in ("", sent[-1])
            for at in positions(name, Kind.RECEIVED)
            if (
                sent := [
                    events[attempt].destination
                    for attempt in positions(name, Kind.ATTEMPTED)
                    if attempt < at
                ]
            )
        )

    def flow(name: str) -> tuple[str, str, str] | None:
        """Return who sent it, where, and who received it; None if that decides no order."""
        first = events[receipt(name)]
        sent = [
            events[at]
            for at in positions(name, Kind.ATTEMPTED)
            if at < receipt(name) and events[at].client
        ]
        if early(name) or first.redelivered or not first.client or not sent:
            return None
        return sent[-1].client, sent[-1].destination, first.client

    def overtaken(name: str) -> bool:
        return received(name) and any(
            flow(other) == flow(name) is not None
            and names.index(other) > names.index(name)
            and receipt(other) < receipt(name)
            for other in names
            if received(other)
        )

    def undecided(name: str) -> bool:
        decided = has(name, Kind.CONFIRMED) or has(name, Kind.FAILED)
        return has(name, Kind.ATTEMPTED) and not decided

    def those(condition: Callable[[str], bool]) -> tuple[str, ...]:
        return tuple(name for name in names if condition(name))

    return {
        "attempted": len(those(lambda name: has(name, Kind.ATTEMPTED))),
        "confirmed": len(those(lambda name: has(name, Kind.CONFIRMED))),
        "received": len(those(received)),
        "failed": len(those(lambda name: has(name, Kind.FAILED) and not received(name))),
        "lost": those(lambda name: has(name, Kind.CONFIRMED) and not received(name)),
        "duplicated": those(lambda name: len(positions(name, Kind.RECEIVED)) > 1),
        "unexpected": those(
            lambda name: (
                early(name) or elsewhere(name) or (has(name, Kind.FAILED) and received(name))
            )
        ),
        "unknown": those(undecided),
        "recovered": those(lambda name: undecided(name) and received(name)),
        "disordered": those(overtaken) if ordered else (),
    }
