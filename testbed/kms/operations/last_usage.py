"""When a key was last used, which CloudTrail's records tell."""

from datetime import UTC, datetime
from typing import Any

from testbed.kms.call import KmsCall, KmsServices


def get(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """GetKeyLastUsage. Usage is tracked from the creation of each key."""
    created = datetime.fromtimestamp(call.key.created, UTC)
    return {
        "KeyId": call.key.arn,
        "KeyLastUsage": services.last_usage(call.key.arn),
        "TrackingStartDate": created,
        "KeyCreationDate": created,
    }
