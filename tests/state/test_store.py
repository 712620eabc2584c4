import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from testbed.errors import StateBroken
from testbed.private_files import create_private
from testbed.state import store
from testbed.state.store import DATABASE, State, instance_of, is_ours, remove_folder
from tests.support.small_disk import full, mounted


def test_documents_survive_in_the_order_they_came(tmp_path: Path) -> None:
    state = State(tmp_path / "s")
    state.put("broker", "b", {"n": 1})
    state.put("broker", "a", {"n": 2})
    again = State(tmp_path / "s")
    assert again.all("broker") == [{"n": 1}, {"n": 2}]
    assert again.get("broker", "b") == {"n": 1}
    assert again.get("broker", "x") is None
    again.put("broker", "b", {"n": 3})
    assert again.all("broker") == [{"n": 3}, {"n": 2}]
    again.delete("broker", "b")
    assert state.all("broker") == [{"n": 2}]
    assert state.instance == again.instance == instance_of(tmp_path / "s")


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    State(folder).put("k", "i", {})
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StateBroken, match="not made by the testbed"):
        State(tmp_path)
    remove_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_database_of_the_same_name_does_not_make_a_folder_ours(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / DATABASE) as database:
        database.execute("CREATE TABLE letters (text)")
    content = (tmp_path / DATABASE).read_bytes()
    with pytest.raises(StateBroken, match="not made by the testbed"):
        State(tmp_path)
    remove_folder(tmp_path)
    assert (tmp_path / DATABASE).read_bytes() == content
    assert not is_ours(tmp_path)


def test_a_folder_of_ours_is_removed_sound_or_broken(tmp_path: Path) -> None:
    for name, content in (("sound", None), ("broken", b"x" * 999)):
        state = State(tmp_path / name)
        if content:
            (tmp_path / name / DATABASE).write_bytes(content)
        state.remove()
    remove_folder(tmp_path / "never")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"no database at all, but long enough to be looked at" * 99,
        b"SQLite format 3\0" + b"x" * 500,
    ],
)
def test_a_broken_database_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    State(tmp_path / "s")
    (tmp_path / "s" / DATABASE).write_bytes(content)
    with pytest.raises(StateBroken, match="cannot be used"):
        State(tmp_path / "s")


def test_a_state_of_another_version_is_not_guessed_at(tmp_path: Path) -> None:
    State(tmp_path / "s")
    with sqlite3.connect(tmp_path / "s" / DATABASE) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(StateBroken, match="another version"):
        State(tmp_path / "s")


def test_a_file_in_its_place_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("")
    with pytest.raises(StateBroken):
        State(tmp_path / "s")


def test_a_file_that_is_there_is_not_even_opened(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    create_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o600
    folder.write_text("kept")
    folder.chmod(0)
    before = folder.stat().st_atime_ns, folder.stat().st_mtime_ns
    create_private(folder)
    assert (folder.stat().st_atime_ns, folder.stat().st_mtime_ns) == before


def test_of_several_that_make_a_folder_one_did(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)

    def make(_: int) -> bool:
        barrier.wait(10)
        return State(tmp_path / "s").is_new

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(make, range(8))) == [False] * 7 + [True]


def test_a_folder_that_lost_its_database_is_not_taken_for_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State(tmp_path / "s")
    state.close()
    (tmp_path / "s" / DATABASE).unlink()
    monkeypatch.setattr(store, "_MADE_WITHIN", 0.0)
    with pytest.raises(StateBroken, match="has lost its database") as error:
        State(tmp_path / "s")
    assert "testbed down" in error.value.hint


def empty_the_file(database: Path) -> None:
    for file in database.parent.glob(f"{DATABASE}*"):
        file.write_bytes(b"")


def empty_the_tables(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM documents")
    connection.close()


def remove_the_tables(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TABLE documents")
    connection.close()


@pytest.mark.parametrize("damage", [empty_the_file, empty_the_tables, remove_the_tables])
def test_nor_is_one_whose_database_was_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    State(tmp_path / "s").close()
    State(tmp_path / "s").close()  # control: nothing is lost
    damage(tmp_path / "s" / DATABASE)
    monkeypatch.setattr(store, "_MADE_WITHIN", 0.0)
    with pytest.raises(StateBroken):
        State(tmp_path / "s")


def test_what_cannot_be_removed_is_said_and_stays_known_as_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a mount, or a file that was made immutable."""
    state = State(tmp_path / "s")
    state.close()
    (state.folder / "held").mkdir()
    with mounted(state.folder / "held"):
        monkeypatch.setattr(store, "_REMOVED_WITHIN", 0.0)
        with pytest.raises(StateBroken, match="could not be removed: .*held") as error:
            state.remove()
        assert {path.name for path in state.folder.iterdir()} == {"held", store.MARK}
    assert "testbed down" in error.value.hint
    remove_folder(state.folder)
    assert not state.folder.exists()


def test_a_folder_in_which_others_still_write_is_removed(tmp_path: Path) -> None:
    """They end soon, but make files until then."""
    state, ending = State(tmp_path / "s"), threading.Event()

    def write() -> None:
        number = 0
        while not ending.is_set():
            number += 1
            with suppress(OSError):
                (state.folder / f"{number}.lock").touch()

    writer = threading.Thread(target=write)
    writer.start()
    threading.Timer(0.5, ending.set).start()
    state.remove()
    ending.set()
    writer.join()
    assert not state.folder.exists()


def test_a_full_disk_is_the_reason_and_space_the_advice(tmp_path: Path) -> None:
    with mounted(tmp_path):
        State(tmp_path / "there").close()
        with full(tmp_path):
            for name in ("there", "new"):
                with pytest.raises(StateBroken, match="(?i)full|no space left") as error:
                    State(tmp_path / name).put("kind", "id", {"body": "x" * 10_000})
                assert "Free some space" in error.value.hint
        State(tmp_path / "there").put("kind", "id", {"body": "x" * 10_000})
