"""LookupEvents' eight attributes (CTAPI), by which a record is found, taken from the record."""

import calendar
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from testbed.documented.cloudtrail import LOOKUP_ATTRIBUTES, MQ_BROKER, MQ_CONFIGURATION, MQ_SOURCE
from testbed.trail.identity import username

# Every record has it: all of an account's records are found by it, in the order of their time.
ANY = (len(LOOKUP_ATTRIBUTES), "")
NUMBERS = {attribute: number for number, attribute in enumerate(LOOKUP_ATTRIBUTES)}
_EVENT_ID, _EVENT_NAME, _READ_ONLY, _USERNAME, _TYPE, _RESOURCE, _SOURCE, _ACCESS_KEY = range(
    len(LOOKUP_ATTRIBUTES)
)
# Records of Amazon MQ have no ``resources``; their subjects are in these members.
_MQ_RESOURCES = {
    "broker-id": MQ_BROKER,
    "brokerId": MQ_BROKER,
    "brokerArn": MQ_BROKER,
    "brokerName": MQ_BROKER,
    "configuration-id": MQ_CONFIGURATION,
    "configurationId": MQ_CONFIGURATION,
}


def attributes(record: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield number and value of the record's attributes; one may have several values."""
    yield ANY
    yield _EVENT_ID, record["eventID"]
    yield _EVENT_NAME, record["eventName"]
    yield _SOURCE, record["eventSource"]
    yield _READ_ONLY, "true" if record["readOnly"] else "false"
    user = username(record["userIdentity"])
    if user:
        yield _USERNAME, user
    access_key = record["userIdentity"].get("accessKeyId")
    if access_key:
        yield _ACCESS_KEY, access_key
    about = resources(record)
    for kind in {kind for kind, _ in about}:
        yield _TYPE, kind
    for _, name in about:
        yield _RESOURCE, name


def resources(record: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return type and name of everything the record is about, each once."""
    about = [(resource["type"], resource["ARN"]) for resource in record.get("resources", ())]
    if record["eventSource"] == MQ_SOURCE:
        for part in (record["requestParameters"], record["responseElements"]):
            about += [
                (_MQ_RESOURCES[name], value)
                for name, value in (part or {}).items()
                if name in _MQ_RESOURCES
            ]
    return tuple(dict.fromkeys(about))


@lru_cache(maxsize=4)  # many records in one second
def seconds(event_time: str) -> int:
    """Return ``eventTime`` as seconds since 1970."""
    return calendar.timegm(time.strptime(event_time, "%Y-%m-%dT%H:%M:%SZ"))
