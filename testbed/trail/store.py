"""Where the records are kept: ``trail.sqlite`` in the state folder, readable by its owner only.

Any number of processes and threads append. An append is one row in SQLite's write-ahead log,
some tens of microseconds; the rows by which a record is found are written for some dozens of
records at a time, and before a look-up. No file is synced: a record survives the death of the
process that wrote it, not a power failure.

Records are kept per account, the one that receives them, and Region. They stay until the state
folder goes.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testbed.state.database import Database
from testbed.trail.attributes import attributes, seconds

DATABASE = "trail.sqlite"
INDEX_EVERY = 32  # records
_CHUNK = 10_000  # records indexed in one transaction at most, so that writers get their turn
_SCHEMA = 2
_TABLES = """
CREATE TABLE events (seq INTEGER PRIMARY KEY, account TEXT, region TEXT, record TEXT);
CREATE TABLE attributes (
  account TEXT, region TEXT, attribute INTEGER, value TEXT, time INTEGER, seq INTEGER,
  PRIMARY KEY (account, region, attribute, value, time, seq)
) WITHOUT ROWID;
CREATE TABLE indexed (seq INTEGER);
INSERT INTO indexed VALUES (0);
"""
_ENCODER = json.JSONEncoder(separators=(",", ":"))
_INSERT = "INSERT INTO events (account, region, record) VALUES (?, ?, ?)"
_NOT_INDEXED = (
    "SELECT seq, account, region, record FROM events"
    " WHERE seq > (SELECT seq FROM indexed) ORDER BY seq LIMIT ?"
)


class Trail:
    """The records of one state folder, which must exist.

    Raises ``StateBroken`` when they cannot be read or written.
    """

    def __init__(self, folder: Path | str) -> None:
        self.path = Path(folder).absolute() / DATABASE
        self._database = Database(
            self.path,
            name=f"The trail {self.path}",
            hint="`testbed down` removes it together with everything that runs; "
            "or name another folder with --state.",
            schema=_SCHEMA,
            tables=_TABLES,
            durable=False,
        )

    def append(self, *records: Mapping[str, Any]) -> None:
        """Write records, all or none; every process sees them when this returns."""
        rows = [
            (record["recipientAccountId"], record["awsRegion"], _ENCODER.encode(record))
            for record in records
        ]
        if len(rows) == 1:
            last = self._database.write(_INSERT, *rows[0])
        else:
            with self._database.transaction() as database:
                last = [database.execute(_INSERT, row).lastrowid or 0 for row in rows][-1]
        if last % INDEX_EVERY < len(rows):
            self.index()

    def index(self) -> None:
        """Write the rows by which records are found, for all records that lack them."""
        while self._database.read(_NOT_INDEXED, 1):
            with self._database.transaction() as database:
                pending = database.execute(_NOT_INDEXED, (_CHUNK,)).fetchall()
                database.executemany(
                    "INSERT INTO attributes VALUES (?, ?, ?, ?, ?, ?)",
                    (row for event in pending for row in rows_of(*event)),
                )
                if pending:  # another process may have been faster
                    database.execute("UPDATE indexed SET seq = ?", (pending[-1][0],))
            if len(pending) < _CHUNK:
                return

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Borrow a connection that sees one state of the trail and keeps no call waiting."""
        self.index()
        with self._database.snapshot() as database:
            yield database

    def close(self) -> None:
        """Close the file. The records stay."""
        self._database.close()


def rows_of(
    seq: int, account: str, region: str, record: str
) -> Iterator[tuple[str, str, int, str, int, int]]:
    """Yield the rows by which a record is found."""
    document = json.loads(record)
    time = seconds(document["eventTime"])
    for attribute, value in attributes(document):
        yield account, region, attribute, value, time, seq
