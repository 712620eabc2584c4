"""Wait for KMS with the first call that needs it, so that what does not need it can go on while KMS starts."""

from collections.abc import Callable, Mapping
from typing import Any

from testbed.kms.base import Caller, Kms


class AwaitingKms:
    """``ready`` returns when KMS answers, at once when it already does; what it raises, a call raises."""

    def __init__(self, kms: Kms, ready: Callable[[], object]) -> None:
        self._kms, self._ready = kms, ready

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``."""
        self._ready()
        return self._kms.call(caller, operation, parameters)
