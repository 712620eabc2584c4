"""The state folder: one SQLite file of documents, readable by its owner only.

Default is ``.testbed/`` in the current directory, mode 0700. Passwords and the key that signs broker certificates are
in it; data keys never are. ``ca.pem``, what clients need, is copied out beside the database.
"""

import hashlib
import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testbed.errors import StateBroken
from testbed.state.private import make_private

DEFAULT_FOLDER = ".testbed"
DATABASE = "state.sqlite"
# Put into a folder when it is new or empty: only what has it is ever removed.
MARK = "made-by-amazonmq-testbed"
_SCHEMA = 1


class State:
    """Documents by kind and id. Raises ``StateBroken`` when the folder is not ours or cannot be used."""

    def __init__(self, folder: Path | str = DEFAULT_FOLDER) -> None:
        self.folder = Path(folder).absolute()
        self._watching = threading.Lock()
        self._watcher: sqlite3.Connection | None = None
        self._prepare()
        with self._transaction() as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS documents (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id))"
            )
            [version] = database.execute("PRAGMA user_version").fetchone()
            if version not in (0, _SCHEMA):
                raise self._broken(
                    f"it was written by another version of the testbed (schema {version}, this one is {_SCHEMA})"
                )
            database.execute(f"PRAGMA user_version = {_SCHEMA}")

    @property
    def instance(self) -> str:
        """The name that containers of this folder carry as label."""
        return instance_of(self.folder)

    @property
    def ca_file(self) -> Path:
        """The one file a client has to trust."""
        return self.folder / "ca.pem"

    def put(self, kind: str, identity: str, document: Mapping[str, Any]) -> None:
        with self._transaction() as database:
            database.execute(
                "INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, identity, json.dumps(document)),
            )

    def get(self, kind: str, identity: str) -> dict[str, Any] | None:
        with self._transaction() as database:
            row = database.execute(
                "SELECT body FROM documents WHERE kind = ? AND id = ?", (kind, identity)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def update(
        self, kind: str, identity: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]
    ) -> dict[str, Any] | None:
        """Change a document in one step, whatever others do meanwhile, and return it; None when there is none.

        What ``change`` raises is raised, and nothing is changed.
        """
        with self._transaction() as database:
            database.execute("BEGIN IMMEDIATE")
            row = database.execute(
                "SELECT body FROM documents WHERE kind = ? AND id = ?", (kind, identity)
            ).fetchone()
            if row is None:
                return None
            body = json.dumps(change(json.loads(row[0])))
            database.execute(
                "UPDATE documents SET body = ? WHERE kind = ? AND id = ?", (body, kind, identity)
            )
        return json.loads(body)

    def all(self, kind: str) -> list[dict[str, Any]]:
        """In the order of their creation."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT body FROM documents WHERE kind = ? ORDER BY rowid", (kind,)
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def delete(self, kind: str, identity: str) -> None:
        with self._transaction() as database:
            database.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, identity))

    def changes(self) -> int:
        """A number that is another one after each change, by whatever process.

        It costs some microseconds where a look into the documents opens the file anew, so what is asked for with every
        call to KMS can be kept until it changes.
        """
        with self._watching:
            try:
                if self._watcher is None:
                    self._watcher = sqlite3.connect(
                        self.folder / DATABASE, timeout=10, check_same_thread=False
                    )
                [version] = self._watcher.execute("PRAGMA data_version").fetchone()
                return int(version)
            except sqlite3.Error as error:
                raise self._broken(str(error)) from error

    def remove(self) -> None:
        """Remove the folder and everything in it."""
        remove_folder(self.folder)

    def _prepare(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not is_ours(self.folder):
                if any(self.folder.iterdir()):
                    raise self._broken("it is not empty and was not made by the testbed")
                (self.folder / MARK).touch(0o600)
            self.folder.chmod(0o700)
            # Created by us and not by SQLite, so that it is never readable by others.
            make_private(self.folder / DATABASE)
        except OSError as error:
            raise self._broken(str(error)) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection each time: threads and other processes use the same file."""
        try:
            database = sqlite3.connect(self.folder / DATABASE, timeout=10)
            try:
                with database:
                    yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise self._broken(str(error)) from error

    def _broken(self, why: str) -> StateBroken:
        return StateBroken(
            f"The state folder {self.folder} cannot be used: {why}.",
            hint="`testbed down` removes what runs and the folder itself if it is the testbed's; or name another with --state.",
        )


def instance_of(folder: Path | str) -> str:
    """The instance of a state folder: of its path, so that it is known even when the folder is broken or gone."""
    return hashlib.sha256(str(Path(folder).absolute()).encode()).hexdigest()[:10]


def is_ours(folder: Path | str) -> bool:
    """Whether the folder was made by the testbed, sound or broken."""
    return (Path(folder) / MARK).exists()


def remove_folder(folder: Path | str) -> None:
    """Remove a state folder and everything in it, sound or broken; any other folder is left alone."""
    if is_ours(folder):
        shutil.rmtree(folder, ignore_errors=True)
