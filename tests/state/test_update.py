"""Changing a document in one step."""

import threading
from pathlib import Path

import pytest

from testbed.state.store import State


def test_changes_from_several_threads_are_all_kept(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.put("broker", "b", {"count": 0})

    def work() -> None:
        for _ in range(25):
            assert State(tmp_path / "state").update(
                "broker", "b", lambda document: {"count": document["count"] + 1}
            )

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state.get("broker", "b") == {"count": 100}


def test_an_unknown_document_may_be_what_was_missing(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    for count in (1, 2):
        updated = state.update(
            "broker", "b", lambda document: {"count": document["count"] + 1}, missing={"count": 0}
        )
        assert updated == state.get("broker", "b") == {"count": count}


def test_a_change_that_raises_changes_nothing(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.put("broker", "b", {"count": 0})

    def refuse(document: dict[str, int]) -> dict[str, int]:
        document["count"] = 7
        raise KeyError("no")

    with pytest.raises(KeyError):
        state.update("broker", "b", refuse)
    assert state.get("broker", "b") == {"count": 0}
    assert state.update("broker", "none", dict) is None
