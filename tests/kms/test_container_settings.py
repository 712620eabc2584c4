"""What KMS is started with, and what cannot be kept: refused, and nothing is started."""

import math
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from testbed.errors import KmsError, TestbedError
from testbed.kms.base import DELAY
from testbed.kms.container import KmsContainer
from testbed.kms.localstack import LocalStackKms
from testbed.services import Settings
from testbed.state import holds
from testbed.state.store import State

NEVER = threading.Event()


@pytest.mark.parametrize("delay", [-1.0, 7 * 86400.0, math.inf, math.nan])
def test_a_delay_that_makes_no_sense_is_refused_and_not_kept(tmp_path: Path, delay: float) -> None:
    state = State(tmp_path / "state")
    assert Settings.load(state, None, "", NEVER).delay == DELAY
    with pytest.raises(TestbedError, match="The delay cannot be"):
        Settings.load(state, delay, "", NEVER)
    settings = Settings.load(state, None, "", NEVER)
    assert (settings.delay, settings.are_new) == (DELAY, False)
    assert Settings.load(state, 7.0, "", NEVER).are_new
    assert not Settings.load(state, 7.0, "", NEVER).are_new


@pytest.mark.parametrize("running", ["", "localstack:1"])
def test_another_image_than_the_one_that_runs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: str
) -> None:
    monkeypatch.setattr(LocalStackKms, "wait_until_answering", lambda *_, **__: None)
    state = State(tmp_path / "state")
    state.put("settings", "kms-container", {"image": running, "port": 4000})
    containers = SimpleNamespace(find=lambda _: [{"id": "1", "status": "running"}])
    kms = KmsContainer(cast("Any", containers), state, 4000, NEVER)
    for image in ("", running):
        kms.start(image)
        kms.wait_until_ready()
    kms.start("localstack:2")
    with pytest.raises(TestbedError, match=f"with {running or 'an image'}.*, not localstack:2"):
        kms.wait_until_ready()


def test_one_that_a_fault_holds_is_left_to_it(tmp_path: Path) -> None:
    state, looked = State(tmp_path / "state"), list[str]()

    def find(role: str) -> list[dict[str, str]]:
        looked.append(role)
        return [{"id": "1", "status": "running"}]

    kms = KmsContainer(cast("Any", SimpleNamespace(find=find)), state, 4000, NEVER)
    state.put("settings", "kms-container", {"image": "", "port": 4000})
    state.put(holds.KIND, "kms-down", {"holds": [holds.KMS]})
    kms.start()  # as another process that joins does
    kms.wait_until_ready()
    assert looked == []
    kms.start("localstack:2", by_fault=True)
    with pytest.raises(TestbedError, match="not localstack:2"):
        kms.wait_until_ready()
    assert looked == ["kms"], "control: the fault that ends starts it"


def test_one_that_was_too_slow_once_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = KmsError("KMS does not answer.", code="KMSInternalException", status=500)
    errors, row = [slow, slow], {"id": "1", "status": "running"}

    def wait(*_: object, **__: object) -> None:
        if errors:
            raise errors.pop()

    monkeypatch.setattr(LocalStackKms, "wait_until_answering", wait)
    state = State(tmp_path / "state")
    state.put("settings", "kms-container", {"image": "", "port": 4000})
    containers = SimpleNamespace(find=lambda _: [row])
    kms = KmsContainer(cast("Any", containers), state, 4000, NEVER)
    kms.start()
    with pytest.raises(KmsError, match="does not answer"):
        kms.wait_until_ready()
    kms.wait_until_ready()
    row["status"] = "exited"
    with pytest.raises(KmsError, match="is not running"):
        kms.wait_until_ready()
