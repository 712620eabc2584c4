"""Users of one folder: the last to leave is alone with it, however the others ended."""

import multiprocessing
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from testbed.runtime.users import last_user, lock_of, using

USER = """
import sys, time
from pathlib import Path
from testbed.runtime.users import using
with using(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shared"


def is_last(folder: Path, patience: float = 0.0) -> bool:
    with last_user(folder, patience) as alone:
        return alone


def test_only_the_last_one_is_alone_and_the_file_goes_with_it(folder: Path) -> None:
    with using(folder):
        with using(folder):
            assert not is_last(folder)
        assert not is_last(folder)
        assert lock_of(folder).exists()
    assert is_last(folder)
    assert not lock_of(folder).exists()
    assert not is_last(folder), "another one was it"


def test_a_user_that_is_killed_has_left(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", USER, folder], stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout
        assert user.stdout.readline() == "in\n"
        assert not is_last(folder)
        user.send_signal(signal.SIGKILL)
        user.wait()
    assert is_last(folder)


def test_a_forked_child_is_no_user(folder: Path) -> None:
    with using(folder):
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        child.start()
    assert is_last(folder)
    child.kill()
    child.join()


def test_patience_is_for_those_who_are_leaving(folder: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def use() -> None:
        with using(folder):
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=use)
    thread.start()
    assert entered.wait(30)
    assert not is_last(folder, 0.3)
    threading.Timer(0.3, leave.set).start()
    assert is_last(folder, 30)
    thread.join()


def test_a_newcomer_waits_until_the_last_one_has_cleaned_up(folder: Path) -> None:
    order = []
    with using(folder):
        pass
    with last_user(folder) as alone:
        assert alone

        def come() -> None:
            with using(folder):
                order.append("came")

        thread = threading.Thread(target=come)
        thread.start()
        time.sleep(0.3)  # it waits
        order.append("cleaned up")
    thread.join(30)
    assert order == ["cleaned up", "came"]
    assert is_last(folder)
