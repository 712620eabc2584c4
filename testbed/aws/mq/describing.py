"""A broker as DescribeBroker and ListBrokers show it."""

from collections.abc import Iterator, Mapping
from typing import Any

from testbed.broker.model import Broker
from testbed.broker.pending import Configuration
from testbed.documented.instance_types import DEFAULT_INSTANCE_TYPE
from testbed.runtime.ports import LOOPBACK

# What a broker that the command line made is said to have, and what CreateBroker leaves open.
_DEFAULTS: Mapping[str, Any] = {
    "AuthenticationStrategy": "simple",  # the service answers in lower case
    "AutoMinorVersionUpgrade": True,
    "MaintenanceWindowStartTime": {"DayOfWeek": "SUNDAY", "TimeOfDay": "00:00", "TimeZone": "UTC"},
    "PubliclyAccessible": False,
    "SecurityGroups": [],
    "SubnetIds": [],
    "DataReplicationMode": "NONE",
}
_NOT_SHOWN = ("CreatorRequestId",)


def describe(broker: Broker) -> dict[str, Any]:
    """DescribeBroker's answer."""
    settings = {name: value for name, value in broker.settings.items() if name not in _NOT_SHOWN}
    return {
        **broker.describe(),
        **_DEFAULTS,
        "HostInstanceType": DEFAULT_INSTANCE_TYPE[broker.engine_type],
        **settings,
        "BrokerInstances": _instances(broker),
        "Configurations": _configurations(broker),
        "Logs": _logs(broker),
        "PendingEngineVersion": broker.pending.engine_version or None,
        "PendingHostInstanceType": broker.pending.settings.get("HostInstanceType"),
        "Users": [] if broker.engine_type == "RABBITMQ" else list(users(broker)),
    }


def summary(broker: Broker) -> dict[str, Any]:
    """A row of ListBrokers. Members of ``describe`` that the model has not there are left out on the way."""
    return describe(broker)


def users(broker: Broker) -> Iterator[dict[str, Any]]:
    """UserSummary of each, with what is to become of it."""
    current = {user.username: user for user in broker.users}
    coming = (
        current
        if broker.pending.users is None
        else {user.username: user for user in broker.pending.users}
    )
    for username in sorted({*current, *coming}):
        change = change_of(current.get(username), coming.get(username))
        yield {"Username": username, "PendingChange": change or None}


def change_of(current: object, coming: object) -> str:
    """ChangeType; empty when there is none."""
    if current is None:
        return "CREATE"
    if coming is None:
        return "DELETE"
    return "" if current == coming else "UPDATE"


def _instances(broker: Broker) -> list[dict[str, Any]]:
    """None until it is there. RabbitMQ's have no address (API)."""
    if broker.broker_state.startswith("CREATION_"):
        return []
    address = {} if broker.engine_type == "RABBITMQ" else {"IpAddress": LOOPBACK}
    return [{**each, **address} for each in broker.describe()["BrokerInstances"]]


def _configurations(broker: Broker) -> dict[str, Any] | None:
    history = [_configuration(each) for each in broker.configuration_history]
    current, pending = (
        _configuration(broker.configuration),
        _configuration(broker.pending.configuration),
    )
    return (
        {"Current": current, "History": history, "Pending": pending} if current or pending else None
    )


def _configuration(configuration: Configuration | None) -> dict[str, Any] | None:
    return {"Id": configuration.id, "Revision": configuration.revision} if configuration else None


def _logs(broker: Broker) -> dict[str, Any]:
    """The names are CloudWatch's, where the testbed has no logs: they are in ``testbed logs``."""
    logs = broker.settings.get("Logs", {})
    group = f"/aws/amazonmq/broker/{broker.broker_id}"
    shown: dict[str, Any] = {
        "General": logs.get("General", False),
        "GeneralLogGroup": f"{group}/general",
    }
    if broker.engine_type == "ACTIVEMQ":
        shown |= {"Audit": logs.get("Audit", False), "AuditLogGroup": f"{group}/audit"}
    return {**shown, "Pending": broker.pending.settings.get("Logs")}
