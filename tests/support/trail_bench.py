"""A trail in its own folder, and KMS behind the recording wrapper."""

from pathlib import Path
from typing import Any

from testbed.kms.base import USER, USER_ACCOUNT, Caller, Kms
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
        """Return the records with these attributes, the oldest first."""
        attributes = [Attribute(key, value) for key, value in attribute.items()]
        return [*events(self.trail, account, attribute=attributes[0] if attributes else None)][::-1]

    def last(self) -> dict[str, Any]:
        return self.records()[-1]

    def key(self, caller: Caller = USER, **parameters: Any) -> str:
        """Create a key and return its ARN."""
        arn: str = self.kms.call(caller, "CreateKey", parameters)["KeyMetadata"]["Arn"]
        return arn
