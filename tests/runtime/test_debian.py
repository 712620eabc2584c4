"""Installing Debian packages: after an interruption, and while another process does.

Stand-ins answer for apt and dpkg, which would change this machine.
"""

import fcntl
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from testbed.errors import TestbedError
from testbed.runtime import commands, debian

INTERRUPTED = "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct it."
UNKNOWN = "E: Unable to locate package hello"


class Apt:
    """Fails to install for a reason; dpkg mends an interruption."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        self.ran: list[str] = []

    def run(self, command: Sequence[str], _: object) -> tuple[int, str]:
        [step] = {"update", "install", "--configure"}.intersection(command)
        self.ran.append(step)
        if step == "--configure" and self.reason == INTERRUPTED:
            self.reason = ""
        return (100, self.reason) if step == "install" and self.reason else (0, "")


@pytest.fixture(autouse=True)
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(debian, "_LOCK", tmp_path / "lock")
    return tmp_path / "lock"


def test_what_was_interrupted_is_finished_first(monkeypatch: pytest.MonkeyPatch) -> None:
    apt = Apt(INTERRUPTED)
    monkeypatch.setattr(commands, "run", apt.run)
    debian.install(["hello"], "a test")
    assert apt.ran == ["update", "install", "--configure", "install"]


def test_control_any_other_error_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    apt = Apt(UNKNOWN)
    monkeypatch.setattr(commands, "run", apt.run)
    with pytest.raises(TestbedError, match=UNKNOWN):
        debian.install(["hello"], "a test")
    assert apt.ran == ["update", "install"]


def test_one_waits_for_the_other(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apt = Apt()
    monkeypatch.setattr(commands, "run", apt.run)
    second = threading.Thread(target=debian.install, args=(["hello"], "a test"))
    with lock.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second.start()
        second.join(0.3)
        assert apt.ran == []
    second.join(10)
    assert apt.ran == ["update", "install"]
