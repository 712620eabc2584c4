"""Locks among threads and processes, free when their holder ends."""

import logging
import multiprocessing
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from testbed.errors import Interrupted, StateBroken
from testbed.state.locks import hold_folder, hold_lock, remove_lock

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


def test_a_forked_child_keeps_none(tmp_path: Path) -> None:
    with hold_lock(tmp_path, "kms", NEVER):
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        child.start()
    with hold_lock(tmp_path, "kms", NEVER, wait=False):
        pass
    child.kill()
    child.join()


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
from testbed.state.locks import hold_folder, hold_lock, remove_lock
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


# A whole folder


def test_a_folder_is_held_by_one_process_at_a_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = f"""
import pathlib, sys
from testbed.state.locks import hold_folder
with hold_folder(pathlib.Path({str(tmp_path)!r}), create=True):
    print("mine", flush=True)
    sys.stdin.read()
"""
    caplog.set_level(logging.INFO)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"mine\n"
        threading.Timer(2, process.kill).start()
        with hold_folder(tmp_path, create=True):
            assert process.wait(10) != 0, "held until it ended"
    assert "another command is at work" in caplog.text


def test_a_folder_that_was_removed_meanwhile_is_made_again(tmp_path: Path) -> None:
    folder, waiting = tmp_path / "s", threading.Event()
    inode: list[int] = []

    def wait_for_it() -> None:
        waiting.set()
        with hold_folder(folder, create=True):
            (folder / "content").touch()
            inode.append(folder.stat().st_ino)

    with hold_folder(folder, create=True):
        thread = threading.Thread(target=wait_for_it)
        thread.start()
        assert waiting.wait(10)
        (folder / "of-the-first").touch()
        shutil.rmtree(folder)
    thread.join(10)
    assert [path.name for path in folder.iterdir()] == ["content"]
    assert inode == [folder.stat().st_ino]


def test_a_folder_that_is_missing_is_held_from_one_who_makes_it(tmp_path: Path) -> None:
    """A removal that found nothing would otherwise remove what came meanwhile."""
    folder, made = tmp_path / "s", threading.Event()

    def make_it() -> None:
        with hold_folder(folder, create=True):
            made.set()

    with hold_folder(folder, create=False):
        thread = threading.Thread(target=make_it)
        thread.start()
        assert not made.wait(0.5)
    assert made.wait(10)
    thread.join()
    with hold_folder(tmp_path / "no" / "parent", create=False):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_made_for_nothing_goes_again(tmp_path: Path) -> None:
    with hold_folder(tmp_path / "made", create=True):
        assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700
    (tmp_path / "kept").mkdir()
    with hold_folder(tmp_path / "kept", create=True):
        pass
    with hold_folder(tmp_path / "missing", create=False):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_folder_that_cannot_be_made_is_one_clear_error() -> None:
    with (
        pytest.raises(StateBroken, match="cannot be made") as error,
        hold_folder(Path("/proc/nope"), create=True),
    ):
        pass
    assert "--state" in error.value.hint


# The file of a lock that is not needed any more


def test_a_lock_whose_file_is_removed_is_still_held_by_one_at_a_time(tmp_path: Path) -> None:
    """Those who wait for it open the file that is there then."""
    inside: list[int] = []
    most = 0

    def work() -> None:
        nonlocal most
        for _ in range(20):
            with hold_lock(tmp_path, "b-1", NEVER):
                inside.append(1)
                most = max(most, len(inside))
                NEVER.wait(0.001)
                inside.pop()
                remove_lock(tmp_path, "b-1")

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == 1
    assert list(tmp_path.iterdir()) == []
