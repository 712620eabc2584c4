"""Concurrent work: results in order, the first error, Ctrl-C at once, and no child process left."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from testbed.errors import Interrupted
from testbed.runtime.commands import run
from testbed.runtime.tasks import Task, run_concurrently, run_in_step


def test_results_come_in_the_order_asked_for() -> None:
    second_done = threading.Event()

    def first() -> str:
        assert second_done.wait(20), "both run at the same time"
        return "first"

    def second() -> str:
        second_done.set()
        return "second"

    assert run_concurrently([first, second]) == ["first", "second"]
    assert run_concurrently([]) == []


def test_the_first_error_is_raised_after_the_others_have_ended() -> None:
    ended = threading.Event()

    def fails() -> None:
        raise ValueError("one")

    def goes_on() -> None:
        time.sleep(0.3)
        ended.set()
        raise ValueError("two")

    with pytest.raises(ValueError, match="one"):
        run_concurrently([fails, goes_on])
    assert ended.is_set()


def test_those_in_step_wait_for_each_other_and_then_the_step_is_taken_once() -> None:
    order: list[str] = []

    def story(name: str, step: Callable[[], object]) -> str:
        order.append("before")
        step()
        order.append("after")
        return name

    stories = [partial(story, name) for name in ("first", "second", "third")]
    assert run_in_step(stories, lambda: order.append("step")) == ["first", "second", "third"]
    assert order == ["before"] * 3 + ["step"] + ["after"] * 3


@pytest.mark.parametrize("waits_first", [True, False])
def test_the_error_of_one_in_step_is_raised_and_not_that_others_wait_in_vain(
    waits_first: bool,
) -> None:
    def waits(step: Callable[[], object]) -> None:
        step()

    def fails(step: Callable[[], object]) -> None:
        raise ValueError("before the step")

    stories = [waits, fails] if waits_first else [fails, waits]
    with pytest.raises(ValueError, match="before the step"):
        run_in_step(stories, lambda: None)


def test_the_error_of_the_step_is_raised() -> None:
    def fails() -> None:
        raise ValueError("the step")

    with pytest.raises(ValueError, match="the step"):
        run_in_step([lambda step: step()] * 2, fails)


def test_a_task_has_its_result_as_often_as_asked() -> None:
    assert [task.result() for task in [Task(lambda: 7)] * 2] == [7, 7]
    broken = Task(lambda: 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            broken.result()


def test_a_wait_can_be_given_up_and_the_work_goes_on() -> None:
    cancelled, go_on = threading.Event(), threading.Event()
    task = Task(lambda: go_on.wait(20) and "done")
    threading.Timer(0.2, cancelled.set).start()
    with pytest.raises(Interrupted):
        task.result(cancelled)
    assert not task.wait(0)
    go_on.set()
    assert task.result() == "done"


def test_what_has_ended_is_not_given_up() -> None:
    cancelled, task = threading.Event(), Task(lambda: "done")
    assert task.wait(20)
    cancelled.set()
    assert task.result(cancelled) == "done"


def test_a_command_says_how_it_ended_and_both_its_streams() -> None:
    assert run(["sh", "-c", "echo out; echo err >&2; exit 3"]) == (3, "out\nerr\n")
    assert run(["sh", "-c", "echo $WHO"], {"WHO": "me"}) == (0, "me\n")


# Interrupted

_SCRIPT = """
import pathlib, sys, threading, time
from testbed.runtime.commands import run
from testbed.runtime.tasks import run_concurrently
told = pathlib.Path(sys.argv[1])
def child():
    run(["sh", "-c", "echo $$ > %s/pid; exec sleep 600" % told])
def deaf():
    threading.Event().wait()
def listening(heard=threading.Event()):
    heard.wait()
    time.sleep(0.7)
    (told / "heard").touch()
print("up", flush=True)
heard = threading.Event()
run_concurrently([lambda: listening(heard), deaf, child], heard.set, patience=2.0)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_program_tells_its_threads_and_leaves_no_child(
    tmp_path: Path, how: signal.Signals
) -> None:
    handler = "import signal; signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", handler + _SCRIPT, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    pid = tmp_path / "pid"
    _until(lambda: pid.exists() and pid.read_text().strip() != "")
    process.send_signal(how)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert (tmp_path / "heard").exists()
    _until(lambda: not _runs(int(pid.read_text())))


def test_an_interruption_is_told_while_the_last_thread_starts() -> None:
    told = threading.Event()

    def last() -> None:
        signal.raise_signal(signal.SIGINT)
        told.wait(10)

    with pytest.raises(KeyboardInterrupt):
        run_concurrently([last], told.set)
    assert told.is_set()


def test_control_a_child_started_otherwise_outlives_the_program(tmp_path: Path) -> None:
    script = (
        "import subprocess\n"
        "print(subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL).pid)"
    )
    pid = int(
        subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True).stdout
    )
    assert _runs(pid)
    os.kill(pid, signal.SIGKILL)


def _until(true, timeout: float = 30.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    """Return whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
