"""Names of brokers by their ids, deleted ones included, as their creation was recorded."""

from collections.abc import Mapping
from typing import Any

from testbed.trail.lookup import Attribute, events
from testbed.trail.store import Trail


def broker_names(trail: Trail, account: str, region: str) -> dict[str, str]:
    """Return the names of all brokers that the account has created in ``region``."""
    names: dict[str, str] = {}
    created = Attribute("EventName", "CreateBroker")
    for record in events(trail, account, region=region, attribute=created):
        names |= created_in(record)
    return names


def created_in(record: Mapping[str, Any]) -> dict[str, str]:
    """Return id and name of the broker that the record says was created, if any."""
    if record["eventName"] != "CreateBroker" or "errorCode" in record:
        return {}
    return {record["responseElements"]["brokerId"]: record["requestParameters"]["brokerName"]}


def synonyms(broker: str, names: Mapping[str, str]) -> frozenset[str]:
    """Return a broker's id and name, whichever ``broker`` is; all ids of a name used again."""
    ids = {broker_id for broker_id, name in names.items() if name == broker}
    return frozenset({broker, names.get(broker, broker), *ids}) if broker else frozenset()
