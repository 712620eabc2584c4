"""The network that a broker is described with: the account's default VPC, or what was asked for.

Brokers run on this machine, so the ids are only checked and returned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from testbed.account import chosen_services, default_vpc
from testbed.account.moto_backends import MotoBackends
from testbed.account.neighbours import neighbour
from testbed.account.store import Place
from testbed.broker import refusals
from testbed.broker.model import Broker
from testbed.broker.requests import CreateBroker
from testbed.documented.engines import SUBNETS
from testbed.kms.base import Caller
from testbed.state.store import State


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


class Networks:
    """The subnets and security groups of EC2 that brokers are put into.

    While an account has nothing of its own in EC2, nothing of it is loaded: it has the default VPC.
    """

    def __init__(self, state: State, backends: MotoBackends) -> None:
        self._state, self._backends = state, backends

    def placed(self, request: CreateBroker, caller: Caller) -> CreateBroker:
        """Return the request with what it leaves to the default VPC.

        Raises ``BadRequestException`` for what EC2 does not have, or where it does not fit.
        """
        place = Place("ec2", caller.account, caller.region)
        given = request.settings.get("SubnetIds") or request.settings.get("SecurityGroups")
        if not chosen_services.includes(self._state, "ec2"):
            return request
        if not given and not self._backends.store.serial(place):
            return request
        network = self._backends.read(
            neighbour("ec2"), place, lambda ec2: _network(_Ec2(ec2), request)
        )
        return replace(request, settings={**request.settings, **network})

    def check_groups(self, broker: Broker, group_ids: Sequence[str]) -> None:
        """Check other security groups of a broker. Raises ``BadRequestException``."""
        if group_ids and chosen_services.includes(self._state, "ec2"):
            place = Place("ec2", broker.account, broker.region)
            self._backends.read(
                neighbour("ec2"), place, lambda ec2: _Ec2(ec2).check_groups(broker, group_ids)
            )


class _Ec2:
    """A view of moto's EC2."""

    def __init__(self, backend: Any) -> None:
        zones, vpcs = backend.subnets.values(), backend.groups.values()
        self._subnets = {subnet.id: subnet for zone in zones for subnet in zone.values()}
        self._groups = {group.id: group for vpc in vpcs for group in vpc.values()}
        self._gateways = backend.internet_gateways.values()
        self._default = next((vpc.id for vpc in backend.vpcs.values() if vpc.is_default), "")

    def default_vpc(self) -> str:
        """Return the id. Raises ``BadRequestException`` if it was deleted."""
        if not self._default:
            raise refusals.no_default_vpc()
        return self._default

    def vpc_of(self, subnet_ids: Sequence[str], group_ids: Sequence[str]) -> str:
        """Return the VPC of subnets and groups, the default one's id for none.

        Raises ``BadRequestException`` for unknown ones, and for more than one VPC.
        """
        if unknown := [name for name in subnet_ids if name not in self._subnets]:
            raise refusals.no_such_subnet(unknown[0])
        if unknown := [name for name in group_ids if name not in self._groups]:
            raise refusals.no_such_security_group(unknown[0])
        vpcs = {self._subnets[name].vpc_id for name in subnet_ids}
        if len(vpcs) > 1:
            raise refusals.several_vpcs()
        of_groups = {self._groups[name].vpc_id for name in group_ids}
        if not subnet_ids or not group_ids:
            default = self.default_vpc()
            if (vpcs | of_groups) - {default}:
                raise refusals.not_in_default_vpc()
            return default
        if of_groups != vpcs:
            raise refusals.security_groups_elsewhere()
        return str(vpcs.pop())

    def check_groups(self, broker: Broker, group_ids: Sequence[str]) -> None:
        """Check groups for a broker, some of whose subnets may be unknown here."""
        subnets = [name for name in broker.settings["SubnetIds"] if name in self._subnets]
        self.vpc_of(subnets, group_ids)

    def check_zones(self, subnet_ids: Sequence[str]) -> None:
        """Raise ``BadRequestException`` for two subnets in one Availability Zone."""
        zones = {self._subnets[name].availability_zone for name in subnet_ids}
        if len(zones) < len(subnet_ids):
            raise refusals.subnet_twice()

    def default_subnets(self, count: int) -> list[str]:
        """Return as many default subnets of the default VPC, in the order of their zones."""
        own = [subnet for subnet in self._subnets.values() if subnet.vpc_id == self._default]
        own.sort(key=lambda subnet: str(subnet.availability_zone))
        return [str(subnet.id) for subnet in own[:count]]

    def default_group(self) -> str:
        """Return the default security group of the default VPC."""
        own = [group for group in self._groups.values() if group.vpc_id == self._default]
        return next(str(group.id) for group in own if group.name == "default")

    def has_gateway(self, vpc: str) -> bool:
        """Return whether an internet gateway is attached to a VPC; the default one's always is."""
        return vpc == self._default or any(
            gateway.vpc and gateway.vpc.id == vpc for gateway in self._gateways
        )


def _network(ec2: _Ec2, request: CreateBroker) -> dict[str, list[str]]:
    subnets: list[str] = request.settings.get("SubnetIds") or []
    groups: list[str] = request.settings.get("SecurityGroups") or []
    vpc = ec2.vpc_of(subnets, groups)
    ec2.check_zones(subnets)
    public = request.settings.get("PubliclyAccessible")
    if request.engine_type == "ACTIVEMQ" and public and not ec2.has_gateway(vpc):
        raise refusals.no_internet_gateway()
    return {
        "SubnetIds": subnets or ec2.default_subnets(SUBNETS[request.deployment_mode]),
        "SecurityGroups": groups or [ec2.default_group()],
    }
