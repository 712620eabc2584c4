"""Where the records are kept: ``trail.sqlite`` in the state folder, readable by its owner only.

Any number of processes and threads append. An append is one row in SQLite's write-ahead log and no more, some tens of
microseconds; the rows by which a record is found are written for some dozens of records at a time, and by whoever looks
something up. No file is synced: a record is safe when the process that wrote it dies, not when the machine loses power.

Records are kept per account, the one that receives them, and stay until the state folder goes.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testbed.errors import StateBroken
from testbed.state.private import make_private
from testbed.trail.attributes import attributes, seconds

DATABASE = "trail.sqlite"
INDEX_EVERY = 32  # records
_CHUNK = 10_000  # records indexed in one transaction at most, so that writers get their turn
_SCHEMA = 1
_TABLES = """
CREATE TABLE events (seq INTEGER PRIMARY KEY, account TEXT, record TEXT);
CREATE TABLE attributes (
  account TEXT, attribute INTEGER, value TEXT, time INTEGER, seq INTEGER,
  PRIMARY KEY (account, attribute, value, time, seq)
) WITHOUT ROWID;
CREATE TABLE indexed (seq INTEGER);
INSERT INTO indexed VALUES (0);
"""
_ENCODER = json.JSONEncoder(separators=(",", ":"))
_INSERT = "INSERT INTO events (account, record) VALUES (?, ?)"
_NOT_INDEXED = "SELECT seq, account, record FROM events WHERE seq > (SELECT seq FROM indexed) ORDER BY seq LIMIT ?"


class Trail:
    """The records of one state folder, which must exist. Raises ``StateBroken`` when they cannot be read or written."""

    def __init__(self, folder: Path | str) -> None:
        self.path = Path(folder).absolute() / DATABASE
        self._writing = threading.Lock()
        try:
            # Created by us and not by SQLite, so that it is never readable by others; SQLite gives its log the same mode.
            make_private(self.path)
            self._database = self._open()
            self._database.execute("PRAGMA journal_mode = WAL")
            with self._transaction() as database:
                [version] = database.execute("PRAGMA user_version").fetchone()
                if not version:
                    for statement in _TABLES.split(";"):
                        database.execute(statement)
                    database.execute(f"PRAGMA user_version = {_SCHEMA}")
        except (OSError, sqlite3.Error) as error:
            raise self._broken(str(error)) from error
        if version not in (0, _SCHEMA):
            raise self._broken(
                f"it was written by another version of the testbed (schema {version}, this one is {_SCHEMA})"
            )

    def append(self, *records: Mapping[str, Any]) -> None:
        """Write records down, all or none; every other process sees them when this returns."""
        rows = [(record["recipientAccountId"], _ENCODER.encode(record)) for record in records]
        try:
            with self._writing:
                if len(rows) == 1:
                    last = self._database.execute(_INSERT, rows[0]).lastrowid or 0
                else:
                    with self._transaction() as database:
                        last = [database.execute(_INSERT, row).lastrowid or 0 for row in rows][-1]
        except sqlite3.Error as error:
            raise self._broken(str(error)) from error
        if last % INDEX_EVERY < len(rows):
            self.index()

    def index(self) -> None:
        """Write down by what the records are found, for those for which it is still to do."""
        try:
            while self._index(_CHUNK) == _CHUNK:
                pass
        except sqlite3.Error as error:
            raise self._broken(str(error)) from error

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of the reader's own, so that a look-up keeps no call waiting. It sees one state of the trail."""
        self.index()
        try:
            database = self._open()
            try:
                database.execute("BEGIN")
                yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise self._broken(str(error)) from error

    def close(self) -> None:
        """Let go of the file. The records stay."""
        with self._writing:
            self._database.close()

    def _index(self, at_most: int) -> int:
        with self._writing:
            if not self._database.execute(_NOT_INDEXED, (1,)).fetchone():
                return 0
            with self._transaction() as database:
                found = database.execute(_NOT_INDEXED, (at_most,)).fetchall()
                database.executemany(
                    "INSERT INTO attributes VALUES (?, ?, ?, ?, ?)",
                    (row for event in found for row in rows_of(*event)),
                )
                if found:  # another process may have been faster
                    database.execute("UPDATE indexed SET seq = ?", (found[-1][0],))
            return len(found)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        # isolation_level None: transactions are begun here, not by Python. Threads take turns under the lock.
        database = sqlite3.connect(
            self.path, timeout=10, isolation_level=None, check_same_thread=False
        )
        database.execute("PRAGMA synchronous = OFF")
        return database

    def _broken(self, why: str) -> StateBroken:
        return StateBroken(
            f"The trail {self.path} cannot be used: {why}.",
            hint="`testbed down` removes it together with everything that runs; or name another folder with --state.",
        )


def rows_of(seq: int, account: str, record: str) -> Iterator[tuple[str, int, str, int, int]]:
    """The rows by which a record is found."""
    document = json.loads(record)
    time = seconds(document["eventTime"])
    for attribute, value in attributes(document):
        yield account, attribute, value, time, seq
