"""The SQLite discipline of the state folder: every file of it is opened, locked and refused alike.

A process has two connections to a file, whatever the number of its threads: one reads, one
writes, and a lock hands each from thread to thread. So no descriptor outlives the thread that
needed it, and readers wait for no writer (the journal is a write-ahead log). Long reads that
have to see one state of the file take a ``snapshot``.
"""

import errno
import os
import shutil
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testbed.errors import StateBroken
from testbed.private_files import create_private

# SQLite keeps the descriptor of a closed connection while the process has others on the same
# file, and uses it for the next one: as many snapshots at a time, as many descriptors for good.
_SNAPSHOTS = 4
_LEAST = 2**16  # bytes of free disk, without which SQLite cannot open its log's index


class Database:
    """One SQLite file. Safe to share between threads; a forked child opens its own connections.

    ``name`` is what a refusal calls the file, ``hint`` what it advises. ``tables`` is the SQL
    that creates version ``schema`` of it. Without ``durable`` a commit survives the death of the
    process but not of the machine. ``patience``: seconds to wait for other writers. All methods
    raise ``StateBroken`` when the file cannot be used.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        hint: str,
        schema: int,
        tables: str,
        durable: bool = True,
        patience: float = 10.0,
    ) -> None:
        self.path = path
        self._name, self._hint = name, hint
        self._durable, self._patience = durable, patience
        self._snapshots = threading.BoundedSemaphore(_SNAPSHOTS)
        try:
            # Created here and not by SQLite, so that it is never readable by others; SQLite
            # gives its log the same mode.
            create_private(path)
            self._file = path.stat().st_ino
            self._connections = _Connections(self._open(), self._open())
        except (OSError, sqlite3.Error) as error:
            raise self._broken(error) from error
        self._closer = weakref.finalize(self, _close, self._connections)
        self._ensure_tables(schema, tables)

    def read(self, statement: str, *values: Any) -> list[Any]:
        """Return the rows of a SELECT."""
        try:
            connections = self._own()
            with connections.reading:
                return connections.reader.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def version(self) -> int:
        """Return a number that changes with every commit, by whatever thread or process.

        It costs some microseconds: what was read may be kept until it changes. In a child process
        it is another one: SQLite counts anew for each connection.
        """
        try:
            connections = self._own()
            with connections.reading:
                [version] = connections.reader.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            raise self._broken(error) from error
        return connections.process << 32 | int(version)

    def write(self, statement: str, *values: Any) -> int:
        """Execute one statement as a separate transaction; return the last row's id."""
        with self._writer() as writer:
            return writer.execute(statement, values).lastrowid or 0

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Alone among all threads and processes; kept as a whole, or not at all if it raises."""
        with self._writer() as writer:
            try:
                # Inside: Ctrl-C while it waits for another process is raised when it has begun.
                writer.execute("BEGIN IMMEDIATE")
                yield writer
                writer.execute("COMMIT")
            except BaseException:
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Borrow a connection that sees one state of the file and keeps no writer waiting."""
        with self._snapshots:
            try:
                self._own()
                connection = self._open()
                try:
                    connection.execute("BEGIN")
                    yield connection
                finally:
                    connection.close()
            except sqlite3.Error as error:
                raise self._broken(error) from error

    def checkpoint(self) -> None:
        """Empty SQLite's log, in which what was dropped would otherwise still be for a while."""
        with self._writer() as writer:
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file. Its content stays."""
        self._closer()

    def _ensure_tables(self, schema: int, tables: str) -> None:
        with self.transaction() as database:
            [version] = database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in tables.split(";"):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {schema}")
            elif version != schema:
                raise self._broken(
                    "it was written by another version of the testbed "
                    f"(schema {version}, this one is {schema})"
                )

    @contextmanager
    def _writer(self) -> Iterator[sqlite3.Connection]:
        try:
            connections = self._own()
            if not connections.writing.acquire(timeout=self._patience):
                raise self._broken("another thread has been writing to it for too long")
            try:
                yield connections.writer
            finally:
                connections.writing.release()
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def _own(self) -> "_Connections":
        """Return this process's connections. A file that was removed or replaced is broken."""
        try:
            replaced = self.path.stat().st_ino != self._file
        except OSError as error:
            raise self._broken(error) from error
        if replaced:
            raise self._broken("another file is in its place")
        if self._connections.process != os.getpid():
            # The parent's are neither used nor closed here: that would disturb its locks.
            _INHERITED.append(self._connections)
            self._connections = _Connections(self._open(), self._open())
            self._closer.detach()
            self._closer = weakref.finalize(self, _close, self._connections)
        return self._connections

    def _open(self) -> sqlite3.Connection:
        # isolation_level None: transactions are begun here and not by Python.
        connection = sqlite3.connect(
            self.path, timeout=self._patience, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA secure_delete = ON")  # passwords and key material are dropped
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'OFF'}")
        return connection

    def _broken(self, reason: str | Exception) -> StateBroken:
        error = reason if isinstance(reason, Exception) else Exception(reason)
        if "disk I/O error" in str(error) and _is_full(self.path.parent):
            error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return StateBroken.because_of(error, f"{self._name} cannot be used", self._hint)


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _LEAST
    except OSError:  # it is gone
        return False


class _Connections:
    """The two connections of one process."""

    def __init__(self, reader: sqlite3.Connection, writer: sqlite3.Connection) -> None:
        self.process = os.getpid()
        self.reader, self.writer = reader, writer
        self.reading = threading.Lock()
        # Reentrant, so that a transaction within a transaction is SQLite's error, not a deadlock.
        self.writing = threading.RLock()


_INHERITED: list[_Connections] = []


def _close(connections: _Connections) -> None:
    if connections.process == os.getpid():
        connections.reader.close()
        connections.writer.close()
