"""Settings of a testbed of which one is refused: the others stay as they were."""

from pathlib import Path
from typing import Any

import pytest

from testbed.account import chosen_services, known_keys
from testbed.broker import strict_names
from testbed.errors import TestbedError
from testbed.runtime import engine
from testbed.state.store import State
from testbed.storage import choice
from testbed.testbed import Testbed


@pytest.mark.parametrize("refused", [{"delay": 1e9}, {"region": "x"}, {"only": ["x"]}])
def test_nothing_changes_when_something_is_refused(
    refused: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State(tmp_path / "state")
    monkeypatch.setattr(engine, "connect", lambda **_: None)
    others: dict[str, Any] = {
        "strict_names": True,
        "require_known_keys": True,
        "only": ["kms"],
        "volumes": "block",
        "volume_scale": 0.5,
    }
    with pytest.raises(TestbedError):
        Testbed(state.folder, start=False, **{**others, **refused})
    assert not strict_names.chosen(state)
    assert known_keys.required(state) is None
    assert chosen_services.includes(state, "ec2")
    assert choice.chosen(state).scale == choice.SCALE
    state.close()
