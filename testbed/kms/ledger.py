"""The ledger of keys: what LocalStack does not keep of them, or keeps and ignores.

States with their delays, policies, grants, rotations, and the material that was imported into
symmetric keys. One SQLite file in the state folder, mode 0600, in which every change is one
transaction, so a process may be killed at any point. A secret that is dropped is overwritten.

A call reads through a ``View``, which remembers what was read since anyone, in whatever process,
changed anything. A ``Change`` reads what is there and writes. Keys that were made on LocalStack
itself come into the ledger when they are first named.
"""

import math
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from testbed.kms.grant import Grant, grant_id_of
from testbed.kms.key import Key
from testbed.kms.principals import without_path
from testbed.kms.refusals import no_such_key
from testbed.state.database import Database
from testbed.state.store import State

FILE = "kms.sqlite"
_SCHEMA = 4
_MOST_REMEMBERED = 4096  # keys and lists of grants
_TABLES = """
CREATE TABLE keys (arn TEXT PRIMARY KEY, id TEXT NOT NULL, due REAL, body BLOB NOT NULL);
CREATE INDEX keys_by_id ON keys (id);
CREATE INDEX keys_by_due ON keys (due) WHERE due IS NOT NULL;
CREATE TABLE secrets (owner TEXT, id TEXT, secret BLOB NOT NULL, PRIMARY KEY (owner, id));
CREATE TABLE aliases (arn TEXT PRIMARY KEY, created REAL NOT NULL, updated REAL NOT NULL);
CREATE TABLE grants (
  id TEXT PRIMARY KEY, key TEXT NOT NULL, name TEXT NOT NULL, grantee TEXT NOT NULL,
  retiring TEXT NOT NULL, ends REAL, body BLOB NOT NULL
);
CREATE INDEX grants_by_key ON grants (key, grantee);
CREATE INDEX grants_by_name ON grants (key, name) WHERE name != '';
CREATE INDEX grants_by_retiring ON grants (retiring);
CREATE INDEX grants_by_end ON grants (ends) WHERE ends IS NOT NULL;
"""
_FIRST_DUE = """
SELECT MIN(due) FROM (SELECT MIN(due) AS due FROM keys UNION ALL SELECT MIN(ends) FROM grants)
"""
_PUT_GRANT = """
INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET ends = excluded.ends, body = excluded.body
"""
_encode = msgspec.json.Encoder().encode
_decode_key = msgspec.json.Decoder(Key).decode
_decode_grant = msgspec.json.Decoder(Grant).decode


class _Reads(ABC):
    """The questions that a ledger answers."""

    @abstractmethod
    def _rows(self, statement: str, *values: Any) -> list[Any]: ...

    def key(self, arn: str) -> Key | None:
        rows = self._rows("SELECT body FROM keys WHERE arn = ?", arn)
        return _decode_key(rows[0][0]) if rows else None

    def keys(self) -> list[Key]:
        """Return all keys, of all accounts, in the order of creation."""
        keys = [_decode_key(body) for (body,) in self._rows("SELECT body FROM keys")]
        return sorted(keys, key=lambda key: (key.created, key.arn))

    def secret(self, owner: str, identity: str) -> bytes | None:
        """Return a secret of ``owner``: the ARN of a key, or what else has secrets."""
        rows = self._rows("SELECT secret FROM secrets WHERE owner = ? AND id = ?", owner, identity)
        return bytes(rows[0][0]) if rows else None

    def alias_times(self) -> dict[str, tuple[float, float]]:
        """Return by the aliases' ARNs when they were created, and when last given to a key."""
        rows = self._rows("SELECT arn, created, updated FROM aliases")
        return {arn: (created, updated) for arn, created, updated in rows}

    def arns(self, key_id: str) -> list[str]:
        """Return the ARNs of the keys with this id: one, unless it is a multi-Region key."""
        return [arn for (arn,) in self._rows("SELECT arn FROM keys WHERE id = ?", key_id)]

    def related(self, key: Key) -> list[Key]:
        """Return the primary and all replicas of a multi-Region key in the order of creation."""
        rows = self._rows("SELECT body FROM keys WHERE id = ?", key.key_id)
        keys = [_decode_key(body) for (body,) in rows]
        keys = [other for other in keys if other.account == key.account]
        return sorted(keys, key=lambda other: (other.created, other.arn))

    def first_due(self) -> float:
        """Return when the next key or grant is due, infinity if none is."""
        [[due]] = self._rows(_FIRST_DUE)
        return math.inf if due is None else float(due)

    def due(self, now: float) -> list[Key]:
        """Return the keys that are due by ``now``, those that have waited longest first."""
        rows = self._rows("SELECT body FROM keys WHERE due <= ? ORDER BY due", now)
        return [_decode_key(body) for (body,) in rows]

    def grant(self, grant_id: str) -> Grant | None:
        rows = self._rows("SELECT body FROM grants WHERE id = ?", grant_id)
        return _decode_grant(rows[0][0]) if rows else None

    def grant_of_token(self, token: str, region: str) -> Grant | None:
        """Return the grant that a token was issued for, None if none was in this Region."""
        grant = self.grant(grant_id_of(token))
        return grant if grant and grant.region == region and grant.issued(token) else None

    def grants(
        self, *, key: str = "", grantees: tuple[str, ...] = (), retiring: str = "", name: str = ""
    ) -> list[Grant]:
        """Return the grants that match all that is given, in the order of their creation.

        Principals are as ``principals.without_path`` writes them.
        """
        conditions = {"key = ?": key, "retiring = ?": retiring, "name = ?": name}
        clauses = [clause for clause, value in conditions.items() if value]
        values = [value for value in conditions.values() if value]
        if grantees:
            clauses.append(f"grantee IN ({', '.join('?' * len(grantees))})")
            values += grantees
        where = " AND ".join(clauses) or "1"
        statement = f"SELECT body FROM grants WHERE {where} ORDER BY rowid"  # noqa: S608 (constants)
        return [_decode_grant(body) for (body,) in self._rows(statement, *values)]

    def count_grants(self, key: str) -> int:
        [[count]] = self._rows("SELECT COUNT(*) FROM grants WHERE key = ?", key)
        return int(count)


class Ledger(_Reads):
    """The ledger of ``state``'s folder. Safe to share between threads.

    Raises ``StateBroken`` when the file cannot be used.
    """

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
        self._memory = _Memory()

    def view(self) -> "View":
        """Return a view for one call, which shares what other calls have read."""
        version, memory = self._database.version(), self._memory
        if version != memory.version or memory.size > _MOST_REMEMBERED:
            self._memory = memory = _Memory(version)
        return View(self._database, memory)

    @contextmanager
    def change(self) -> Iterator["Change"]:
        """Change the ledger, alone among all threads and processes; all of it or nothing."""
        with self._database.transaction() as connection:
            change = Change(connection)
            yield change
        if change.dropped_secrets:
            self._database.checkpoint()

    def close(self) -> None:
        """Close the file. Its content stays."""
        self._database.close()

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        return self._database.read(statement, *values)


@dataclass
class _Memory:
    """What was read since ``version`` of the file."""

    version: int = 0
    keys: dict[str, Key | None] = field(default_factory=dict)
    grants: dict[tuple[str, tuple[str, ...]], list[Grant]] = field(default_factory=dict)
    first_due: float | None = None

    @property
    def size(self) -> int:
        return len(self.keys) + len(self.grants)


class View(_Reads):
    """What a call sees of the ledger. It may be older than a change made during the call."""

    def __init__(self, database: Database, memory: _Memory) -> None:
        self._database, self._memory = database, memory

    def key(self, arn: str) -> Key | None:
        keys = self._memory.keys
        if arn not in keys:
            keys[arn] = super().key(arn)
        return keys[arn]

    def grants_to(self, key: str, grantees: tuple[str, ...]) -> list[Grant]:
        """Return the grants on a key to a principal that has these names."""
        grants = self._memory.grants
        if (key, grantees) not in grants:
            grants[key, grantees] = self.grants(key=key, grantees=grantees)
        return grants[key, grantees]

    def first_due(self) -> float:
        due = self._memory.first_due
        if due is None:
            due = self._memory.first_due = super().first_due()
        return due

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        return self._database.read(statement, *values)


class Change(_Reads):
    """A change of the ledger under way."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.dropped_secrets = False

    def existing_key(self, arn: str) -> Key:
        """Return the key as it is now. Raises ``NotFoundException`` when it is gone."""
        key = self.key(arn)
        if key is None:
            raise no_such_key(arn)
        return key

    def put_key(self, key: Key) -> None:
        self._rows(
            "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)",
            key.arn,
            key.key_id,
            key.due,
            _encode(key),
        )

    def drop_key(self, arn: str) -> None:
        """Forget a key, its grants and its imported material."""
        self._rows("DELETE FROM keys WHERE arn = ?", arn)
        self._rows("DELETE FROM grants WHERE key = ?", arn)
        self._drop_secrets("DELETE FROM secrets WHERE owner = ? RETURNING id", arn)

    def put_secret(self, owner: str, identity: str, secret: bytes) -> None:
        self._rows("INSERT OR REPLACE INTO secrets VALUES (?, ?, ?)", owner, identity, secret)

    def drop_secret(self, owner: str, identity: str) -> None:
        self._drop_secrets(
            "DELETE FROM secrets WHERE owner = ? AND id = ? RETURNING id", owner, identity
        )

    def _drop_secrets(self, statement: str, *values: Any) -> None:
        self.dropped_secrets |= bool(self._rows(statement, *values))

    def put_alias(self, arn: str, now: float) -> None:
        """Keep when an alias is given to a key: for the first time, or to another one."""
        self._rows(
            "INSERT INTO aliases VALUES (?, ?, ?) "
            "ON CONFLICT (arn) DO UPDATE SET updated = excluded.updated",
            arn,
            now,
            now,
        )

    def drop_alias(self, arn: str) -> None:
        self._rows("DELETE FROM aliases WHERE arn = ?", arn)

    def put_grant(self, grant: Grant) -> None:
        """Keep a grant. A known one keeps its place in the order."""
        self._rows(
            _PUT_GRANT,
            grant.grant_id,
            grant.key_arn,
            grant.name,
            without_path(grant.grantee),
            without_path(grant.retiring),
            grant.ends,
            _encode(grant),
        )

    def drop_ended_grants(self, now: float) -> None:
        self._rows("DELETE FROM grants WHERE ends <= ?", now)

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()
