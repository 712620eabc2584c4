"""A trail in a folder of its own, and KMS behind the wrapper that records, for the tests of ``testbed/trail``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kms_container import Container, running  # noqa: F401  (a fixture)

from testbed.kms.base import USER, USER_ACCOUNT, Caller, Kms
from testbed.kms.localstack import LocalStackKms
from testbed.state.clock import Clock
from testbed.state.store import State
from testbed.trail.lookup import Attribute, events
from testbed.trail.recording import Recorder, RecordingKms
from testbed.trail.store import Trail


class Bench:
    def __init__(self, folder: Path, kms: Kms) -> None:
        self.state = State(folder / "state")
        self.clock = Clock(self.state)
        self.trail = Trail(self.state.folder)
        self.recorder = Recorder(self.trail, self.clock)
        self.kms = RecordingKms(kms, self.recorder)

    def records(self, account: str = USER_ACCOUNT, **attribute: str) -> list[dict[str, Any]]:
        """Oldest first."""
        wanted = [Attribute(key, value) for key, value in attribute.items()]
        return [*events(self.trail, account, attribute=wanted[0] if wanted else None)][::-1]

    def last(self) -> dict[str, Any]:
        return self.records()[-1]

    def key(self, caller: Caller = USER, **parameters: Any) -> str:
        return self.kms.call(caller, "CreateKey", parameters)["KeyMetadata"]["Arn"]


@pytest.fixture
def bench(tmp_path: Path, running: Container) -> Iterator[Bench]:
    bench = Bench(tmp_path, running.kms)
    yield bench
    bench.trail.close()


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[Bench]:
    """With a KMS that does not answer."""
    bench = Bench(tmp_path, LocalStackKms("http://127.0.0.1:9"))
    yield bench
    bench.trail.close()
