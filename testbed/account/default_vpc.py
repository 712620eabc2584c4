"""The ids of the default VPC that every account has in every Region.

They are derived from account and Region, so they are the same in every testbed, and known before
anything of EC2 is loaded.
"""

import hashlib


def vpc_id(account: str, region: str) -> str:
    """Return the id of the default VPC."""
    return derived("vpc", account, region, 0)


def subnet_id(account: str, region: str, zone: int) -> str:
    """Return the id of the default subnet of a zone, counted from 0."""
    return derived("subnet", account, region, zone)


def security_group_id(account: str, region: str) -> str:
    """Return the id of the default security group."""
    return derived("sg", account, region, 0)


def derived(prefix: str, account: str, region: str, number: int) -> str:
    """Return the id of a resource that a new account has: the first, second ... of its kind."""
    name = f"{account} {region} default {prefix} {number}"
    return f"{prefix}-0{hashlib.sha256(name.encode()).hexdigest()[:16]}"
