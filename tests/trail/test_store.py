"""The file of records: many append at once, no crash loses one, only its owner can read it."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import StateBroken
from testbed.trail.lookup import Attribute, events, newest, since
from testbed.trail.store import DATABASE, INDEX_EVERY, Trail

ACCOUNT, SERVICE = "000000000000", "999999999999"


def record(number: int, account: str = ACCOUNT, **changed: Any) -> dict[str, Any]:
    return {
        "userIdentity": {
            "type": "Root",
            "arn": f"arn:aws:iam::{account}:root",
            "accessKeyId": "AKIA",
        },
        "eventTime": "2026-08-07T12:00:00Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": "Decrypt",
        "requestParameters": None,
        "responseElements": None,
        "eventID": f"event-{number}",
        "readOnly": True,
        "awsRegion": "us-east-1",
        "recipientAccountId": account,
        **changed,
    }


def ids(trail: Trail, account: str = ACCOUNT) -> list[str]:
    return [record["eventID"] for record in events(trail, account)]


WRITER = """
import sys
sys.path.insert(0, {tests!r})
from tests.trail.test_store import record
from testbed.trail.store import Trail
trail = Trail({folder!r})
for number in range({first}, {first} + {count}):
    trail.append(record(number))
    print(number, flush=True)
"""


def writer(folder: Path, first: int, count: int) -> subprocess.Popen[str]:
    script = WRITER.format(
        tests=str(Path(__file__).parents[2]), folder=str(folder), first=first, count=count
    )
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def test_what_is_appended_is_there_and_stays(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.append(record(1))
    trail.append(record(2), record(3))
    assert ids(trail) == ids(Trail(tmp_path)) == ["event-3", "event-2", "event-1"]
    trail.close()
    assert len(ids(Trail(tmp_path))) == 3


def test_an_account_sees_its_own_records_and_no_others(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.append(record(1), record(2, SERVICE))
    assert ids(trail) == ["event-1"]
    assert ids(trail, SERVICE) == ["event-2"]
    assert ids(trail, "111122223333") == []
    assert [event["eventID"] for event in since(trail, ACCOUNT)[0]] == ["event-1"]


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        trail = Trail(tmp_path)
        trail.append(record(1))
    finally:
        os.umask(old)
    files = [path for path in tmp_path.iterdir() if path.name.startswith(DATABASE)]
    assert len(files) == 3
    assert {path.stat().st_mode & 0o077 for path in files} == {0}


def test_threads_and_processes_append_at_once_and_nothing_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    processes = [
        writer(tmp_path, first, 300) for first in (1000, 2000, 3000)
    ]  # each makes the file if it is the first
    trail = Trail(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: trail.append(record(number)), range(300)))
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0

    written = {
        f"event-{number}" for first in (0, 1000, 2000, 3000) for number in range(first, first + 300)
    }
    assert sorted(ids(trail)) == sorted(written)
    followed, _ = since(trail, ACCOUNT, limit=10_000)
    assert sorted(event["eventID"] for event in followed) == sorted(written)


def test_a_writer_that_is_killed_loses_nothing_that_it_had_written(tmp_path: Path) -> None:
    process = writer(tmp_path, 0, 1_000_000)
    assert process.stdout
    for _ in range(3 * INDEX_EVERY + 7):
        last = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    with process:
        rest = process.stdout.read().split()
    complete = [int(number) for number in rest if number.isdigit()]
    last = max([last, *complete[:-1]])  # the last line may be cut

    trail = Trail(tmp_path)
    stored = set(ids(trail))
    assert {f"event-{number}" for number in range(last + 1)} <= stored
    assert len(stored) <= last + 3
    trail.append(record(-1))
    assert f"event-{-1}" in ids(trail)


def test_what_is_not_indexed_yet_is_found_all_the_same(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    for number in range(INDEX_EVERY // 2):
        trail.append(record(number))
        matches = events(
            Trail(tmp_path), ACCOUNT, attribute=Attribute("EventId", f"event-{number}")
        )
        assert [event["eventID"] for event in matches] == [f"event-{number}"]


@pytest.mark.parametrize("at_once", [1, 2, 3, INDEX_EVERY + 1])
def test_writers_index_as_they_go_so_that_a_reader_has_little_left_to_do(
    tmp_path: Path, at_once: int
) -> None:
    trail = Trail(tmp_path)
    for number in range(0, 4 * INDEX_EVERY, at_once):
        trail.append(*(record(number + step) for step in range(at_once)))
    with sqlite3.connect(trail.path) as database:
        [indexed], [last] = (
            database.execute("SELECT seq FROM indexed").fetchone(),
            database.execute("SELECT max(seq) FROM events").fetchone(),
        )
    assert last - indexed < INDEX_EVERY


def test_all_of_an_append_or_nothing(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    with pytest.raises(TypeError):
        trail.append(record(1), record(2, requestParameters=b"not JSON"))
    assert ids(trail) == []
    assert newest(trail) == 0
    trail.append(record(3))
    assert ids(trail) == ["event-3"]


def test_a_reader_keeps_no_writer_waiting(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.append(record(1))
    with trail.reading() as database:
        assert database.execute("SELECT count(*) FROM events").fetchone() == (1,)
        start = time.monotonic()
        trail.append(record(2))
        assert time.monotonic() - start < 5  # a writer that is locked out gives up after 10 s
        assert database.execute("SELECT count(*) FROM events").fetchone() == (1,), (
            "and the reader sees the same as before"
        )


@pytest.mark.parametrize(
    "content",
    [
        b"no database at all, but long enough to be looked at" * 99,
        b"SQLite format 3\0" + b"x" * 500,
    ],
)
def test_a_broken_file_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / DATABASE).write_bytes(content)
    with pytest.raises(StateBroken, match="trail.sqlite cannot be used"):
        Trail(tmp_path)


def test_a_trail_of_another_version_is_not_guessed_at(tmp_path: Path) -> None:
    Trail(tmp_path).close()
    with sqlite3.connect(tmp_path / DATABASE) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(StateBroken, match="another version"):
        Trail(tmp_path)


def test_a_missing_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StateBroken, match="cannot be used"):
        Trail(tmp_path / "nowhere")


def test_a_trail_that_was_closed_says_so(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.close()
    with pytest.raises(StateBroken):
        trail.append(record(1))
