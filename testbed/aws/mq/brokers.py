"""The operations on brokers."""

from collections.abc import Mapping, Sequence
from typing import Any

from testbed.aws.mq.context import Call, Context, broker
from testbed.aws.mq.paging import page
from testbed.aws.mq.users import user
from testbed.broker.describe import describe as described
from testbed.broker.encryption import EncryptionOptions
from testbed.broker.requests import Configuration, CreateBroker, UpdateBroker
from testbed.broker.rules import NOT_OFFERED
from testbed.documented.engines import LATEST_VERSION
from testbed.engines.base import User

# Members that are returned as they were sent. They have no effect here: there is no network of
# AWS's, and no instance to choose.
_CREATION_SETTINGS = (
    "AutoMinorVersionUpgrade",
    "CreatorRequestId",
    "EngineType",
    "HostInstanceType",
    "StorageSize",
    "Logs",
    "MaintenanceWindowStartTime",
    "PubliclyAccessible",
    "SecurityGroups",
    "StorageType",
    "SubnetIds",
)
_UPDATE_SETTINGS = (
    "AutoMinorVersionUpgrade",
    "HostInstanceType",
    "StorageSize",
    "Logs",
    "MaintenanceWindowStartTime",
    "SecurityGroups",
)


def create(context: Context, call: Call) -> dict[str, Any]:
    """Begin to create a broker."""
    parameters, engine_type = call.parameters, call.parameters["EngineType"]
    options = parameters.get("EncryptionOptions", {"UseAwsOwnedKey": True})
    request = CreateBroker(
        broker_name=parameters["BrokerName"],
        engine_type=engine_type,
        users=_users(engine_type, parameters.get("Users", [])),
        engine_version=parameters.get("EngineVersion") or LATEST_VERSION[engine_type],
        deployment_mode=parameters["DeploymentMode"],
        storage_type=parameters.get("StorageType", ""),
        encryption_options=EncryptionOptions(
            options["UseAwsOwnedKey"], options.get("KmsKeyId", "")
        ),
        tags=parameters.get("Tags", {}),
        settings=_settings(call.sent, _CREATION_SETTINGS),
        configuration=_configuration(context, call, engine_type),
    )
    job = context.brokers.begin_create(request, call.caller)
    context.start(job)
    return {"BrokerArn": job.broker.arn, "BrokerId": job.broker.broker_id}


def describe(context: Context, call: Call) -> dict[str, Any]:
    """Return a broker, after the check of its key if one is due."""
    known = broker(context, call)
    return described(context.brokers.describe(known.broker_id, call.caller))


def list_brokers(context: Context, call: Call) -> dict[str, Any]:
    """Return the caller's brokers. Members that a summary lacks are left out by the model."""
    rows, token = page(context.brokers.list(call.caller), call.parameters, "brokers")
    return {"BrokerSummaries": [described(row) for row in rows], "NextToken": token}


def update(context: Context, call: Call) -> dict[str, Any]:
    """Change a broker's version, configuration or settings."""
    known, parameters = broker(context, call), call.parameters
    request = UpdateBroker(
        engine_version=parameters.get("EngineVersion"),
        configuration=_configuration(context, call, known.engine_type),
        settings=_settings(parameters, _UPDATE_SETTINGS),
    )
    context.brokers.update(known.broker_id, request, call.caller)
    answered = ("BrokerId", "Configuration", "EngineVersion", *_UPDATE_SETTINGS)
    return {name: parameters[name] for name in answered if name in parameters}


def reboot(context: Context, call: Call) -> dict[str, Any]:
    """Begin to reboot a broker."""
    known = broker(context, call)
    context.start(context.brokers.begin_reboot(known.broker_id, call.caller))
    return {}


def delete(context: Context, call: Call) -> dict[str, Any]:
    """Begin to delete a broker."""
    known = broker(context, call)
    context.start(context.brokers.begin_delete(known.broker_id, call.caller))
    return {"BrokerId": known.broker_id}


def shared_resources(context: Context, call: Call) -> dict[str, Any]:
    """Return no shared resource: CreateBroker and UpdateBroker refuse ``ResourceShareArns``."""
    stored = broker(context, call)
    _, token = page([], call.parameters, f"shared-resources of {stored.broker_id}")
    return {"SharedResources": [], "NextToken": token}


def _settings(parameters: Mapping[str, Any], kept: Sequence[str]) -> dict[str, Any]:
    return {name: parameters[name] for name in (*kept, *NOT_OFFERED) if name in parameters}


def _configuration(context: Context, call: Call, engine_type: str) -> Configuration | None:
    choice = call.parameters.get("Configuration")
    if not choice:
        return None
    return context.configurations.choose(
        call.caller, choice["Id"], choice.get("Revision"), engine_type
    )


def _users(engine_type: str, users: Sequence[Mapping[str, Any]]) -> tuple[User, ...]:
    """Return the users. RabbitMQ's administrator has no groups, and always the console (API)."""
    if engine_type == "RABBITMQ":
        return tuple(User(member["Username"], member["Password"]) for member in users)
    return tuple(map(user, users))
