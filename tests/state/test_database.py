"""One file, many threads and processes: no descriptor and no partial change is left behind."""

import gc
import multiprocessing
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import StateBroken
from testbed.kms.key import Key
from testbed.kms.ledger import Ledger
from testbed.state.database import Database
from testbed.state.store import State
from testbed.trail.lookup import events
from testbed.trail.store import Trail

ACCOUNT = "000000000000"
ARN = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
RECORD = {
    "userIdentity": {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root"},
    "eventTime": "2026-08-07T12:00:00Z",
    "eventSource": "kms.amazonaws.com",
    "eventName": "Decrypt",
    "awsRegion": "us-east-1",
    "requestParameters": None,
    "responseElements": None,
    "eventID": "event",
    "readOnly": True,
    "recipientAccountId": ACCOUNT,
}


def database(path: Path) -> Database:
    return Database(path, name="The file", hint="", schema=1, tables="CREATE TABLE t (x)")


@pytest.fixture
def descriptors() -> Callable[[], int]:
    """Return what counts this process's descriptors, none of them left by earlier tests."""
    gc.collect()
    return lambda: sum(1 for _ in Path("/proc/self/fd").iterdir())


def use_state(folder: Path) -> tuple[State, Callable[[], object]]:
    state = State(folder)

    def use() -> None:
        state.put("kind", "id", {})
        assert state.get("kind", "id") == {}

    return state, use


def use_ledger(folder: Path) -> tuple[Ledger, Callable[[], object]]:
    ledger = Ledger(State(folder))

    def use() -> None:
        with ledger.change() as change:
            change.put_key(Key(ARN, "{}"))
        assert ledger.view().key(ARN)

    return ledger, use


def use_trail(folder: Path) -> tuple[Trail, Callable[[], object]]:
    State(folder)
    trail = Trail(folder)

    def use() -> None:
        trail.append(RECORD)
        assert next(events(trail, ACCOUNT))

    return trail, use


@pytest.mark.parametrize("opened", [use_state, use_ledger, use_trail])
def test_threads_leave_no_descriptor_behind(
    tmp_path: Path, opened: Callable[[Path], Any], descriptors: Callable[[], int]
) -> None:
    """No ``gc.collect()``: sqlite3 connections are in reference cycles and would wait for it."""
    before = descriptors()
    file, use = opened(tmp_path / "s")
    for _ in range(4):
        use()
    warm = descriptors()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            use()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert descriptors() <= warm + 4, "the snapshots of a trail, and nothing else"
    file.close()
    assert descriptors() == before


def test_a_database_that_is_dropped_is_closed(
    tmp_path: Path, descriptors: Callable[[], int]
) -> None:
    before = descriptors()
    dropped = database(tmp_path / "file")
    assert descriptors() > before
    del dropped
    assert descriptors() == before


def test_an_interruption_while_it_begins_leaves_no_transaction_open(tmp_path: Path) -> None:
    """Python raises what Ctrl-C raises when SQLite's call has returned."""
    file = database(tmp_path / "file")
    other = sqlite3.connect(tmp_path / "file", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")

    def interrupt() -> None:
        # One after the other, and all within ``raises``: an interruption that comes before or after
        # it ends the whole run of the tests.
        time.sleep(0.2)
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.3)
        other.execute("COMMIT")

    interrupting = threading.Thread(target=interrupt)

    def begin() -> None:
        interrupting.start()
        with file.transaction():
            pass

    with pytest.raises(KeyboardInterrupt):
        begin()
    interrupting.join()
    file.write("INSERT INTO t VALUES (1)")
    assert other.execute("SELECT * FROM t").fetchall() == [(1,)], "it is committed"
    other.close()


def test_a_transaction_that_raises_changes_nothing(tmp_path: Path) -> None:
    file = database(tmp_path / "file")

    def raising() -> None:
        with file.transaction() as connection:
            connection.execute("INSERT INTO t VALUES (1)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        raising()
    assert file.read("SELECT * FROM t") == []


def test_every_commit_by_any_process_changes_the_version(tmp_path: Path) -> None:
    one, other = database(tmp_path / "file"), database(tmp_path / "file")
    versions = [one.version()]
    for writer in (one, other, one, other):
        writer.write("INSERT INTO t VALUES (1)")
        versions.append(one.version())
        assert one.version() == versions[-1], "and nothing else does"
    assert len(set(versions)) == len(versions)


def test_a_transaction_within_a_transaction_is_an_error_and_no_deadlock(tmp_path: Path) -> None:
    file = database(tmp_path / "file")
    with (
        pytest.raises(StateBroken, match="within a transaction"),
        file.transaction(),
        file.transaction(),
    ):
        pass
    file.write("INSERT INTO t VALUES (1)")


def test_a_child_process_opens_its_own_connections(tmp_path: Path) -> None:
    file = database(tmp_path / "file")
    child = multiprocessing.get_context("fork").Process(
        target=lambda: file.write("INSERT INTO t VALUES (1)")
    )
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert file.read("SELECT * FROM t") == [(1,)]


def test_a_file_that_was_removed_or_replaced_is_not_written_to(tmp_path: Path) -> None:
    file = database(tmp_path / "file")
    (tmp_path / "file").rename(tmp_path / "elsewhere")
    with pytest.raises(StateBroken, match="The file cannot be used: No such file"):
        file.read("SELECT * FROM t")
    (tmp_path / "file").write_bytes((tmp_path / "elsewhere").read_bytes())
    with pytest.raises(StateBroken, match="another file is in its place"):
        file.write("INSERT INTO t VALUES (1)")


def test_foreign_errors_do_not_get_out(tmp_path: Path) -> None:
    file = database(tmp_path / "file")
    with pytest.raises(StateBroken, match="The file cannot be used: no such table") as broken:
        file.read("SELECT * FROM none")
    assert isinstance(broken.value.__cause__, sqlite3.Error)
