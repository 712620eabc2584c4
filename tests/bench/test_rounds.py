"""When each side of a round works."""

import itertools
import time
from multiprocessing import Pipe

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.bench.load.base import Shape
from testbed.bench.load.roles import Measured, Visitor
from testbed.bench.load.worker import Job, Times, _Round
from testbed.bench.rounds import Plan, in_turns, round_of
from testbed.bench.target import Target
from testbed.clients.base import Address

MS = 1_000_000


@pytest.mark.parametrize("turn", [0.0, 0.1])
def test_a_side_alone_works_without_a_pause(turn: float) -> None:
    assert in_turns(1, 0.2, 0.8, turn) == [Times(((0, 200 * MS),), ((200 * MS, 1000 * MS),))]


def test_turns_are_turned_round_each_time() -> None:
    first, second = in_turns(2, 0.1, 0.3, 0.1)
    assert first == Times(
        ((0, 100 * MS),), ((220 * MS, 320 * MS), (550 * MS, 650 * MS), (660 * MS, 760 * MS))
    )
    assert second == Times(
        ((110 * MS, 210 * MS),), ((330 * MS, 430 * MS), (440 * MS, 540 * MS), (770 * MS, 870 * MS))
    )
    assert first.shifted(5).measured[0] == (220 * MS + 5, 320 * MS + 5)


@given(
    st.integers(1, 5),
    st.floats(0, 2),
    st.floats(0.1, 5),
    st.one_of(st.just(0.0), st.floats(0.02, 1)),
)
def test_all_sides_work_as_long_and_one_at_a_time(
    sides: int, warm_up: float, seconds: float, turn: float
) -> None:
    times = in_turns(sides, warm_up, seconds, turn)
    for expected, name in ((warm_up, "warm"), (seconds, "measured")):
        worked = [sum(end - begin for begin, end in getattr(side, name)) for side in times]
        assert len(set(worked)) == 1
        assert worked[0] / 1e9 == pytest.approx(expected, abs=1e-6)
    spans = sorted(span for side in times for span in (*side.warm, *side.measured))
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))
    assert max(end for side in times for _, end in side.warm) <= min(
        begin for side in times for begin, _ in side.measured
    )


@pytest.mark.parametrize("milliseconds", [15, 33])
def test_the_time_after_a_turn_in_which_its_last_visit_ends_counts(milliseconds: int) -> None:
    """A turn of 40 ms has room for two or three visits of 15 ms: what it began has its time."""
    took: list[float] = []

    def visit() -> None:
        begun = time.monotonic()
        time.sleep(milliseconds / 1000)
        took.append(time.monotonic() - begun)

    address = Address("amqp", "127.0.0.1", 5671, "user", "secret")
    job = Job("visit", "fast", Target("RABBITMQ", address), (), 1, Shape())
    measured = Measured()
    [first, _] = in_turns(2, 0.0, 0.32, 0.04)
    pipe, _other = Pipe()
    of_round = _Round(
        job,
        [Visitor(visit, 0.0, measured)],
        measured,
        first.shifted(time.monotonic_ns()),
        pipe=pipe,
        counters=[0, 0, 0],
    )
    result = round_of(Plan(1, (job,)), [of_round.drive()], 0.32)
    assert result.connected == pytest.approx(len(took) / sum(took), rel=0.1)
