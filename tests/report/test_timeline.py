"""A time line's places: everything inside, no number on another, and all of it in words too."""

import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.report.pages import environment
from testbed.report.timeline import NUMBER, Sketch
from testbed.timeline import Change, Lane, Moment, Rate, Timeline

NARROW = 240  # pixels
DISABLED = Timeline(
    "a broker while its key is disabled",
    20.0,
    (Rate(0.0, 100.0, 0.0), Rate(5.0, 50.0, 0.0), Rate(10.0, 0.0, 0.0)),
    (
        Lane("key", (Change(0.0, "Enabled", "good"), Change(8.0, "Disabled", "bad"))),
        Lane("broker", (Change(0.1, "RUNNING", "good"),)),
    ),
    (Moment(8.0, "DisableKey"), Moment(8.1, "RebootBroker", refused=True), Moment(15.0, "end")),
)
times = st.floats(0, 120)
moments = st.lists(st.builds(Moment, times, st.just("what"), st.booleans()), max_size=12).map(
    lambda several: tuple(sorted(several, key=lambda moment: moment.at))
)
rates = st.lists(times, max_size=20, unique=True).flatmap(
    lambda ats: st.tuples(
        *(st.builds(Rate, st.just(at), st.floats(0, 1e6), st.floats(0, 1e6)) for at in sorted(ats))
    )
)
changes = st.lists(times, max_size=6, unique=True).flatmap(
    lambda ats: st.tuples(
        *(
            st.builds(
                Change,
                st.just(at),
                st.text(max_size=30),
                st.sampled_from(["good", "bad", "passing"]),
            )
            for at in sorted(ats)
        )
    )
)
timelines = st.builds(
    Timeline,
    st.just("subject"),
    times,
    rates,
    st.tuples(st.builds(Lane, st.just("key"), changes)),
    moments,
)


@settings(max_examples=30)
@given(timelines)
def test_everything_is_inside(timeline: Timeline) -> None:
    sketch = Sketch(timeline)
    for path in (sketch.confirmed, sketch.received):
        for x, y in re.findall(r"[ML](\S+) ([^ML]+)", path):
            assert 0 <= float(x) <= 1000
            assert 0 <= float(y) <= 100
    for lane in timeline.lanes:
        for bar in sketch.bars(lane):
            assert bar.x >= 0
            assert bar.width >= 0
            assert bar.x + bar.width <= 100.01
            assert 6.7 * len(bar.text) <= bar.width * NARROW / 100
    assert all(0 <= mark.x <= 100 for mark in sketch.marks)
    assert all(0 <= x <= 100 for x, _ in sketch.ticks)


@settings(max_examples=30)
@given(timelines)
def test_no_number_lies_on_another_on_a_narrow_screen(timeline: Timeline) -> None:
    marks = Sketch(timeline).marks
    for row in {mark.row for mark in marks}:
        places = [mark.x * NARROW / 100 for mark in marks if mark.row == row]
        assert all(after - before >= NUMBER - 0.1 for before, after in pairwise(places))


def test_the_list_says_what_the_picture_shows() -> None:
    lines = Sketch(DISABLED).lines
    assert [(line.at, line.number, line.text) for line in lines] == [
        (0.0, 0, "key: Enabled"),
        (0.1, 0, "broker: RUNNING"),
        (8.0, 1, "DisableKey"),
        (8.0, 0, "key: Disabled"),
        (8.1, 2, "RebootBroker, refused"),
        (15.0, 3, "end"),
    ]


def test_the_rates_are_stairs_to_the_end() -> None:
    assert Sketch(DISABLED).confirmed == "M0 0L250 0L250 50L500 50L500 100L1000 100"
    assert Sketch(DISABLED).received == "", "nothing was received"


def test_the_picture_needs_no_style_of_its_own() -> None:
    module = environment("testbed.report").get_template("timeline.html").module
    picture = str(module.timeline(Sketch(DISABLED)))  # type: ignore[attr-defined]
    assert "style" not in picture, "the console's policy forbids it"
    assert picture.count("<rect") == 3
    assert picture.count('<text class="mark bad') == 1
