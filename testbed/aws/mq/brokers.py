"""DescribeBroker, ListBrokers, UpdateBroker, RebootBroker and DeleteBroker."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from testbed.aws.mq import configurations, refusals
from testbed.aws.mq.creation import check_instance, check_offered, check_settings, check_version
from testbed.aws.mq.describing import describe as described
from testbed.aws.mq.describing import summary
from testbed.aws.mq.paging import page
from testbed.aws.mq.room import Asked, Room, broker
from testbed.broker import configuration
from testbed.broker.model import Broker
from testbed.documented.engines import VERSIONS
from testbed.engines.all import ENGINES

# UpdateBroker: what waits for a reboot, besides the version and the configuration, and what does not.
_WITH_REBOOT = ("HostInstanceType", "Logs")
_AT_ONCE = ("AutoMinorVersionUpgrade", "MaintenanceWindowStartTime", "SecurityGroups")
_ANSWERED = (*_WITH_REBOOT, *_AT_ONCE, "BrokerId", "Configuration", "EngineVersion")


def describe(room: Room, asked: Asked) -> dict[str, Any]:
    return described(broker(room, asked))


def list_brokers(room: Room, asked: Asked) -> dict[str, Any]:
    brokers = room.brokers.list(asked.caller) if asked.owns else []
    rows, token = page(brokers, asked.parameters, "brokers")
    return {"BrokerSummaries": [summary(each) for each in rows], "NextToken": token}


def reboot(room: Room, asked: Asked) -> dict[str, Any]:
    found = broker(room, asked)
    room.brokers.begin_reboot(found.broker_id, asked.caller)
    room.finish(found.broker_id)
    return {}


def delete(room: Room, asked: Asked) -> dict[str, Any]:
    found = broker(room, asked)
    if found.broker_state in ("CREATION_IN_PROGRESS", "REBOOT_IN_PROGRESS"):
        raise refusals.in_state(found.broker_id, found.broker_state)
    room.brokers.begin_delete(found.broker_id, asked.caller)
    room.finish(found.broker_id)
    return {"BrokerId": found.broker_id}


def update(room: Room, asked: Asked) -> dict[str, Any]:
    """UpdateBroker. ``EncryptionOptions`` is no member of it: a broker's key is for its life."""
    found, parameters = broker(room, asked), asked.parameters
    _check(found, parameters)
    pending: dict[str, Any] = {}
    if (version := parameters.get("EngineVersion")) is not None:
        pending["engine_version"] = "" if version == found.engine_version else version
    if "Configuration" in parameters:
        chosen = configurations.chosen(room, parameters["Configuration"], found.engine_type)
        configuration.check(
            found.engine_type,
            version or found.engine_version,
            found.deployment_mode,
            {**found.settings, **parameters},
            chosen,
        )
        pending["configuration"] = None if chosen == found.configuration else chosen
    later = {name: parameters[name] for name in _WITH_REBOOT if name in parameters}
    now = {name: parameters[name] for name in _AT_ONCE if name in parameters}

    def change(stored: Broker) -> Broker:
        waiting = replace(stored.pending, **pending, settings={**stored.pending.settings, **later})
        return replace(stored, settings={**stored.settings, **now}, pending=waiting)

    room.brokers.amend(found.broker_id, change)
    return {name: parameters[name] for name in _ANSWERED if name in parameters}


def _check(found: Broker, parameters: Mapping[str, Any]) -> None:
    if found.broker_state.endswith("_IN_PROGRESS") or found.broker_state == "CREATION_FAILED":
        raise refusals.in_state(found.broker_id, found.broker_state)
    check_offered(parameters)
    if found.engine_type == "RABBITMQ" and "SecurityGroups" in parameters:
        raise refusals.security_groups_on_rabbitmq()
    version = parameters.get("EngineVersion") or found.engine_version
    check_version(found.engine_type, version, parameters.get("AutoMinorVersionUpgrade", True))
    if version != found.engine_version:
        _check_upgrade(found, version)
    if "HostInstanceType" in parameters:
        check_instance(
            found.engine_type, version, parameters["HostInstanceType"], found.storage_type
        )
    check_settings(found.engine_type, parameters)


def _check_upgrade(found: Broker, version: str) -> None:
    if not found.running_version:
        raise refusals.not_here(
            f"an upgrade of a broker that runs an image of your own, {found.image}", "engineVersion"
        )
    newer = VERSIONS[found.engine_type]
    if newer.index(version) > newer.index(found.engine_version):  # newest first
        raise refusals.bad(
            f"Broker engine version [{version}] is older than [{found.engine_version}]: a broker is not downgraded.",
            "engineVersion",
        )
    ENGINES[found.engine_type].image(version)  # refuses what cannot be had here
