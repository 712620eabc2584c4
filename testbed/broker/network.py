"""The network that a broker is described with: the account's default VPC, or what was asked for.

Brokers run on this machine, so the ids are only returned.
"""

from collections.abc import Mapping
from typing import Any

from testbed.account import default_vpc
from testbed.documented.engines import SUBNETS


def with_defaults(
    settings: Mapping[str, Any], deployment_mode: str, account: str, region: str
) -> dict[str, Any]:
    """Return ``settings`` with subnets and a security group: the default VPC's if none are given.

    As DescribeBroker of the service shows them (API, ``SubnetIds`` and ``SecurityGroups``).
    """
    zones = range(SUBNETS[deployment_mode])
    subnets = [default_vpc.subnet_id(account, region, zone) for zone in zones]
    groups = [default_vpc.security_group_id(account, region)]
    return {
        **settings,
        "SubnetIds": settings.get("SubnetIds") or subnets,
        "SecurityGroups": settings.get("SecurityGroups") or groups,
    }
