"""A KMS without a container, for operations that the ledger alone decides."""

from collections.abc import Mapping
from typing import Any

from testbed.kms.base import Caller


class NoBackend:
    """Keys and grants are the ledger's alone: no call may reach the backend."""

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        raise AssertionError(operation)
