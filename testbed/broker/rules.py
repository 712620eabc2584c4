"""Amazon MQ's rules for its requests: each check raises the API's refusal, or returns nothing.

The same rules hold for every caller: the endpoint, the command line, pytest and scenarios.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from testbed.broker import refusals
from testbed.broker.model import Broker
from testbed.broker.names import check_broker_name, check_users
from testbed.broker.requests import Configuration, CreateBroker, UpdateBroker
from testbed.documented.broker_states import ACCEPTED
from testbed.documented.engines import DEPLOYMENT_MODES, ENGINE_TYPES, SUBNETS, VERSIONS
from testbed.documented.instance_types import (
    DEFAULT_INSTANCE_TYPE,
    INSTANCE_OPTIONS,
    STORAGE_STEP,
    has_configurable_storage,
)
from testbed.documented.names import TAG_KEY_MAX, TAG_RESERVED, TAG_VALUE_MAX, TAGS_MAX
from testbed.engines.activemq import merge as activemq_merge
from testbed.engines.rabbitmq import configuration as rabbitmq_configuration
from testbed.engines.rabbitmq.releases import WITHOUT_UPGRADE
from testbed.errors import BadRequestException

# Members of CreateBroker that Amazon MQ offers and the testbed does not; see ``check_offered``.
NOT_OFFERED = (
    "AuthenticationStrategy",
    "DataReplicationMode",
    "DataReplicationPrimaryBrokerArn",
    "LdapServerMetadata",
    "ResourceShareArns",
)
_ALL_DEPLOYMENT_MODES = ("SINGLE_INSTANCE", "ACTIVE_STANDBY_MULTI_AZ", "CLUSTER_MULTI_AZ")
_ALL_STORAGE_TYPES = ("EBS", "EFS")
_SECURITY_GROUPS = 5  # LIM
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def check_create(request: CreateBroker, names: Collection[str]) -> None:
    """Check a CreateBroker request. ``names`` are the names of the existing brokers.

    Raises ``BadRequestException`` or ``ConflictException``.
    """
    engine = request.engine_type
    if engine not in ENGINE_TYPES:
        raise refusals.unknown_engine(engine)
    mode, storage = request.deployment_mode, request.storage_type
    if mode not in _ALL_DEPLOYMENT_MODES:
        raise refusals.invalid("deploymentMode", mode, _ALL_DEPLOYMENT_MODES)
    if storage and storage not in _ALL_STORAGE_TYPES:
        raise refusals.invalid("storageType", storage, _ALL_STORAGE_TYPES)
    settings = {"HostInstanceType": DEFAULT_INSTANCE_TYPE[engine], **request.settings}
    check_offered(settings)
    check_version(engine, request.version, settings)
    check_instance(engine, request.version, storage, mode, settings["HostInstanceType"])
    check_storage_size(engine, request.version, mode, settings)
    check_settings(engine, settings)
    check_tags(request.tags)
    check_broker_name(request.broker_name)
    check_users(engine, request.users)
    if mode not in DEPLOYMENT_MODES[engine]:
        raise refusals.unsupported_deployment(engine, mode)
    if mode == "ACTIVE_STANDBY_MULTI_AZ" and (storage or "EFS") != "EFS":
        raise refusals.unsupported_storage(mode, storage)
    _check_subnets(mode, settings.get("SubnetIds", ()))
    is_public = settings.get("PubliclyAccessible")
    if engine == "RABBITMQ" and is_public and settings.get("SecurityGroups"):
        raise refusals.security_groups_of_public_broker()
    if request.broker_name in names:
        raise refusals.name_taken(request.broker_name)
    _check_own_members(request)
    if request.configuration:
        check_configuration(engine, request.version, mode, settings, request.configuration)


def _check_subnets(deployment_mode: str, subnet_ids: Sequence[str]) -> None:
    """Check the number of subnets, if there are any. A cluster may have any number (API)."""
    count = SUBNETS[deployment_mode]
    if subnet_ids and deployment_mode != "CLUSTER_MULTI_AZ" and len(subnet_ids) != count:
        raise refusals.subnets(deployment_mode, count)
    if len(set(subnet_ids)) < len(subnet_ids):
        raise refusals.subnet_twice()


def _check_own_members(request: CreateBroker) -> None:
    """Check the members that CreateBroker has only here."""
    if request.deployment_mode == "ACTIVE_STANDBY_MULTI_AZ" and request.fixed_ports:
        raise BadRequestException(
            "The instances of an active/standby broker cannot both have the documented ports on "
            "one machine.",
            error_attribute="deploymentMode",
            hint="Leave out fixed ports: free ones are the default.",
        )
    if request.network_connectors and request.engine_type != "ACTIVEMQ":
        raise refusals.bad("Only ActiveMQ brokers have network connectors.", "engineType")
    names = {user.username for user in request.users}
    for connector in request.network_connectors:
        if connector.username not in names:
            raise refusals.bad(
                f"The network connector {connector.name} logs in as {connector.username}, "
                f"who is not a user of the broker {request.broker_name}.",
                "users",
            )


def check_update(broker: Broker, request: UpdateBroker) -> None:
    """Check an UpdateBroker request, by what the broker will be after its next reboot.

    Raises ``BadRequestException``.
    """
    engine, settings = broker.engine_type, request.settings
    check_state(broker, "UpdateBroker")
    check_offered(settings)
    if engine == "RABBITMQ" and "SecurityGroups" in settings:
        raise refusals.security_groups_on_rabbitmq()
    pending = broker.pending
    version = request.engine_version or pending.engine_version or broker.engine_version
    check_version(engine, version, settings)
    if version != broker.engine_version:
        _check_upgrade(broker, version)
    ordered = {**broker.settings, **pending.settings, **settings}
    is_refitted = bool(request.engine_version) or "HostInstanceType" in settings
    if is_refitted:
        check_instance(
            engine,
            version,
            broker.storage_type,
            broker.deployment_mode,
            ordered.get("HostInstanceType", DEFAULT_INSTANCE_TYPE[engine]),
        )
    if "StorageSize" in settings:
        check_storage_size(
            engine, version, broker.deployment_mode, ordered, least=broker.storage_size
        )
        if any(volume.kind == "files" for volume in broker.volumes):
            raise refusals.storage_without_size()
    check_settings(engine, settings)
    configuration = request.configuration or pending.configuration or broker.configuration
    if configuration and (request.configuration or is_refitted):
        check_configuration(engine, version, broker.deployment_mode, ordered, configuration)


def check_state(broker: Broker, operation: str) -> None:
    """Check that the broker is in a state for ``operation``. Raises ``BadRequestException``."""
    if broker.broker_state not in ACCEPTED[operation]:
        raise refusals.in_state(broker, operation)


def check_offered(settings: Mapping[str, Any]) -> None:
    """Refuse what Amazon MQ has and the testbed lacks. Raises ``BadRequestException``."""
    strategy = settings.get("AuthenticationStrategy", "SIMPLE").upper()
    if strategy != "SIMPLE":
        raise refusals.not_offered(
            f"the authentication strategy {strategy}", "authenticationStrategy"
        )
    if "LdapServerMetadata" in settings:
        raise refusals.not_offered("LDAP", "ldapServerMetadata")
    replicates = settings.get("DataReplicationMode", "NONE").upper() != "NONE"
    if replicates or "DataReplicationPrimaryBrokerArn" in settings:
        raise refusals.not_offered("cross-Region data replication", "dataReplicationMode")
    if "ResourceShareArns" in settings:
        raise refusals.not_offered("shared resources", "resourceShareArns")


def check_version(engine_type: str, version: str, settings: Mapping[str, Any]) -> None:
    """Check an engine version, and ``AutoMinorVersionUpgrade``, which all versions demand."""
    if version not in VERSIONS[engine_type]:
        raise refusals.unknown_version(engine_type, version)
    if not settings.get("AutoMinorVersionUpgrade", True):
        raise refusals.no_minor_upgrades(engine_type, version)


def check_instance(
    engine_type: str, version: str, storage_type: str, deployment_mode: str, instance_type: str
) -> None:
    """Check a host instance type. An empty ``storage_type`` fits every one."""
    options = [
        option
        for option in INSTANCE_OPTIONS
        if option.engine_type == engine_type and option.host_instance_type == instance_type
    ]
    if not any(version in option.engine_versions for option in options):
        raise refusals.unsupported_instance(engine_type, instance_type)
    if deployment_mode in DEPLOYMENT_MODES[engine_type] and not any(
        deployment_mode in option.deployment_modes for option in options
    ):
        raise refusals.unsupported_instance(
            engine_type, instance_type, f" in deployment mode [{deployment_mode}]"
        )
    if storage_type and not any(option.storage_type == storage_type for option in options):
        raise refusals.unsupported_instance(
            engine_type, instance_type, f" on storage type [{storage_type}]"
        )


def check_storage_size(
    engine_type: str,
    version: str,
    deployment_mode: str,
    settings: Mapping[str, Any],
    *,
    least: int = STORAGE_STEP,
) -> None:
    """Check ``StorageSize`` in ``settings``, if it is there. Raises ``BadRequestException``."""
    size = settings.get("StorageSize")
    if size is None:
        return
    instance_type = settings.get("HostInstanceType", DEFAULT_INSTANCE_TYPE[engine_type])
    if not has_configurable_storage(engine_type, version, deployment_mode, instance_type):
        raise refusals.storage_not_configurable()
    if size < least or size % STORAGE_STEP:
        raise refusals.storage_size(size, least)


def check_settings(engine_type: str, settings: Mapping[str, Any]) -> None:
    """Check logs, the maintenance window and security groups. Raises ``BadRequestException``."""
    if engine_type == "RABBITMQ" and settings.get("Logs", {}).get("Audit"):
        raise refusals.audit_on_rabbitmq()
    window = settings.get("MaintenanceWindowStartTime")
    if window and not _TIME_OF_DAY.fullmatch(window["TimeOfDay"]):
        raise refusals.bad(
            f"[timeOfDay] value [{window['TimeOfDay']}] is invalid. "
            "It must be a time in 24-hour format, as 22:00.",
            "timeOfDay",
        )
    if len(settings.get("SecurityGroups", ())) > _SECURITY_GROUPS:
        raise refusals.bad(
            f"A broker has at most {_SECURITY_GROUPS} security groups.", "securityGroups"
        )


def check_tags(tags: Mapping[str, str]) -> None:
    """Check all tags of a resource: their number, their lengths, and the prefix of AWS's own."""
    if len(tags) > TAGS_MAX:
        raise refusals.bad(f"A resource has at most {TAGS_MAX} tags.", "tags")
    for key, value in tags.items():
        if not 1 <= len(key) <= TAG_KEY_MAX or len(value) > TAG_VALUE_MAX:
            raise refusals.bad(
                f"A tag's key has 1 to {TAG_KEY_MAX} characters, and its value at most "
                f"{TAG_VALUE_MAX}.",
                "tags",
            )
        if key.lower().startswith(TAG_RESERVED):
            raise refusals.bad(f"Keys of tags that begin with {TAG_RESERVED} are AWS's.", "tags")


def check_configuration(
    engine_type: str,
    version: str,
    deployment_mode: str,
    settings: Mapping[str, Any],
    configuration: Configuration,
) -> None:
    """Refuse a configuration that such a broker does not accept or would not start with.

    Limits depend on ``HostInstanceType`` in ``settings``. Raises ``BadRequestException``.
    """
    if engine_type == "ACTIVEMQ":
        activemq_merge.check(configuration.data, version)
        return
    rabbitmq_configuration.settings(
        configuration.data,
        version,
        deployment_mode=deployment_mode,
        instance_type=settings.get("HostInstanceType", DEFAULT_INSTANCE_TYPE[engine_type]),
        revision=configuration.revision,
    )


def _check_upgrade(broker: Broker, version: str) -> None:
    if not broker.running_version:
        raise refusals.not_offered(
            f"an upgrade of a broker that runs an image of your own, {broker.image}",
            "engineVersion",
        )
    if broker.running_version in WITHOUT_UPGRADE:
        raise refusals.not_offered(
            f"upgrades from RabbitMQ {broker.engine_version}: no other release here reads the data "
            f"of {broker.running_version}, which stands in for it",
            "engineVersion",
        )
    newest_first = VERSIONS[broker.engine_type]
    if newest_first.index(version) > newest_first.index(broker.engine_version):
        raise refusals.downgrade(broker.engine_version, version)
