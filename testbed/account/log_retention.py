"""The end of log events: those that are older than their group's retention are removed."""

from collections.abc import Iterator
from typing import Any

_DAY = 86_400_000  # milliseconds


def has_expired(logs: Any, now: float) -> bool:
    """Return whether moto's Logs has events to remove at ``now``, seconds since 1970."""
    return any(
        event.timestamp < earliest
        for stream, earliest in _limited(logs, now)
        for event in stream.events
    )


def expire(logs: Any, now: float) -> None:
    """Remove them."""
    for stream, earliest in _limited(logs, now):
        stream.events = [event for event in stream.events if event.timestamp >= earliest]


def _limited(logs: Any, now: float) -> Iterator[tuple[Any, float]]:
    """Yield the streams of groups with a retention, and the earliest time that is kept."""
    for group in logs.groups.values():
        if group.retention_in_days:
            earliest = now * 1000 - int(group.retention_in_days) * _DAY
            yield from ((stream, earliest) for stream in group.streams.values())
