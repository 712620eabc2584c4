"""Syncs of the disk and stolen time, as the kernel counts them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed.bench import host
from testbed.bench.host import Syncs, count_events, open_syncs, stolen

# Syncs twice for each line that it gets, the second time in a thread that was not there before.
_SYNCING = """
import os, sys, threading
file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
print("ready", flush=True)
for _ in sys.stdin:
    os.fsync(file)
    later = threading.Thread(target=os.fdatasync, args=(file,))
    later.start()
    later.join()
    print("done", flush=True)
"""
counting = pytest.mark.skipif(
    os.geteuid() != 0 or "tracefs" not in Path("/proc/filesystems").read_text(),
    reason="needs root, and a kernel that traces",
)


@contextmanager
def syncing(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", _SYNCING, str(folder / "file")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for_line(process)
        try:
            yield process
        finally:
            process.kill()


def wait_for_line(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    assert process.stdout.readline()


def sync(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("now\n")
    process.stdin.flush()
    wait_for_line(process)


@counting
def test_the_syncs_of_a_process_are_counted_and_nobody_elses(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with syncing(tmp_path) as watched, syncing(tmp_path / "other") as other:
        counter = Syncs([watched.pid])
        try:
            assert counter.read() == 0
            for _ in range(3):
                sync(watched)
            sync(other)
            assert counter.read() == 6
        finally:
            counter.close()


@counting
def test_nothing_is_left_and_what_a_killed_process_left_is_removed() -> None:
    """The mount is visible nowhere, and ends with the process."""

    def mounts() -> list[str]:
        lines = Path("/proc/mounts").read_text().splitlines()
        return [line for line in lines if "tracefs" in line]

    before = mounts()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = host._tracing() / "instances" / f"{host._prefix()}{dead.pid}-left"
    left.mkdir()
    Syncs([os.getpid()]).close()
    assert not [
        instance.name
        for instance in left.parent.glob(f"{host._prefix()}*")
        if instance.name.split("-")[2] in (str(dead.pid), str(os.getpid()))
    ]
    assert mounts() == before


@counting
def test_what_a_process_of_another_namespace_counts_is_left_alone() -> None:
    """Its number says nothing here: an unused number does not mean that the process is dead."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    other = host._tracing() / "instances" / f"testbed-1-{dead.pid}-other"
    other.mkdir()
    try:
        Syncs([os.getpid()]).close()
        assert other.exists()
    finally:
        other.rmdir()


def test_what_cannot_be_counted_is_none() -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    assert open_syncs([dead.pid]) is None
    assert open_syncs([]) is None


def test_events_that_were_overwritten_count() -> None:
    stats = (
        "entries: 3\noverrun: 4\ncommit overrun: 0\nbytes: 100\ndropped events: 1\nread events: 2\n"
    )
    assert count_events(stats) == 10


def test_what_the_hypervisor_took_is_read_from_the_kernel(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 50 9000 10 0 5 700 0 0\ncpu0 50 0 25 4500 5 0 2 350 0 0\n")
    assert stolen(stat) == 700 / os.sysconf("SC_CLK_TCK")
    stat.write_text("cpu  100 0 50 9000\n")
    assert stolen(stat) == stolen(tmp_path / "none") == 0.0
