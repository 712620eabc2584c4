"""Histories on disk: what is written is read, and what breaks off or is damaged is said."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.checker import check
from testbed.errors import TestbedError
from testbed.history import Kind, Recorder
from testbed.history_file import HistoryFile, Writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def record(
    path: Path, count: int = 3, *, ordered: bool = True, redelivered: bool = True
) -> Recorder:
    with Writer(path, ordered=ordered) as writer:
        recorder = Recorder(7, writer.write)
        for _ in range(count):
            message = recorder.new_message()
            recorder.record(Kind.ATTEMPTED, message, "client-1", "orders")
            recorder.record(Kind.CONFIRMED, message)
            recorder.record(Kind.RECEIVED, message, "client-2", "orders", redelivered=redelivered)
    return recorder


def test_what_is_recorded_is_read_again_as_often_as_wanted(path: Path) -> None:
    recorder, file = record(path), HistoryFile(path)
    assert tuple(file) == tuple(file) == recorder.history().events
    assert file.ordered
    assert not file.broken_off
    assert check(file).ok


def test_a_history_without_order_says_so(path: Path) -> None:
    record(path, ordered=False)
    assert not HistoryFile(path).ordered


def test_a_history_is_never_overwritten(path: Path) -> None:
    record(path)
    with pytest.raises(TestbedError, match="cannot be written: .*exists"):
        record(path)
    assert len(list(HistoryFile(path))) == 9


def test_the_lines_are_as_documented(path: Path) -> None:
    record(path, 1, redelivered=False)
    page = (Path(__file__).resolve().parents[1] / "docs/histories.md").read_text()
    documented = page.split("```json")[1].split("```")[0].strip().splitlines()
    shown = [json.loads(line) for line in documented]
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert [list(line) for line in written] == [list(line) for line in shown]
    assert written[0] | {"started": ""} == shown[0] | {"started": ""}
    assert written[-1] == shown[-1]


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_file_that_breaks_off_anywhere_is_read_as_far_as_it_goes(path: Path, cut: int) -> None:
    events = record(path).history().events
    end = len(b'{"events":9}\n')
    path.write_bytes(path.read_bytes()[:-cut])
    file = HistoryFile(path)
    # Only its line break is missing in an event that is cut by one byte more than the end.
    assert tuple(file) == (events if cut <= end + 1 else events[:-1])
    assert file.broken_off is (cut > 1)


def test_a_process_that_is_killed_leaves_every_event(path: Path) -> None:
    code = (
        "import threading\n"
        "from pathlib import Path\n"
        "from testbed.history import Kind, Recorder\n"
        "from testbed.history_file import Writer\n"
        f"recorder = Recorder(1, Writer(Path({str(path)!r})).write)\n"
        "for number in range(500): recorder.record(Kind.ATTEMPTED, str(number))\n"
        "print(number, flush=True); threading.Event().wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"499\n"
        os.kill(process.pid, signal.SIGKILL)
    file = HistoryFile(path)
    assert len(list(file)) == 500
    assert file.broken_off


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda lines: [*lines[:3], b"{]\n", *lines[4:]], "line 4, is damaged"),
        (lambda lines: [*lines[:3], *lines[4:]], "has 8 events of 9: lines are missing"),
        (lambda lines: [*lines, lines[1]], "line 11, is damaged"),
        (lambda lines: [*lines[:-1], b"{]\n"], "line 11, is damaged"),
        (lambda lines: lines[1:], "is not a history"),
        (lambda lines: [b"no JSON\n", *lines[1:]], "cannot be read as a history"),
        (lambda lines: [lines[0].replace(b":1,", b":9,"), *lines[1:]], "has schema 9"),
    ],
)
def test_a_damaged_file_is_refused(
    path: Path, damage: Callable[[list[bytes]], list[bytes]], words: str
) -> None:
    record(path)
    path.write_bytes(b"".join(damage(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(TestbedError, match=words):
        list(HistoryFile(path))


def test_a_missing_file_is_one_line(path: Path) -> None:
    with pytest.raises(TestbedError, match="cannot be read as a history: .*No such file"):
        HistoryFile(path)


def test_a_full_disk_is_said_in_one_line(path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an error then, in the middle of a line

    program = "import sys; from tests.test_history_file import *; record(Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=limit,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},  # or bytecode is cut off as well
    )
    assert path.stat().st_size == 200
    assert re.search(r"TestbedError: .*run.jsonl cannot be written: .*File too large", done.stderr)


def test_what_cannot_be_read_twice_is_refused(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(TestbedError, match="is no file"):
        HistoryFile(path)
