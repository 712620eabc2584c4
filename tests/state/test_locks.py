"""Locks among threads and processes, free when their holder ends."""

import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from testbed.errors import Interrupted, StateBroken
from testbed.state.locks import hold_lock

NEVER = threading.Event()


def test_threads_take_turns(tmp_path: Path) -> None:
    inside: list[int] = []
    most = 0

    def work() -> None:
        nonlocal most
        for _ in range(5):
            with hold_lock(tmp_path, "kms", NEVER):
                inside.append(1)
                most = max(most, len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == 1


def test_another_name_and_another_folder_are_other_locks(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with (
        hold_lock(tmp_path, "kms", NEVER),
        hold_lock(tmp_path, "broker", NEVER),
        hold_lock(tmp_path / "b", "kms", NEVER),
    ):
        pass


def test_the_lock_of_a_process_that_is_killed_is_free(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = f"""
import pathlib, threading
from testbed.state.locks import hold_lock
with hold_lock(pathlib.Path({str(tmp_path)!r}), "kms", threading.Event()):
    print("mine", flush=True)
    threading.Event().wait()
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"mine\n"
    caplog.set_level(logging.INFO)
    cancelled = threading.Event()
    threading.Timer(2.5, cancelled.set).start()
    with (
        pytest.raises(Interrupted),
        hold_lock(tmp_path, "kms", cancelled),
    ):
        pass
    assert len(caplog.messages) == 1
    process.kill()
    process.communicate()
    with hold_lock(tmp_path, "kms", NEVER):
        pass


def test_a_folder_that_is_gone_is_one_clear_error(tmp_path: Path) -> None:
    with (
        pytest.raises(StateBroken, match="cannot be used"),
        hold_lock(tmp_path / "gone", "kms", NEVER),
    ):
        pass
