"""What the process behind a testbed does besides serving."""

from typing import Any, cast

import pytest

from testbed.daemon import server
from testbed.errors import ContainerFailed


def test_a_fault_that_cannot_be_undone_is_logged_once_whatever_the_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[Exception | None] = [
        ContainerFailed("no answer"),
        ContainerFailed("no answer"),
        KeyError("node"),
        None,
        KeyError("node"),
    ]
    coming = iter(errors)

    class Failing:
        def __init__(self, _: object) -> None:
            pass

        def undo_all(self, *, abandoned: bool) -> None:
            assert abandoned
            if error := next(coming):
                raise error

    monkeypatch.setattr(server, "Faults", Failing)
    undoing = server._Undoing(cast("Any", None))
    for _ in errors:
        undoing.begin()
        assert undoing._task
        assert undoing._task.wait(10)
    assert caplog.messages == [
        "a fault could not be undone: ContainerFailed: no answer",
        "a fault could not be undone: KeyError: 'node'",
        "a fault could not be undone: KeyError: 'node'",
    ]
