"""DescribeBrokerEngineTypes and DescribeBrokerInstanceOptions, as documented."""

from collections.abc import Mapping
from typing import Any

from testbed.aws.mq.paging import page
from testbed.broker import refusals
from testbed.documented import regions
from testbed.documented.engines import ENGINE_TYPES, VERSIONS
from testbed.documented.instance_types import INSTANCE_OPTIONS

_PAGE = 20  # as in answers that users quote


def engine_types(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the engine types and their versions."""
    chosen = [engine for engine in ENGINE_TYPES if engine == _engine(parameters, engine)]
    rows, token = page(chosen, parameters, "broker-engine-types", _PAGE)
    types = [
        {
            "EngineType": engine,
            "EngineVersions": [{"Name": version} for version in VERSIONS[engine]],
        }
        for engine in rows
    ]
    return {
        "BrokerEngineTypes": types,
        "MaxResults": parameters.get("MaxResults", _PAGE),
        "NextToken": token,
    }


def instance_options(parameters: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Return the host instance types with the versions and storage they go with."""
    chosen = [
        option
        for option in INSTANCE_OPTIONS
        if option.engine_type == _engine(parameters, option.engine_type)
        and option.host_instance_type
        == parameters.get("HostInstanceType", option.host_instance_type)
        and option.storage_type == parameters.get("StorageType", option.storage_type).upper()
    ]
    filters = ("EngineType", "HostInstanceType", "StorageType")
    listed = " ".join(["broker-instance-options", *(parameters.get(f, "") for f in filters)])
    rows, token = page(chosen, parameters, listed, _PAGE)
    zones = [{"Name": zone} for zone in regions.availability_zones(region)]
    options = [
        {
            "AvailabilityZones": zones,
            "EngineType": option.engine_type,
            "HostInstanceType": option.host_instance_type,
            "StorageType": option.storage_type.lower(),  # as the service answers
            "SupportedDeploymentModes": list(option.deployment_modes),
            "SupportedEngineVersions": list(option.engine_versions),
        }
        for option in rows
    ]
    return {
        "BrokerInstanceOptions": options,
        "MaxResults": parameters.get("MaxResults", _PAGE),
        "NextToken": token,
    }


def _engine(parameters: Mapping[str, Any], default: str) -> str:
    engine: str = parameters.get("EngineType", default).upper()
    if engine not in ENGINE_TYPES:
        raise refusals.unknown_engine(parameters["EngineType"])
    return engine
