"""The state folder: one SQLite file of documents, readable by its owner only.

Default is ``.testbed/`` in the current directory, mode 0700. It holds passwords and the key that
signs broker certificates; never data keys. ``ca.pem``, which clients need, is copied out beside
the database.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from testbed.errors import StateBroken, TestbedError
from testbed.state.database import Database

DEFAULT_FOLDER = ".testbed"
DATABASE = "state.sqlite"
# Put into a folder that is new or empty: only a folder with this mark is ever removed.
MARK = "made-by-amazonmq-testbed"
_SCHEMA = 2
_MADE_WITHIN = 5.0  # seconds between the mark and the database of a new folder, on a busy machine
_REMOVED_WITHIN = 2.0  # seconds in which other processes let go of a folder
_TABLES = """
CREATE TABLE IF NOT EXISTS documents (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id));
INSERT INTO documents VALUES ('folder', 'made', '{}')
"""
_PUT = """
INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body
"""
_GET = "SELECT body FROM documents WHERE kind = ? AND id = ?"
_UNKNOWN = "which brokers and keys there are is not known any more"
_HINT = (
    "`testbed down` removes what runs and the folder itself if it is the testbed's; "
    "or name another with --state."
)


class State:
    """Documents by kind and id.

    ``is_new``: this object made the folder the testbed's. Of several at once, exactly one did.
    Raises ``StateBroken`` for a folder that is not the testbed's or cannot be used, or that has
    lost its database or the content.
    """

    def __init__(self, folder: Path | str = DEFAULT_FOLDER) -> None:
        self.folder = Path(folder).absolute()
        self._name = f"The state folder {self.folder}"
        self._instance = instance_of(self.folder)
        self.is_new = self._prepare()
        self._database = Database(
            self.folder / DATABASE, name=self._name, hint=_HINT, schema=_SCHEMA, tables=_TABLES
        )
        if self.get("folder", "made") is None:  # it came with the tables
            self._database.close()
            raise StateBroken(
                f"{self._name} has lost the content of its database, {DATABASE}: {_UNKNOWN}.",
                hint=_HINT,
            )

    @property
    def instance(self) -> str:
        """The name that containers of this folder carry as label."""
        return self._instance

    @property
    def ca_file(self) -> Path:
        """The one file a client has to trust."""
        return self.folder / "ca.pem"

    def put(self, kind: str, identity: str, document: Mapping[str, Any]) -> None:
        self._database.write(_PUT, kind, identity, json.dumps(document))

    def get(self, kind: str, identity: str) -> dict[str, Any] | None:
        rows = self._database.read(_GET, kind, identity)
        return json.loads(rows[0][0]) if rows else None

    def update(
        self,
        kind: str,
        identity: str,
        change: Callable[[dict[str, Any]], Mapping[str, Any]],
        missing: Mapping[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """Change a document in one step and return it; None for an unknown one.

        With ``missing`` that is what an unknown one was. What ``change`` raises is raised, and
        nothing is changed.
        """
        with self._database.transaction() as database:
            row = database.execute(_GET, (kind, identity)).fetchone()
            if row is None and missing is None:
                return None
            body = json.dumps(change(json.loads(row[0]) if row else dict(missing or {})))
            database.execute(_PUT, (kind, identity, body))
        updated: dict[str, Any] = json.loads(body)
        return updated

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Return all documents of a kind in the order of their creation."""
        rows = self._database.read("SELECT body FROM documents WHERE kind = ? ORDER BY rowid", kind)
        return [json.loads(body) for (body,) in rows]

    def delete(self, kind: str, identity: str) -> None:
        self._database.write("DELETE FROM documents WHERE kind = ? AND id = ?", kind, identity)

    def changes(self) -> int:
        """Return a number that changes with every change, by whatever process.

        What every call to KMS needs can so be kept until it changes.
        """
        return self._database.version()

    def close(self) -> None:
        """Close the database. The folder stays."""
        self._database.close()

    def remove(self) -> None:
        """Remove the folder and everything in it."""
        remove_folder(self.folder)

    def _prepare(self) -> bool:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_new = not is_ours(self.folder) and self._mark()
            self.folder.chmod(0o700)
            if not is_new:
                self._require_database()
        except OSError as error:
            raise StateBroken.because_of(
                error,
                f"{self._name} cannot be used",
                "Name a folder that can be written with --state or TESTBED_STATE.",
            ) from error
        return is_new

    def _mark(self) -> bool:
        if any(self.folder.iterdir()):
            if is_ours(self.folder):  # by another process, just now
                return False
            raise StateBroken(
                f"{self._name} cannot be used: it is not empty and was not made by the testbed.",
                hint=_HINT,
            )
        try:
            (self.folder / MARK).touch(0o600, exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _require_database(self) -> None:
        deadline = time.monotonic() + _MADE_WITHIN
        while not self._has_database():
            if time.monotonic() > deadline:
                raise StateBroken(
                    f"{self._name} has lost its database, {DATABASE}: {_UNKNOWN}.",
                    hint=_HINT,
                )
            time.sleep(0.05)

    def _has_database(self) -> bool:
        """Return whether there is one that is not empty, as not even a new one is."""
        try:
            return (self.folder / DATABASE).stat().st_size > 0
        except FileNotFoundError:
            return False


def instance_of(folder: Path | str) -> str:
    """Return the instance of a state folder.

    It is derived from the path alone, so it is known even when the folder is broken or gone.
    Raises ``StateBroken`` for a path that is no text: nothing could print it.
    """
    path = Path(folder).absolute()
    try:
        return hashlib.sha256(str(path).encode()).hexdigest()[:10]
    except UnicodeEncodeError as error:
        raise StateBroken(
            f"The state folder {path} cannot be used: its path is not in UTF-8.",
            hint="Name another folder with --state or TESTBED_STATE.",
        ) from error


def is_ours(folder: Path | str) -> bool:
    """Return whether the folder was made by the testbed, sound or broken."""
    return (Path(folder) / MARK).exists()


def require_testbed(folder: Path | str) -> None:
    """Raise ``TestbedError`` unless ``folder`` is a testbed's."""
    if not is_ours(folder):
        raise TestbedError(
            f"There is no testbed in {folder}.",
            hint="`testbed up` starts one; --state or TESTBED_STATE names another folder.",
        )


def remove_folder(folder: Path | str) -> None:
    """Remove a state folder, sound or broken. Any other folder is left alone.

    Raises ``StateBroken`` when something of it cannot be removed; the rest is removed.
    """
    folder, deadline = Path(folder), time.monotonic() + _REMOVED_WITHIN
    while is_ours(folder):
        try:
            _remove(folder)
        except OSError as error:
            if time.monotonic() > deadline:
                raise StateBroken(
                    f"The state folder {folder} could not be removed: {error}.",
                    hint="What ran is gone. `testbed down` again removes the folder when it can.",
                ) from error
            time.sleep(0.1)


def _remove(folder: Path) -> None:
    """Remove as much as possible, the mark last: what is left is still known as the testbed's."""
    errors = []
    for path in list(folder.iterdir()):
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != MARK:
                path.unlink(missing_ok=True)
        except OSError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    (folder / MARK).unlink()
    try:
        folder.rmdir()
    except OSError:  # another process has just made a file
        (folder / MARK).touch(0o600)
        raise
