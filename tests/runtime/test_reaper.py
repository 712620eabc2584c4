"""The reaper and children that its owner has forked: they keep it neither waiting nor at work."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testbed.errors import ContainerFailed, EngineUnavailable
from testbed.runtime import engine
from testbed.runtime import reaper as reapers
from testbed.runtime.reaper import Reaper

# Forks a child that outlives it, and is killed.
OWNER = """
import os, sys, time
from pathlib import Path
from testbed.runtime.reaper import Reaper
reaper = Reaper("no-such-instance", Path(sys.argv[1]))
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(600)
"""


def test_a_dismissed_one_ends_while_a_forked_child_lives(tmp_path: Path) -> None:
    reaper = Reaper("no-such-instance", tmp_path)
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,), daemon=True)
    child.start()
    began = time.monotonic()
    reaper.dismiss()
    assert time.monotonic() - began < 30
    assert child.is_alive()
    child.kill()
    child.join()
    assert tmp_path.exists(), "it did nothing"


def test_it_reads_no_further_than_its_dismissal(tmp_path: Path) -> None:
    reaper = Reaper("no-such-instance", tmp_path)
    reapers._reapers.discard(reaper)  # as with a child that C forked
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,), daemon=True)
    child.start()
    reaper.dismiss()
    assert child.is_alive()
    child.kill()
    child.join()


def test_a_forked_child_that_outlives_a_killed_owner_does_not_keep_it(tmp_path: Path) -> None:
    folder = tmp_path / "testbed"
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment["DOCKER_HOST"] = f"unix://{tmp_path}/no-engine"  # nothing to remove there
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, folder], stdout=subprocess.PIPE, env=environment
    ) as owner:
        assert owner.stdout
        child = int(owner.stdout.readline())
        owner.kill()
        owner.wait()
        try:
            deadline = time.monotonic() + 60
            while folder.exists():
                assert time.monotonic() < deadline
                time.sleep(0.1)
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_busy_engine_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the folder nobody would find what still runs."""
    folder, seen = tmp_path / "testbed", list[bool]()
    folder.mkdir()

    def connect(**_: object) -> None:
        seen.append(folder.exists())
        raise ContainerFailed("busy") if len(seen) < 3 else EngineUnavailable("none runs")

    monkeypatch.setattr(engine, "connect", connect)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(EngineUnavailable):
        reapers._clean_up("no-such-instance", str(folder))
    assert seen == [True, True, True]
    assert not folder.exists()
