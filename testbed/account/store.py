"""Where an account is kept: ``account.sqlite`` in the state folder, made when it is first needed.

What moto keeps and the directory that belongs to it are written in one transaction, before the
call that changed them is answered, so a killed process loses nothing that it answered.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

import msgspec

from testbed.account.directory import Directory, Session
from testbed.state.database import Database

DATABASE = "account.sqlite"
_SCHEMA = 1
_TABLES = """
CREATE TABLE backends (
  service TEXT, account TEXT, region TEXT, serial INTEGER, content BLOB,
  PRIMARY KEY (service, account, region)
);
CREATE TABLE directories (
  account TEXT, partition TEXT, serial INTEGER, body TEXT, PRIMARY KEY (account, partition)
);
CREATE TABLE sessions (access_key_id TEXT PRIMARY KEY, expires REAL, body TEXT);
CREATE TABLE issued (access_key_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE codes (device TEXT PRIMARY KEY, step INTEGER)
"""
_PUT_BACKEND = """
INSERT INTO backends VALUES (?, ?, ?, 1, ?)
ON CONFLICT DO UPDATE SET serial = serial + 1, content = excluded.content
"""
_PUT_DIRECTORY = """
INSERT INTO directories VALUES (?, ?, 1, ?)
ON CONFLICT DO UPDATE SET serial = serial + 1, body = excluded.body
"""
_ISSUED = "INSERT INTO issued VALUES (?) ON CONFLICT DO NOTHING"
_FORGET = "DELETE FROM sessions WHERE expires < ?"
_KEPT_AFTER_EXPIRY = 86_400.0  # seconds in which an expired session is called so, not unknown
_USE_CODE = """
INSERT INTO codes VALUES (?, ?) ON CONFLICT DO UPDATE SET step = excluded.step
WHERE excluded.step > step RETURNING step
"""


@dataclass(frozen=True, order=True)
class Place:
    """Where moto keeps something; ``region`` is the partition's name for a global service."""

    service: str
    account: str
    region: str


class AccountStore:
    """What is kept of the accounts of one state folder.

    All methods raise ``StateBroken`` when it cannot be used. Reading makes no file.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / DATABASE
        self._database: Database | None = None
        self._guard = threading.Lock()
        self._version = -1
        self._serials: dict[tuple[str, str], int] = {}
        self._directories: Mapping[tuple[str, str], Directory] = {}

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """Change something alone among all threads and processes; as a whole, or not at all."""
        with self._open().transaction() as connection:
            yield connection

    def serial(self, place: Place, connection: Connection | None = None) -> int:
        """Return a number that changes with each change at ``place``; 0 for nothing kept."""
        statement = "SELECT serial FROM backends WHERE service = ? AND account = ? AND region = ?"
        values = (place.service, place.account, place.region)
        if connection:
            rows = connection.execute(statement, values).fetchall()
        else:
            database = self._present()
            rows = database.read(statement, *values) if database else []
        return int(rows[0][0]) if rows else 0

    def backend(self, place: Place) -> bytes:
        """Return what moto keeps at ``place``."""
        [(content,)] = self._open().read(
            "SELECT content FROM backends WHERE service = ? AND account = ? AND region = ?",
            place.service,
            place.account,
            place.region,
        )
        return bytes(content)

    def put_backend(self, connection: Connection, place: Place, content: bytes) -> None:
        """Keep what moto has at ``place``."""
        connection.execute(_PUT_BACKEND, (place.service, place.account, place.region, content))

    def put_directory(
        self, connection: Connection, account: str, partition: str, directory: Directory
    ) -> None:
        """Keep the directory of an account."""
        body = msgspec.json.encode(directory).decode()
        connection.execute(_PUT_DIRECTORY, (account, partition, body))
        keys = [(key.access_key_id,) for key, _ in directory.access_keys()]
        connection.executemany(_ISSUED, keys)

    def directories(self) -> Mapping[tuple[str, str], Directory]:
        """Return all directories by account and partition: the same object until one changes."""
        database = self._present()
        if database is None:
            return self._directories
        with self._guard:
            version = database.version()
            if version != self._version:
                self._reload(database)
                self._version = version
            return self._directories

    def _reload(self, database: Database) -> None:
        rows = database.read("SELECT account, partition, serial FROM directories")
        changed = {}
        for account, partition, serial in rows:
            if self._serials.get((account, partition)) != serial:
                [(read, body)] = database.read(
                    "SELECT serial, body FROM directories WHERE account = ? AND partition = ?",
                    account,
                    partition,
                )
                changed[account, partition] = msgspec.json.decode(body, type=Directory)
                self._serials[account, partition] = read
        if changed:
            self._directories = {**self._directories, **changed}

    def version(self) -> int:
        """Return a number that changes with every change; 0 while nothing is kept."""
        database = self._present()
        return database.version() if database else 0

    def session(self, access_key_id: str) -> Session | None:
        """Return the session of a temporary access key, also when it has just expired."""
        database = self._present()
        if database is None:
            return None
        rows = database.read("SELECT body FROM sessions WHERE access_key_id = ?", access_key_id)
        return msgspec.json.decode(rows[0][0], type=Session) if rows else None

    def was_issued(self, access_key_id: str) -> bool:
        """Return whether IAM or STS has ever issued an access key with this id."""
        database = self._present()
        statement = "SELECT 1 FROM issued WHERE access_key_id = ?"
        return bool(database and database.read(statement, access_key_id))

    def put_session(self, session: Session) -> None:
        """Keep a session, and forget those that expired long before it was issued."""
        with self._open().transaction() as connection:
            connection.execute(_ISSUED, (session.access_key_id,))
            connection.execute(_FORGET, (session.issued - _KEPT_AFTER_EXPIRY,))
            connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?)",
                (session.access_key_id, session.expires, msgspec.json.encode(session).decode()),
            )

    def use_code(self, device: str, step: int) -> bool:
        """Take note that a device's code of a time step was used; False if it was before."""
        with self._open().transaction() as connection:
            return connection.execute(_USE_CODE, (device, step)).fetchone() is not None

    def close(self) -> None:
        """Close the file. Its content stays."""
        if self._database:
            self._database.close()

    def _present(self) -> Database | None:
        """Return the database if there is a file; reading makes none."""
        if self._database is None and not self._path.exists():
            return None
        return self._open()

    def _open(self) -> Database:
        with self._guard:
            if self._database is None:
                self._database = Database(
                    self._path,
                    name=f"The account {self._path}",
                    hint="`testbed down` removes it together with everything that runs; "
                    "or name another folder with --state.",
                    schema=_SCHEMA,
                    tables=_TABLES,
                )
            return self._database
