"""The ledger of keys: what the testbed knows of them that LocalStack does not keep, or keeps and does not heed.

States with their delays, policies, grants and rotations; no material. One SQLite file in the state folder, in which every
change is one transaction, so a process may be killed at any point. What a thread has read it keeps until anyone, in
whatever process, has changed anything: that is asked once a call, and SQLite knows it without a look into the file's pages.

Keys that were made on LocalStack itself come into the ledger when they are first named.
"""

import json
import math
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from testbed.kms.grant import Grant
from testbed.kms.policy import plain
from testbed.kms.states import Key
from testbed.state.database import Database
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
        path = state.folder / FILE
        self._database = Database(
            path,
            name=f"The ledger of KMS keys {path}",
            hint="`testbed down` removes what runs, and the state with it; "
            "or restore the file from a copy.",
            schema=_SCHEMA,
            tables=_TABLES,
            patience=60.0,
        )
        self._local = threading.local()
        self._latest: tuple[int, _Seen] = (0, _Seen())

    @contextmanager
    def change(self) -> Iterator[None]:
        """One change at a time; kept as a whole or, when it raises, not at all."""
        view = self._seen
        with self._database.transaction() as connection:
            self._local.connection, self._local.seen = connection, None
            try:
                yield
            finally:
                self._local.connection = None
        self._local.seen = self._current() if view is not None else None

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """For one call by this thread: what was read before, and is unchanged, is not read again."""
        self._local.seen = self._current()
        try:
            yield
        finally:
            self._local.seen = None

    def _current(self) -> _Seen:
        """What was read since the last change by anyone, shared by all threads."""
        version, (latest, seen) = self._database.version(), self._latest
        if version != latest or len(seen.keys) + len(seen.grants) > _MOST_KEPT:
            seen = _Seen()
            self._latest = (version, seen)
        return seen

    @property
    def _seen(self) -> _Seen | None:
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
        rows = self._all(statement, *values)
        return rows[0] if rows else None

    def _all(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            return self._database.read(statement, *values)
        return connection.execute(statement, values).fetchall()


def _key(body: str) -> Key:
    return Key.of(json.loads(body))


def _grant(body: str) -> Grant:
    document = json.loads(body)
    return Grant(**{**document, "operations": tuple(document["operations"])})
