"""CreateBroker: everything that can be refused at once is, and then the broker is begun."""

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from testbed.aws.mq import configurations, refusals
from testbed.aws.mq.room import Asked, Room
from testbed.broker.encryption import EncryptionOptions
from testbed.broker.model import Broker, CreateBroker
from testbed.documented.engines import DEFAULT_VERSION, VERSIONS
from testbed.documented.instance_types import DISPLAY_NAMES, INSTANCE_OPTIONS
from testbed.engines.base import User
from testbed.engines.urls import check_no_credentials_in_url
from testbed.errors import ConflictException
from testbed.kms.base import USER_ACCOUNT

# What is given back as it came. Nothing here acts on it: there is no network of AWS's around, and no instance to choose.
_ECHOED = (
    "AutoMinorVersionUpgrade",
    "CreatorRequestId",
    "EngineType",
    "HostInstanceType",
    "Logs",
    "MaintenanceWindowStartTime",
    "PubliclyAccessible",
    "SecurityGroups",
    "StorageType",
    "SubnetIds",
)
_TAGS = 50  # LIM
_SECURITY_GROUPS = 5  # LIM
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_one_at_a_time = threading.Lock()


def create(room: Room, asked: Asked) -> dict[str, Any]:
    """CreateBroker. The same ``CreatorRequestId`` makes one broker, however often it is sent."""
    if not asked.owns:
        raise refusals.other_account(USER_ACCOUNT)
    request = _request(room, asked.parameters, asked.given)
    with _one_at_a_time:
        broker = _made_before(room, asked) or room.brokers.begin_create(request, asked.caller)
    room.finish(broker.broker_id)
    return {"BrokerArn": broker.arn, "BrokerId": broker.broker_id}


def _made_before(room: Room, asked: Asked) -> Broker | None:
    token = asked.parameters.get("CreatorRequestId")
    made = [
        each
        for each in room.brokers.list(asked.caller)
        if token and each.settings.get("CreatorRequestId") == token
    ]
    if made and made[0].broker_name != asked.parameters["BrokerName"]:
        raise ConflictException(
            "[creatorRequestId] was used for another broker.", error_attribute="creatorRequestId"
        )
    return made[0] if made else None


def _request(room: Room, parameters: Mapping[str, Any], given: Mapping[str, Any]) -> CreateBroker:
    engine = parameters["EngineType"]
    version = parameters.get("EngineVersion") or DEFAULT_VERSION[engine]
    check_offered(parameters)
    check_version(engine, version, parameters.get("AutoMinorVersionUpgrade", True))
    check_instance(
        engine, version, parameters["HostInstanceType"], parameters.get("StorageType", "")
    )
    check_settings(engine, parameters)
    options = parameters.get("EncryptionOptions", {"UseAwsOwnedKey": True})
    configuration = parameters.get("Configuration")
    return CreateBroker(
        broker_name=parameters["BrokerName"],
        engine_type=engine,
        users=_users(engine, parameters.get("Users", [])),
        engine_version=version,
        deployment_mode=parameters["DeploymentMode"],
        storage_type=parameters.get("StorageType", ""),
        encryption_options=EncryptionOptions(
            options["UseAwsOwnedKey"], options.get("KmsKeyId", "")
        ),
        tags=checked_tags(parameters.get("Tags", {})),
        settings={name: given[name] for name in _ECHOED if name in given},
        configuration=configurations.chosen(room, configuration, engine) if configuration else None,
    )


def check_offered(parameters: Mapping[str, Any]) -> None:
    """Raises ``BadRequestException`` for what Amazon MQ has and the testbed has not."""
    if parameters.get("AuthenticationStrategy", "SIMPLE") != "SIMPLE":
        raise refusals.not_here(
            f"the authentication strategy {parameters['AuthenticationStrategy']}",
            "authenticationStrategy",
        )
    if "LdapServerMetadata" in parameters:
        for host in parameters["LdapServerMetadata"].get("Hosts", ()):
            check_no_credentials_in_url(host, "ldapServerMetadata.hosts")
        raise refusals.not_here("LDAP", "ldapServerMetadata")
    if (
        parameters.get("DataReplicationMode", "NONE") != "NONE"
        or "DataReplicationPrimaryBrokerArn" in parameters
    ):
        raise refusals.not_here("cross-Region data replication", "dataReplicationMode")
    if "StorageSize" in parameters:
        raise refusals.not_here(
            "volumes of a chosen size: they are as large as this machine's disk", "storageSize"
        )
    if "ResourceShareArns" in parameters:
        raise refusals.not_here("shared resources", "resourceShareArns")


def check_version(engine: str, version: str, auto_minor_version_upgrade: bool) -> None:
    if version not in VERSIONS[engine]:
        raise refusals.unknown_version(engine, version, VERSIONS[engine])
    if not auto_minor_version_upgrade:  # all versions that are left demand it
        raise refusals.no_minor_upgrades(DISPLAY_NAMES[engine], version)


def check_instance(engine: str, version: str, instance_type: str, storage_type: str) -> None:
    named = [
        each
        for each in INSTANCE_OPTIONS
        if each.engine_type == engine and each.host_instance_type == instance_type
    ]
    name = DISPLAY_NAMES[engine]
    if not named:
        raise refusals.unsupported_instance(name, instance_type)
    if not any(version in each.engine_versions for each in named):
        raise refusals.unsupported_instance_for(
            f"Broker engine type [{name}] version [{version}]", instance_type
        )
    if storage_type and not any(each.storage_type == storage_type for each in named):
        raise refusals.unsupported_instance_for(
            f"Broker engine type [{name}] on storage type [{storage_type}]", instance_type
        )


def check_settings(engine: str, parameters: Mapping[str, Any]) -> None:
    if engine == "RABBITMQ" and parameters.get("Logs", {}).get("Audit"):
        raise refusals.audit_on_rabbitmq()
    window = parameters.get("MaintenanceWindowStartTime")
    if window and not _TIME_OF_DAY.fullmatch(window["TimeOfDay"]):
        raise refusals.bad(
            f"[timeOfDay] value [{window['TimeOfDay']}] is invalid. It must be a time in 24-hour format, as 22:00.",
            "timeOfDay",
        )
    if len(parameters.get("SecurityGroups", ())) > _SECURITY_GROUPS:
        raise refusals.bad(
            f"A broker has at most {_SECURITY_GROUPS} security groups.", "securityGroups"
        )


def checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Raises ``BadRequestException`` for too many; what is in them, the testbed looks at when they are given to a broker."""
    if len(tags) > _TAGS:
        raise refusals.bad(f"A resource has at most {_TAGS} tags.", "tags")
    return dict(tags)


def user(parameters: Mapping[str, Any]) -> User:
    """The API's User, or the parameters of CreateUser. Without ``ConsoleAccess`` it has none (API)."""
    if parameters.get("ReplicationUser"):
        raise (
            refusals.replication_user_on_console()
            if parameters.get("ConsoleAccess")
            else refusals.not_here("users for cross-Region data replication", "replicationUser")
        )
    return User(
        parameters["Username"],
        parameters["Password"],
        parameters.get("ConsoleAccess", False),
        tuple(parameters.get("Groups", ())),
    )


def _users(engine: str, given: Sequence[Mapping[str, Any]]) -> tuple[User, ...]:
    if (
        engine == "RABBITMQ"
    ):  # whose user is its administrator, and has neither groups nor a choice of the console (API)
        if len(given) != 1:
            raise refusals.not_one_user()
        return (User(given[0]["Username"], given[0]["Password"]),)
    return tuple(map(user, given))
