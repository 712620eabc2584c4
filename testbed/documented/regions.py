"""AWS's Regions and partitions, and the names that depend on them. Source: botocore's data.

Account 123456789012 in Region eu-central-1 of partition aws has ``arn:aws:mq:eu-central-1:...``
and ``*.mq.eu-central-1.amazonaws.com``; China has ``arn:aws-cn:`` and ``amazonaws.com.cn``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

# Of a testbed for which neither --region nor AWS's environment names another one.
DEFAULT_REGION = "us-east-1"

# Where a partition has its services without Regions, such as IAM, and records their events
# (botocore, endpoints.json; CTG, "global service events").
_GLOBAL_SERVICES = {"aws": DEFAULT_REGION, "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


@dataclass(frozen=True)
class Partition:
    """A group of Regions with accounts of its own: ``aws``, ``aws-cn``, ``aws-us-gov``, ..."""

    name: str
    dns_suffix: str


def exists(region: str) -> bool:
    """Return whether ``region`` is one of AWS's."""
    return region in _regions()


def names() -> tuple[str, ...]:
    """Return all Regions."""
    return tuple(_regions())


def partition(region: str) -> Partition:
    """Return the partition of ``region``. Raises ``KeyError`` for an unknown one."""
    return _regions()[region]


def of_global_services(region: str) -> str:
    """Return the Region in which the partition of ``region`` has its global services."""
    return _GLOBAL_SERVICES.get(partition(region).name, region)


def arn(service: str, region: str, account: str, resource: str) -> str:
    """Return an ARN of ``service`` in ``region``."""
    return f"arn:{partition(region).name}:{service}:{region}:{account}:{resource}"


def iam_arn(region: str, account: str, resource: str, *, service: str = "iam") -> str:
    """Return an ARN of IAM or STS, which have no Region, in the partition of ``region``."""
    return f"arn:{partition(region).name}:{service}::{account}:{resource}"


def host(service: str, region: str) -> str:
    """Return a service's host name, such as ``mq.eu-central-1.amazonaws.com``.

    It is also the domain of brokers and of their wildcard certificate (GUIDE22, WWR), and the name
    of EC2 as a principal (DP).
    """
    return f"{service}.{region}.{partition(region).dns_suffix}"


def availability_zones(region: str) -> tuple[str, ...]:
    """Return three zones; which letters a Region has differs from account to account."""
    return tuple(f"{region}{letter}" for letter in "abc")


@cache
def _regions() -> Mapping[str, Partition]:
    from botocore.loaders import Loader  # it takes longer than all the rest of this package

    found: dict[str, Partition] = {}
    for document in Loader().load_data("partitions")["partitions"]:
        of_regions = Partition(document["id"], document["outputs"]["dnsSuffix"])
        # aws-global and the like are for services without Regions.
        found |= {
            region: of_regions for region in document["regions"] if not region.endswith("-global")
        }
    return found
