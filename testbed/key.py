"""A KMS key as users of the library handle it."""

from dataclasses import dataclass
from typing import Any

from testbed import api_models
from testbed.kms.naming import owner
from testbed.testbed import Testbed


@dataclass(frozen=True)
class Key:
    """A KMS key of the user's account. Methods are operations of KMS and raise ``KmsError``."""

    testbed: Testbed
    arn: str

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call a KMS operation on this key as its owner, for example ``call("DescribeKey")``."""
        model = api_models.operations("kms").get(operation)
        takes = model.input_shape.members if model and model.input_shape else {}
        named = {name: self.arn for name in ("KeyId", "TargetKeyId") if name in takes}
        return self.testbed.kms.call(owner(self.arn), operation, {**named, **parameters})

    @property
    def state(self) -> str:
        """``KeyState`` as DescribeKey returns it; looking leaves no record in the trail."""
        with self.testbed.services.recorder.held():
            return str(self.call("DescribeKey")["KeyMetadata"]["KeyState"])

    def disable(self) -> None:
        """DisableKey. It takes effect after the testbed's ``delay``."""
        self.call("DisableKey")

    def enable(self) -> None:
        """EnableKey. It takes effect at once."""
        self.call("EnableKey")

    def schedule_deletion(self, days: int = 7) -> None:
        """ScheduleKeyDeletion in ``days``, 7 to 30."""
        self.call("ScheduleKeyDeletion", PendingWindowInDays=days)

    def cancel_deletion(self) -> None:
        """CancelKeyDeletion. The key is disabled afterwards."""
        self.call("CancelKeyDeletion")
