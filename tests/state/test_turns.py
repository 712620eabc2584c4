"""One at a time, among threads and processes, and a turn that ends with its holder."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from testbed.errors import Interrupted, StateBroken
from testbed.state.turns import one_at_a_time

NEVER = threading.Event()


def test_threads_take_turns(tmp_path: Path) -> None:
    inside: list[int] = []
    most = 0

    def work() -> None:
        nonlocal most
        for _ in range(5):
            with one_at_a_time(tmp_path, "kms", NEVER):
                inside.append(1)
                most = max(most, len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert most == 1


def test_another_name_and_another_folder_are_other_turns(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with (
        one_at_a_time(tmp_path, "kms", NEVER),
        one_at_a_time(tmp_path, "broker", NEVER),
        one_at_a_time(tmp_path / "b", "kms", NEVER),
    ):
        pass


def test_the_turn_of_a_process_that_is_killed_is_free(tmp_path: Path) -> None:
    script = f"""
import pathlib, threading
from testbed.state.turns import one_at_a_time
with one_at_a_time(pathlib.Path({str(tmp_path)!r}), "kms", threading.Event()):
    print("mine", flush=True)
    threading.Event().wait()
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"mine\n"
    said: list[str] = []
    cancelled = threading.Event()
    threading.Timer(2.5, cancelled.set).start()
    with (
        pytest.raises(Interrupted),
        one_at_a_time(tmp_path, "kms", cancelled, lambda: said.append("waiting")),
    ):
        pass
    assert said == ["waiting"], "said once"
    process.kill()
    process.wait()
    with one_at_a_time(tmp_path, "kms", NEVER):
        pass


def test_a_folder_that_is_gone_is_one_clear_error(tmp_path: Path) -> None:
    with (
        pytest.raises(StateBroken, match="cannot be used"),
        one_at_a_time(tmp_path / "gone", "kms", NEVER),
    ):
        pass
