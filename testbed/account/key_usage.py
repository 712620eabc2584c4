"""When an access key was last used, from the trail: GetAccessKeyLastUsed."""

from datetime import datetime
from typing import Any

from testbed.account.identities import Identities
from testbed.documented import regions
from testbed.errors import ApiError
from testbed.kms.base import Caller
from testbed.trail.lookup import Attribute, lookup_events
from testbed.trail.store import Trail

_NEVER = {"ServiceName": "N/A", "Region": "N/A"}  # IAM API reference, AccessKeyLastUsed


def last_used(
    trail: Trail, identities: Identities, caller: Caller, access_key_id: str
) -> dict[str, Any]:
    """Return the user of an access key, and the last call with it that the trail has."""
    directory = identities.directory(caller.account, caller.region)
    owners = (user for key, user in directory.access_keys() if key.access_key_id == access_key_id)
    user = next(owners, None)
    if user is None:
        raise ApiError(
            f"The Access Key with id {access_key_id} cannot be found.",
            code="NoSuchEntity",
            status=404,
        )
    about = Attribute("AccessKeyId", access_key_id)
    partition = regions.partition(caller.region)
    found = [
        record
        for region in regions.names()
        if regions.partition(region) == partition
        for record in lookup_events(
            trail, caller.account, region=region, attribute=about, max_results=1
        ).records
    ]
    latest = max(found, key=lambda record: str(record["eventTime"]), default=None)
    usage: dict[str, Any] = _NEVER
    if latest:
        usage = {
            "LastUsedDate": datetime.fromisoformat(latest["eventTime"]),
            "ServiceName": latest["eventSource"].partition(".")[0],
            "Region": latest["awsRegion"],
        }
    return {"UserName": user.name, "AccessKeyLastUsed": usage}
