"""The ledger of keys: what the testbed knows of them that LocalStack does not keep, or keeps and does not heed.

States with their delays, policies, grants and rotations; no material. One SQLite file in the state folder, in which every
change is one transaction, so a process may be killed at any point. No row is kept: other processes write to it too, and a
look costs some microseconds.

Keys that were made on LocalStack itself come into the ledger when they are first named.
"""

import json
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from testbed.errors import StateBroken
from testbed.kms.grant import Grant
from testbed.kms.policy import plain
from testbed.kms.states import Key
from testbed.state.store import State

FILE = "kms.sqlite"
_SCHEMA = 1
_TABLES = """
CREATE TABLE keys (arn TEXT PRIMARY KEY, id TEXT NOT NULL, due REAL, body TEXT NOT NULL);
CREATE INDEX keys_by_id ON keys (id);
CREATE INDEX keys_by_due ON keys (due) WHERE due IS NOT NULL;
CREATE TABLE grants (id TEXT PRIMARY KEY, key TEXT NOT NULL, name TEXT NOT NULL, grantee TEXT NOT NULL, retiring TEXT NOT NULL,
                     ends REAL, body TEXT NOT NULL);
CREATE INDEX grants_by_key ON grants (key, grantee);
CREATE INDEX grants_by_name ON grants (key, name) WHERE name != '';
CREATE INDEX grants_by_retiring ON grants (retiring);
CREATE INDEX grants_by_end ON grants (ends) WHERE ends IS NOT NULL;
"""


class Ledger:
    """The ledger of ``state``'s folder. Safe to share between threads. Raises ``StateBroken`` when it cannot be used."""

    def __init__(self, state: State) -> None:
        self._path = state.folder / FILE
        self._local = threading.local()
        with self._translated():
            # Created by us and not by SQLite, so that it is never readable by others.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, stat.S_IRUSR | stat.S_IWUSR))
        with self.change():
            [version] = self._one("PRAGMA user_version") or (0,)
            if version not in (0, _SCHEMA):
                raise self._broken(f"it was written by another version of the testbed (schema {version}, this one is {_SCHEMA})")
            if version == 0:
                for statement in _TABLES.split(";"):
                    self._all(statement)
                self._all(f"PRAGMA user_version = {_SCHEMA}")

    @contextmanager
    def change(self) -> Iterator[None]:
        """One change at a time, of all threads and processes: what is written within is kept as a whole, or, when it raises, not at all."""
        with self._translated():
            self._connection().execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with self._translated():
                self._connection().rollback()
            raise
        with self._translated():
            self._connection().commit()

    # Keys

    def key(self, arn: str) -> Key | None:
        row = self._one("SELECT body FROM keys WHERE arn = ?", arn)
        return _key(row[0]) if row else None

    def arns(self, key_id: str) -> list[str]:
        """The ARNs of the keys with this id: one, unless ids were chosen by hand."""
        return [arn for (arn,) in self._all("SELECT arn FROM keys WHERE id = ?", key_id)]

    def is_due(self, now: float) -> bool:
        row = self._one("SELECT EXISTS (SELECT 1 FROM keys WHERE due <= ?1) OR EXISTS (SELECT 1 FROM grants WHERE ends <= ?1)", now)
        return bool(row and row[0])

    def due(self, now: float) -> list[Key]:
        """The keys with which something is to be done by ``now``, those that have waited longest first."""
        return [_key(body) for (body,) in self._all("SELECT body FROM keys WHERE due <= ? ORDER BY due", now)]

    def put_key(self, key: Key) -> None:
        self._all("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)", key.arn, key.key_id, key.due, json.dumps(key.document()))

    def drop_key(self, arn: str) -> None:
        """With its grants."""
        self._all("DELETE FROM keys WHERE arn = ?", arn)
        self._all("DELETE FROM grants WHERE key = ?", arn)

    # Grants

    def grant(self, grant_id: str) -> Grant | None:
        row = self._one("SELECT body FROM grants WHERE id = ?", grant_id)
        return _grant(row[0]) if row else None

    def grants(self, *, key: str = "", grantees: tuple[str, ...] = (), retiring: str = "", name: str = "") -> Iterator[Grant]:
        """In the order of their creation, all those that fit what is given. Principals are as ``policy.plain`` writes them."""
        wanted = {"key = ?": key, "retiring = ?": retiring, "name = ?": name}
        clauses = [clause for clause, value in wanted.items() if value]
        values: list[Any] = [value for value in wanted.values() if value]
        if grantees:
            clauses.append(f"grantee IN ({', '.join('?' * len(grantees))})")
            values += grantees
        where = " AND ".join(clauses) or "1"
        return (_grant(body) for (body,) in self._all(f"SELECT body FROM grants WHERE {where} ORDER BY rowid", *values))

    def count_grants(self, key: str) -> int:
        row = self._one("SELECT COUNT(*) FROM grants WHERE key = ?", key)
        return row[0] if row else 0

    def put_grant(self, grant: Grant) -> None:
        """Keeps its place in the order when it is there already."""
        self._all(
            "INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET ends = excluded.ends, body = excluded.body",
            grant.grant_id, grant.key_arn, grant.name, plain(grant.grantee), plain(grant.retiring), grant.ends, json.dumps(asdict(grant)),
        )  # fmt: skip

    def drop_ended_grants(self, now: float) -> None:
        self._all("DELETE FROM grants WHERE ends <= ?", now)

    # SQLite

    def _one(self, statement: str, *values: Any) -> tuple[Any, ...] | None:
        try:
            return self._connection().execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise self._broken(str(error)) from error

    def _all(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._connection().execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._broken(str(error)) from error

    def _connection(self) -> sqlite3.Connection:
        """One for each thread; a child process must not use its parent's."""
        if getattr(self._local, "process", None) != os.getpid():
            connection = sqlite3.connect(self._path, timeout=60, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")  # so that nobody who only looks waits for a change
            connection.execute("PRAGMA synchronous = FULL")
            self._local.connection, self._local.process = connection, os.getpid()
        return self._local.connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._broken(str(error)) from error

    def _broken(self, why: str) -> StateBroken:
        return StateBroken(
            f"The ledger of KMS keys {self._path} cannot be used: {why}.",
            hint="`testbed down` removes what runs, and the state with it; or restore the file from a copy.",
        )


# What is written in a row is read once: it is the text that is remembered, not the row.


@lru_cache(4096)
def _key(body: str) -> Key:
    return Key.of(json.loads(body))


@lru_cache(4096)
def _grant(body: str) -> Grant:
    document = json.loads(body)
    return Grant(**{**document, "operations": tuple(document["operations"])})
