"""The one clock: a turn is seen at once by everyone who uses the same state folder."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from freezegun import freeze_time

from testbed.state import clock as clocks
from testbed.state.clock import Clock
from testbed.state.store import State

DAY = 86400.0


def test_it_is_the_machines_clock_until_it_is_turned(tmp_path: Path) -> None:
    clock = Clock(State(tmp_path / "s"))
    assert clock.now() == pytest.approx(time.time(), abs=5)
    assert clock.turn(7 * DAY) == pytest.approx(time.time() + 7 * DAY, abs=5)
    assert clock.turn(DAY) == pytest.approx(time.time() + 8 * DAY, abs=5)
    assert clock.datetime().timestamp() == pytest.approx(time.time() + 8 * DAY, abs=5)


def test_a_turn_is_seen_at_once_by_every_other_clock_of_the_folder(tmp_path: Path) -> None:
    one, other = Clock(State(tmp_path / "s")), Clock(State(tmp_path / "s"))
    for turns in range(
        1, 50
    ):  # each turn follows a read, so that the other clock has a value that could be stale
        assert other.now() - time.time() == pytest.approx((turns - 1) * DAY, abs=5)
        one.turn(DAY)
        assert other.now() - time.time() == pytest.approx(turns * DAY, abs=5)


def test_a_turn_by_another_process_is_seen_too(tmp_path: Path) -> None:
    clock = Clock(State(tmp_path / "s"))
    clock.now()
    script = (
        "from testbed.state.clock import Clock\n"
        "from testbed.state.store import State\n"
        f"Clock(State({str(tmp_path / 's')!r})).turn({DAY})"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert clock.now() - time.time() == pytest.approx(DAY, abs=5)


def test_threads_may_share_one(tmp_path: Path) -> None:
    clock = Clock(State(tmp_path / "s"))
    with ThreadPoolExecutor(8) as pool:
        times = list(pool.map(lambda _: clock.now(), range(400)))
    assert max(times) - min(times) < 60


def test_turns_at_once_all_count(tmp_path: Path) -> None:
    State(tmp_path / "s")

    def turn(_: int) -> None:
        clock = Clock(State(tmp_path / "s"))
        for _ in range(25):
            before = clock.now()
            assert clock.turn(DAY) >= before + DAY

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(turn, range(4)))
    assert Clock(State(tmp_path / "s")).now() - time.time() == pytest.approx(100 * DAY, abs=60)


def test_time_does_not_run_back(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only be turned forward"):
        Clock(State(tmp_path / "s")).turn(-1)


@pytest.mark.parametrize("frozen", ["2012-01-14", "2099-12-31"])
def test_a_frozen_clock_of_python_is_not_the_machines(tmp_path: Path, frozen: str) -> None:
    clock = Clock(State(tmp_path / "s"))
    before = clock.now()
    with freeze_time(frozen):
        assert time.time() != pytest.approx(before, abs=DAY), "control: Python's is frozen"
        assert clock.now() == pytest.approx(before, abs=60)
        assert clock.datetime().timestamp() == pytest.approx(before, abs=60)
        assert clocks.machine_datetime().timestamp() == pytest.approx(before, abs=60)


def test_it_does_not_follow_a_machine_that_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, other = Clock(State(tmp_path / "s")), Clock(State(tmp_path / "s"))
    anchored, started = Clock(State(tmp_path / "a")), Clock(State(tmp_path / "a"))
    anchored.anchor()
    before = clock.now()
    machine = clocks.machine_time
    monkeypatch.setattr(clocks, "machine_time", lambda: machine() - 7 * DAY)
    assert other.now() == pytest.approx(before - 7 * DAY, abs=60), "control: without an anchor"
    for each in (anchored, started):
        assert each.now() == pytest.approx(before, abs=60)
        assert each.now() <= each.now(), "and goes on"
    started.anchor()
    assert started.now() == pytest.approx(before, abs=60), "a second anchor changes nothing"
    monkeypatch.setattr(clocks, "machine_time", lambda: machine() + DAY)
    assert anchored.now() == pytest.approx(before + DAY, abs=60), "set forward, it follows"


def test_after_a_restart_of_the_machine_it_is_anchored_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State(tmp_path / "s")
    clock = Clock(state)
    clock.anchor()
    steady, machine = clocks.steady_time, clocks.machine_time
    monkeypatch.setattr(clocks, "steady_time", lambda: steady() - DAY)  # it started later
    monkeypatch.setattr(clocks, "machine_time", lambda: machine() + DAY)
    assert clock.now() == pytest.approx(machine() + DAY, abs=60)
    clock.anchor()
    monkeypatch.setattr(clocks, "machine_time", lambda: machine() - 7 * DAY)
    assert clock.now() == pytest.approx(machine() + DAY, abs=60)
