"""EC2's networks in moto, with what moto lacks: what depends on what.

Loading this module loads moto's EC2, which takes seconds: import it at the first use.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.ec2 import utils
from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import EC2Backend

from testbed.account import default_vpc


class Ec2Backend(EC2Backend):
    """The networks of an account in a Region, without AWS's images.

    What is in use is not deleted, and a VPC goes with its default network ACL.
    """

    def __init__(self, region_name: str, account_id: str) -> None:
        """Make a new account's network, with derived ids."""
        with _derived_ids(account_id, region_name):
            super().__init__(region_name, account_id)
        for content in (self.amis, self.snapshots, self.volumes):
            content.clear()

    def delete_vpc(self, vpc_id: str) -> Any:
        gateways = (gateway.vpc for gateway in self.internet_gateways.values())
        groups = self.groups.get(vpc_id, {}).values()
        if any(vpc and vpc.id == vpc_id for vpc in gateways) or len(groups) > 1:
            raise DependencyViolationError(
                f"The vpc '{vpc_id}' has dependencies and cannot be deleted."
            )
        deleted = super().delete_vpc(vpc_id)
        for acl in list(self.network_acls.values()):
            if acl.vpc_id == vpc_id:
                self.network_acls.pop(acl.id)
        return deleted

    def delete_subnet(self, subnet_id: str) -> Any:
        if any(interface.subnet.id == subnet_id for interface in self.enis.values()):
            raise DependencyViolationError(
                f"The subnet '{subnet_id}' has dependencies and cannot be deleted."
            )
        return super().delete_subnet(subnet_id)

    def delete_security_group(self, name: str | None = None, group_id: str | None = None) -> None:
        if not group_id and (group := self.group_by_name(name or "")):
            group_id = group.id
        if group_id and self._is_used(group_id):
            raise DependencyViolationError(f"resource {group_id} has a dependent object")
        super().delete_security_group(name, group_id)

    def group_by_name(self, name: str) -> Any:
        """Return a security group of the default VPC, where alone a name will do; or None."""
        groups = (
            group
            for vpc in self.vpcs.values()
            if vpc.is_default
            for group in self.groups.get(vpc.id, {}).values()
        )
        return next((group for group in groups if group.name == name), None)

    def _is_used(self, group_id: str) -> bool:
        """Return whether an interface has the group, or a rule of another one names it."""
        return any(
            group.id == group_id
            for interface in self.enis.values()
            for group in interface.group_set
        ) or any(
            (rule.source_group or {}).get("GroupId") == group_id
            for vpc in self.groups.values()
            for group in vpc.values()
            if group.id != group_id
            for rule in (*group.ingress_rules, *group.egress_rules)
        )


@contextmanager
def _derived_ids(account: str, region: str) -> Iterator[None]:
    made, random_id = Counter[str](), utils.random_id

    def derived_id(prefix: str = "", size: int = 17) -> str:  # noqa: ARG001 - moto's signature
        made[prefix] += 1
        return default_vpc.derived(prefix, account, region, made[prefix] - 1)

    utils.random_id = derived_id
    try:
        yield
    finally:
        utils.random_id = random_id
