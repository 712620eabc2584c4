"""A KMS without a container, for operations that the ledger alone decides."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from testbed.kms.base import USER_ACCOUNT, Caller

ARN = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def described(arn: str = ARN) -> dict[str, Any]:
    """Return LocalStack's answer about a symmetric key that is as new as the answer."""
    metadata = {
        "Arn": arn,
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "Origin": "AWS_KMS",
        "CreationDate": datetime.now(UTC),
    }
    return {"KeyMetadata": metadata}


class NoBackend:
    """Keys and grants are the ledger's alone: no call may reach the backend."""

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        raise AssertionError(operation)
