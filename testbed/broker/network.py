"""The network that a broker is described with: the account's default VPC, or what was asked for.

Brokers run on this machine, so the ids are only returned. Those of the default VPC are derived from
account and Region: they are the same in every testbed.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from testbed.documented.engines import SUBNETS


def with_defaults(
    settings: Mapping[str, Any], deployment_mode: str, account: str, region: str
) -> dict[str, Any]:
    """Return ``settings`` with subnets and a security group: the default VPC's if none are given.

    As DescribeBroker of the service shows them (API, ``SubnetIds`` and ``SecurityGroups``).
    """
    vpc = f"{account} {region} default VPC"
    subnets = [_id("subnet", f"{vpc} subnet {zone}") for zone in range(SUBNETS[deployment_mode])]
    groups = [_id("sg", f"{vpc} default group")]
    return {
        **settings,
        "SubnetIds": settings.get("SubnetIds") or subnets,
        "SecurityGroups": settings.get("SecurityGroups") or groups,
    }


def _id(prefix: str, name: str) -> str:
    return f"{prefix}-0{hashlib.sha256(name.encode()).hexdigest()[:16]}"
