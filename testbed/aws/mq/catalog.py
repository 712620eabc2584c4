"""DescribeBrokerEngineTypes and DescribeBrokerInstanceOptions: what there is to choose from, as documented."""

from collections.abc import Mapping
from typing import Any

from testbed.aws.mq import refusals
from testbed.aws.mq.paging import page
from testbed.documented.engines import ENGINE_TYPES, VERSIONS
from testbed.documented.instance_types import AVAILABILITY_ZONES, INSTANCE_OPTIONS

_PAGE = 20  # as in answers that users quote


def engine_types(parameters: Mapping[str, Any]) -> dict[str, Any]:
    wanted = [each for each in ENGINE_TYPES if each == _engine(parameters, each)]
    rows, token = page(wanted, parameters, "broker-engine-types", _PAGE)
    types = [
        {"EngineType": each, "EngineVersions": [{"Name": version} for version in VERSIONS[each]]}
        for each in rows
    ]
    return {
        "BrokerEngineTypes": types,
        "MaxResults": parameters.get("MaxResults", _PAGE),
        "NextToken": token,
    }


def instance_options(parameters: Mapping[str, Any]) -> dict[str, Any]:
    wanted = [
        each
        for each in INSTANCE_OPTIONS
        if each.engine_type == _engine(parameters, each.engine_type)
        and each.host_instance_type == parameters.get("HostInstanceType", each.host_instance_type)
        and each.storage_type == parameters.get("StorageType", each.storage_type).upper()
    ]
    of = " ".join(
        [
            "broker-instance-options",
            *(
                parameters.get(name, "")
                for name in ("EngineType", "HostInstanceType", "StorageType")
            ),
        ]
    )
    rows, token = page(wanted, parameters, of, _PAGE)
    options = [
        {
            "AvailabilityZones": [{"Name": zone} for zone in AVAILABILITY_ZONES],
            "EngineType": each.engine_type,
            "HostInstanceType": each.host_instance_type,
            "StorageType": each.storage_type.lower(),  # as the service answers
            "SupportedDeploymentModes": list(each.deployment_modes),
            "SupportedEngineVersions": list(each.engine_versions),
        }
        for each in rows
    ]
    return {
        "BrokerInstanceOptions": options,
        "MaxResults": parameters.get("MaxResults", _PAGE),
        "NextToken": token,
    }


def _engine(parameters: Mapping[str, Any], otherwise: str) -> str:
    engine = parameters.get("EngineType", otherwise).upper()
    if engine not in ENGINE_TYPES:
        raise refusals.unknown_engine(parameters["EngineType"], ENGINE_TYPES)
    return engine
