"""DescribeBroker's answer: a broker in the API's names and without a secret."""

from collections.abc import Iterator, Mapping
from typing import Any

from testbed.broker.model import Broker, LoadBalancer, Node
from testbed.broker.requests import Configuration
from testbed.documented import log_groups
from testbed.documented.instance_types import DEFAULT_INSTANCE_TYPE
from testbed.engines.base import User
from testbed.runtime.ports import LOOPBACK

# The answer for members that the request left out, or that the command line cannot set.
_DEFAULTS: Mapping[str, Any] = {
    "AuthenticationStrategy": "simple",  # the service answers in lower case
    "AutoMinorVersionUpgrade": True,
    "MaintenanceWindowStartTime": {"DayOfWeek": "SUNDAY", "TimeOfDay": "00:00", "TimeZone": "UTC"},
    "PubliclyAccessible": False,
    "DataReplicationMode": "NONE",
}
_NOT_SHOWN = ("CreatorRequestId",)


def describe(broker: Broker) -> dict[str, Any]:
    """Return DescribeBroker's answer. Members without a value are absent."""
    settings = {name: value for name, value in broker.settings.items() if name not in _NOT_SHOWN}
    answer = {
        "BrokerArn": broker.arn,
        "BrokerId": broker.broker_id,
        "BrokerName": broker.broker_name,
        "BrokerState": broker.broker_state,
        "EngineType": broker.engine_type,
        "EngineVersion": broker.patch_version,
        "DeploymentMode": broker.deployment_mode,
        "StorageType": broker.storage_type,
        "HostInstanceType": DEFAULT_INSTANCE_TYPE[broker.engine_type],
        "ActionsRequired": [
            _present(
                {
                    "ActionRequiredCode": action.action_required_code or None,
                    "ActionRequiredInfo": action.action_required_info,
                }
            )
            for action in broker.actions_required
        ],
        "EncryptionOptions": _encryption_options(broker),
        "Created": broker.created,
        **_DEFAULTS,
        **settings,
        "BrokerInstances": _instances(broker),
        "Configurations": _configurations(broker),
        "Logs": _logs(broker),
        "PendingEngineVersion": broker.pending.engine_version or None,
        "PendingHostInstanceType": broker.pending.settings.get("HostInstanceType"),
        "PendingStorageSize": broker.pending.settings.get("StorageSize"),
        "Users": list(users(broker)),
        "Tags": dict(broker.tags),
    }
    return _present(answer)


def users(broker: Broker) -> Iterator[dict[str, Any]]:
    """Yield UserSummary of each user, with its pending change. RabbitMQ's are not shown (API)."""
    if broker.engine_type == "RABBITMQ":
        return
    current = {user.username: user for user in broker.users}
    pending = {user.username: user for user in broker.pending_users}
    for username in sorted({*current, *pending}):
        change = pending_change(current.get(username), pending.get(username))
        yield _present({"Username": username, "PendingChange": change or None})


def pending_change(current: User | None, pending: User | None) -> str:
    """Return the ChangeType of a user's pending change, empty if there is none."""
    if current is None:
        return "CREATE"
    if pending is None:
        return "DELETE"
    return "" if current == pending else "UPDATE"


def _encryption_options(broker: Broker) -> dict[str, Any]:
    """Return the key's ARN, however the request named it. An AWS owned key is not shown."""
    owned = broker.encryption_options.use_aws_owned_key
    return _present({"UseAwsOwnedKey": owned, "KmsKeyId": (not owned and broker.key_arn) or None})


def _instances(broker: Broker) -> list[dict[str, Any]]:
    """Return no instance before the broker is up. RabbitMQ's have no address (API)."""
    if broker.broker_state.startswith("CREATION_"):
        return []
    address = {} if broker.engine_type == "RABBITMQ" else {"IpAddress": LOOPBACK}
    return [{**_instance(instance), **address} for instance in broker.instances]


def _instance(instance: Node | LoadBalancer) -> dict[str, Any]:
    consoles = [endpoint.url for endpoint in instance.endpoints if endpoint.scheme == "https"]
    return {
        "ConsoleURL": consoles[0] if consoles else "",
        "Endpoints": [
            endpoint.url for endpoint in instance.endpoints if endpoint.scheme != "https"
        ],
    }


def _configurations(broker: Broker) -> dict[str, Any] | None:
    """Return what is in effect and what waits for a reboot, or for the end of the creation."""
    current = _configuration(broker.configuration)
    pending = _configuration(broker.pending.configuration)
    if broker.broker_state.startswith("CREATION_"):
        current, pending = None, current
    if not current and not pending:
        return None
    history = [_configuration(configuration) for configuration in broker.configuration_history]
    return _present({"Current": current, "History": history, "Pending": pending})


def _configuration(configuration: Configuration | None) -> dict[str, Any] | None:
    return {"Id": configuration.id, "Revision": configuration.revision} if configuration else None


def _logs(broker: Broker) -> dict[str, Any]:
    """Return the broker's log groups in CloudWatch Logs, and what waits for a reboot."""
    logs = broker.settings.get("Logs", {})
    shown: dict[str, Any] = {
        "General": logs.get("General", False),
        "GeneralLogGroup": log_groups.name(broker.broker_id, "general"),
    }
    if broker.engine_type == "ACTIVEMQ":
        group = log_groups.name(broker.broker_id, "audit")
        shown |= {"Audit": logs.get("Audit", False), "AuditLogGroup": group}
    return _present({**shown, "Pending": broker.pending.settings.get("Logs")})


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the members without a value."""
    return {name: value for name, value in members.items() if value is not None}
