"""Rates of messages over time."""

from testbed.history import Event, Kind
from testbed.timeline import Rate, rates


def test_rates_are_counted_in_steps_from_the_beginning() -> None:
    events = [
        Event(Kind.CONFIRMED, "0", 9.9),
        Event(Kind.ATTEMPTED, "1", 10.0),
        Event(Kind.CONFIRMED, "1", 10.1),
        Event(Kind.RECEIVED, "1", 11.2),
    ]
    assert rates(events, 10.0) == (
        Rate(0.0, 2.0, 0.0),
        Rate(0.5, 0.0, 0.0),
        Rate(1.0, 0.0, 2.0),
    )
