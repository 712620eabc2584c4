"""What fits together is worked on at the same time, what does not is not, and nothing is left."""

import threading
from functools import partial

import pytest

from testbed.runtime.schedule import Schedule
from testbed.runtime.tasks import run_concurrently

# Two threads meet, or it fails.
_MEETING = 30.0  # seconds


def _differ(one: str, other: str) -> bool:
    return one[0] != other[0]


def test_each_item_is_worked_on_once_and_most_urgent_first() -> None:
    done: list[str] = []
    schedule = Schedule(["b1", "a1", "b2"], _differ)
    schedule.work(done.append)
    schedule.work(done.append)
    assert done == ["b1", "a1", "b2"]


def test_what_fits_is_worked_on_at_the_same_time_and_what_does_not_waits() -> None:
    """The first of each letter meet; the second of a letter waits for its first."""
    together, running, seen = threading.Barrier(2), [], []

    def call(item: str) -> None:
        running.append(item)
        seen.append([other for other in running if other != item and not _differ(other, item)])
        if item.endswith("1"):
            together.wait(_MEETING)
        running.remove(item)

    schedule = Schedule(["a1", "a2", "b1", "b2"], _differ)
    run_concurrently([partial(schedule.work, call)] * 2)
    assert seen == [[], [], [], []]


def test_one_that_fits_with_nothing_waits_for_all() -> None:
    alone: list[int] = []
    running = threading.Semaphore(0)

    def call(item: str) -> None:
        if item == "alone":
            alone.append(running.acquire(blocking=False))
        else:
            running.release()

    schedule = Schedule(["a1", "b1", "alone"], lambda one, other: "alone" not in (one, other))
    run_concurrently([partial(schedule.work, call)] * 3)
    assert alone == [True]


def test_an_error_ends_its_thread_and_lets_the_others_go_on() -> None:
    done: list[str] = []

    def call(item: str) -> None:
        if item == "a1":
            raise ZeroDivisionError
        done.append(item)

    schedule = Schedule(["a1", "a2", "a3"], _differ)
    with pytest.raises(ZeroDivisionError):
        run_concurrently([partial(schedule.work, call)] * 2)
    assert done == ["a2", "a3"]
