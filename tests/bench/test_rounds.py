"""When each side of a round works."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.bench.load.worker import Times
from testbed.bench.rounds import in_turns

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
