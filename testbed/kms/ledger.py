"""The ledger of keys: what the testbed knows of them that LocalStack does not keep, or keeps and does not heed.

States with their delays, policies, grants and rotations; no material. One SQLite file in the state folder, in which every
change is one transaction, so a process may be killed at any point. What a thread has read it keeps until anyone, in
whatever process, has changed anything: that is asked once a call, and SQLite knows it without a look into the file's pages.

Keys that were made on LocalStack itself come into the ledger when they are first named.
"""

import json
import math
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from testbed.errors import StateBroken
from testbed.kms.grant import Grant
from testbed.kms.policy import plain
from testbed.kms.states import Key
from testbed.state.private import make_private
from testbed.state.store import State

FILE = "kms.sqlite"
_SCHEMA = 1
_MOST_KEPT = 4096  # keys and lists of grants
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


@dataclass
class _Seen:
    """What one thread has read. ``first_due`` is infinite when nothing is due ever."""

    keys: dict[str, Key | None] = field(default_factory=dict)
    grants: dict[tuple[str, tuple[str, ...]], list[Grant]] = field(default_factory=dict)
    first_due: float | None = None


class Ledger:
    """The ledger of ``state``'s folder. Safe to share between threads. Raises ``StateBroken`` when it cannot be used."""

    def __init__(self, state: State) -> None:
        self._path = state.folder / FILE
        self._local = threading.local()
        with self._translated():
            # Created by us and not by SQLite, so that it is never readable by others.
            make_private(self._path)
        with self.change():
            [version] = self._one("PRAGMA user_version") or (0,)
            if version not in (0, _SCHEMA):
                raise self._broken(
                    f"it was written by another version of the testbed (schema {version}, this one is {_SCHEMA})"
                )
            if version == 0:
                for statement in _TABLES.split(";"):
                    self._all(statement)
                self._all(f"PRAGMA user_version = {_SCHEMA}")

    @contextmanager
    def change(self) -> Iterator[None]:
        """One change at a time, of all threads and processes: what is written within is kept as a whole, or, when it raises, not at all."""
        active, self._local.seen = self._seen is not None, None
        with self._translated():
            self._connection().execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with self._translated():
                self._connection().rollback()
            raise
        else:
            with self._translated():
                self._connection().commit()
        finally:
            # One's own changes are not among those that SQLite tells of.
            self._local.kept = _Seen()
            self._local.seen = self._local.kept if active else None

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """For one call by this thread: what it has read before, and nobody has changed, is not read again."""
        with self._translated():
            [version] = self._connection().execute("PRAGMA data_version").fetchone()
        if (
            version != getattr(self._local, "version", None)
            or len(self._local.kept.keys) + len(self._local.kept.grants) > _MOST_KEPT
        ):
            self._local.kept, self._local.version = _Seen(), version
        self._local.seen = self._local.kept
        try:
            yield
        finally:
            self._local.seen = None

    @property
    def _seen(self) -> "_Seen | None":
        return getattr(self._local, "seen", None)

    # Keys

    def key(self, arn: str) -> Key | None:
        seen = self._seen
        if seen is not None and arn in seen.keys:
            return seen.keys[arn]
        row = self._one("SELECT body FROM keys WHERE arn = ?", arn)
        key = _key(row[0]) if row else None
        if seen is not None:
            seen.keys[arn] = key
        return key

    def arns(self, key_id: str) -> list[str]:
        """The ARNs of the keys with this id: one, unless ids were chosen by hand."""
        return [arn for (arn,) in self._all("SELECT arn FROM keys WHERE id = ?", key_id)]

    def is_due(self, now: float) -> bool:
        """Whether anything is to be done by ``now``, with keys or with grants."""
        seen = self._seen
        if seen is not None and seen.first_due is not None:
            return seen.first_due <= now
        row = self._one(
            "SELECT MIN(due) FROM (SELECT MIN(due) AS due FROM keys UNION ALL SELECT MIN(ends) FROM grants)"
        )
        first_due = row[0] if row and row[0] is not None else math.inf
        if seen is not None:
            seen.first_due = first_due
        return first_due <= now

    def due(self, now: float) -> list[Key]:
        """The keys with which something is to be done by ``now``, those that have waited longest first."""
        return [
            _key(body)
            for (body,) in self._all("SELECT body FROM keys WHERE due <= ? ORDER BY due", now)
        ]

    def put_key(self, key: Key) -> None:
        self._all(
            "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)",
            key.arn,
            key.key_id,
            key.due,
            json.dumps(key.document()),
        )

    def drop_key(self, arn: str) -> None:
        """With its grants."""
        self._all("DELETE FROM keys WHERE arn = ?", arn)
        self._all("DELETE FROM grants WHERE key = ?", arn)

    # Grants

    def grant(self, grant_id: str) -> Grant | None:
        row = self._one("SELECT body FROM grants WHERE id = ?", grant_id)
        return _grant(row[0]) if row else None

    def grants(
        self, *, key: str = "", grantees: tuple[str, ...] = (), retiring: str = "", name: str = ""
    ) -> Iterator[Grant]:
        """In the order of their creation, all those that fit what is given. Principals are as ``policy.plain`` writes them."""
        wanted = {"key = ?": key, "retiring = ?": retiring, "name = ?": name}
        clauses = [clause for clause, value in wanted.items() if value]
        values: list[Any] = [value for value in wanted.values() if value]
        if grantees:
            clauses.append(f"grantee IN ({', '.join('?' * len(grantees))})")
            values += grantees
        where = " AND ".join(clauses) or "1"
        return (
            _grant(body)
            for (body,) in self._all(
                f"SELECT body FROM grants WHERE {where} ORDER BY rowid", *values
            )
        )

    def grants_to(self, key: str, grantees: tuple[str, ...]) -> list[Grant]:
        """The grants on a key to a principal, who has these names."""
        seen = self._seen
        if seen is not None and (key, grantees) in seen.grants:
            return seen.grants[key, grantees]
        found = list(self.grants(key=key, grantees=grantees))
        if seen is not None:
            seen.grants[key, grantees] = found
        return found

    def count_grants(self, key: str) -> int:
        row = self._one("SELECT COUNT(*) FROM grants WHERE key = ?", key)
        return row[0] if row else 0

    def put_grant(self, grant: Grant) -> None:
        """Keeps its place in the order when it is there already."""
        self._all(
            "INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET ends = excluded.ends, body = excluded.body",
            grant.grant_id,
            grant.key_arn,
            grant.name,
            plain(grant.grantee),
            plain(grant.retiring),
            grant.ends,
            json.dumps(asdict(grant)),
        )

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
            connection.execute(
                "PRAGMA journal_mode = WAL"
            )  # so that nobody who only looks waits for a change
            connection.execute("PRAGMA synchronous = FULL")
            self._local.connection, self._local.process = connection, os.getpid()
            self._local.kept, self._local.version = _Seen(), None
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


def _key(body: str) -> Key:
    return Key.of(json.loads(body))


def _grant(body: str) -> Grant:
    document = json.loads(body)
    return Grant(**{**document, "operations": tuple(document["operations"])})
