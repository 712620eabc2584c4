"""When messages are due and how many may be under way, with a clock that the test turns."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.bench.load.accounting import Outstanding
from testbed.bench.load.roles import Measured, Producer, Timetable, Window
from testbed.bench.statistics import distribution

SECOND = 1_000_000_000


def test_messages_are_due_at_even_distances() -> None:
    timetable = Timetable(1000, start=SECOND)
    assert timetable.take(SECOND - 1, 100) == []
    assert timetable.take(SECOND, 100) == [SECOND]
    assert timetable.take(SECOND + 2_500_000, 100) == [SECOND + 1_000_000, SECOND + 2_000_000]
    assert timetable.next == SECOND + 3_000_000


def test_what_was_late_keeps_its_intended_time() -> None:
    timetable = Timetable(1000, start=0)
    assert timetable.take(SECOND, 3) == [0, 1_000_000, 2_000_000]
    assert timetable.take(SECOND, 10_000)[-1] == SECOND


@given(st.floats(0.5, 1e6), st.lists(st.integers(0, 10**8), max_size=30), st.integers(0, 1000))
def test_every_message_is_given_once_and_none_too_early(
    rate: float, steps: list[int], most: int
) -> None:
    timetable, now, times = Timetable(rate, 0), 0, []
    for step in steps:
        now += step
        due = timetable.take(now, most)
        assert all(at <= now for at in due)
        assert len(due) <= most
        times += due
    assert times == [int(number * 1e9 / rate) for number in range(len(times))]


WINDOWS = [  # window, size, transaction -> most, chunk
    (1, 1024, 0, 1, 1),
    (100, 1024, 0, 100, 12),
    (2000, 1024, 0, 2000, 64),
    (8, 1048576, 0, 8, 1),
    (400, 1024, 100, 400, 100),
    (10, 1024, 100, 100, 100),
]


@pytest.mark.parametrize(("window", "size", "transaction", "most", "chunk"), WINDOWS)
def test_windows(window: int, size: int, transaction: int, most: int, chunk: int) -> None:
    made = Window.of(window, size, transaction)
    assert (made.most, made.chunk) == (most, chunk)
    assert made.room(0) == chunk
    assert made.room(most) == 0
    assert made.room(most - chunk + 1) == 0


@dataclass
class Stalling:
    """A sender that confirms at once, except while ``stalled``."""

    outstanding: Outstanding
    stalled: bool = False
    kms_calls: int = 0
    sent: list[int] = field(default_factory=list)

    def fileno(self) -> int:
        return -1

    def send(self, intended: Sequence[int]) -> None:
        self.sent += intended
        self.outstanding.add(len(intended), time.monotonic_ns())

    def poll(self) -> None:
        if not self.stalled:
            self.outstanding.answer(
                self.outstanding.attempted - 1, time.monotonic_ns(), multiple=True
            )

    def flush(self) -> None:
        """Do nothing, since nothing is buffered."""

    def close(self) -> None:
        """Do nothing, since nothing is open."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the time in ns, as the roles see it."""
    now = [SECOND]
    monkeypatch.setattr(time, "monotonic_ns", lambda: now[0])
    return now


def test_a_stall_shows_in_the_delay_of_what_could_not_be_sent(clock: list[int]) -> None:
    """No coordinated omission: waiting for the broker would show one slow message."""
    measured = Measured()
    sender = Stalling(Outstanding(measured.confirmation))
    producer = Producer(sender, 0, Window(10, 1), rate=2000, measured=measured)
    start = clock[0]
    producer.start(start)
    while clock[0] < start + SECOND:
        sender.stalled = clock[0] < start + SECOND // 2
        producer.step(clock[0])
        producer.poll()
        clock[0] += SECOND // 2000
    late = distribution([measured.delay.encoded()])
    assert late.count == 2000
    # ms: half of the messages were due during the stall, half of those in its first half.
    assert late.at(75) > 200
    assert late.most > 490


def test_without_a_timetable_nothing_is_late_by_definition(clock: list[int]) -> None:
    measured = Measured()
    sender = Stalling(Outstanding(measured.confirmation))
    producer = Producer(sender, 0, Window(10, 5), rate=0, measured=measured)
    producer.start(0)
    producer.step(clock[0])
    assert len(sender.sent) == 10
    assert distribution([measured.delay.encoded()]).most < 1
