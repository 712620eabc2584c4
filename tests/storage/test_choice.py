"""What volumes are made of: chosen, or tried once; never "not encrypted"."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from testbed.errors import ContainerFailed, TestbedError
from testbed.state.store import State
from testbed.storage import choice
from testbed.storage.choice import Wanted, chosen


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(tmp_path / "state")
    yield state
    state.remove()


def works() -> str:
    return ""


def fails() -> str:
    return "no loop device is to be had"


def not_tried() -> str:
    raise AssertionError("tried")


def test_there_is_no_choice_without_encryption() -> None:
    assert set(get_args(Wanted)) == {"auto", "block", "files"}


@pytest.mark.parametrize("wanted", ["block", "files"])
def test_what_was_chosen_is_not_tried(state: State, wanted: Wanted) -> None:
    choice.choose(state, wanted=wanted)
    assert choice.kind(state, not_tried) == wanted
    assert str(chosen(state)) == wanted


def test_block_volumes_are_tried_once_and_taken_if_they_attach(state: State) -> None:
    choice.choose(state, wanted="auto")
    assert str(chosen(state)) == "block or files, not tried yet"
    assert choice.kind(state, works) == "block"
    assert choice.kind(state, not_tried) == "block"
    assert str(chosen(state)) == "block"


def test_files_are_taken_otherwise_and_the_reason_is_kept(state: State) -> None:
    choice.choose(state, wanted="auto")
    assert choice.kind(state, fails) == "files"
    assert choice.kind(state, not_tried) == "files"
    assert "files, since block volumes do not attach: no loop device" in str(chosen(state))
    choice.choose(state, wanted="auto")
    assert choice.kind(state, works) == "block", "it is tried again when it is chosen again"


def test_a_trial_that_raises_is_tried_again(state: State) -> None:
    def breaks_off() -> str:
        raise ContainerFailed("no answer in time")

    choice.choose(state, wanted="auto")
    with pytest.raises(ContainerFailed):
        choice.kind(state, breaks_off)
    assert choice.kind(state, works) == "block"


def test_a_choice_that_is_made_during_the_trial_counts(state: State) -> None:
    def works_slowly() -> str:
        choice.choose(state, wanted="files", scale=0.5)
        return ""

    choice.choose(state, wanted="auto")
    assert choice.kind(state, works_slowly) == "files"
    assert chosen(state).wanted == "files"
    assert chosen(state).scale == 0.5


def test_the_scale_stays_when_the_kind_is_chosen(state: State) -> None:
    choice.choose(state, scale=0.5)
    choice.choose(state, wanted="block")
    assert chosen(state).scale == 0.5
    assert choice.image_size(20, 0.5) == 9537 * 2**20  # 10 GB
    assert choice.image_size(1, 0.0001) == 2**20, "at least one MiB"


@pytest.mark.parametrize("scale", [0, -1, 1.1, float("nan")])
def test_a_scale_that_is_no_share_is_refused(state: State, scale: float) -> None:
    with pytest.raises(TestbedError, match="not a share"):
        choice.choose(state, scale=scale)
    assert chosen(state).scale == choice.SCALE


def test_the_environment_has_another_default(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choice.VARIABLE, "block")
    assert chosen(state).wanted == "block"
    choice.choose(state, wanted="files")
    assert chosen(state).wanted == "files", "what was chosen counts more"


def test_an_unknown_word_in_the_environment_is_refused(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(choice.VARIABLE, "plain")
    with pytest.raises(TestbedError, match="TESTBED_VOLUMES is 'plain'"):
        chosen(state)
