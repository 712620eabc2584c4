"""The Regions and partitions that botocore knows."""

import botocore.session
import pytest

from testbed.documented import regions
from testbed.documented.regions import DEFAULT_REGION


def test_all_regions_are_known_with_their_partitions() -> None:
    session = botocore.session.Session()
    for partition in session.get_available_partitions():
        for service in ("kms", "mq"):
            for region in session.get_available_regions(service, partition):
                assert regions.exists(region)
                assert regions.partition(region).name == partition
    assert DEFAULT_REGION in regions.names()


@pytest.mark.parametrize("name", ["", "aws-global", "us-east-1a", "mars-north-1", "US-EAST-1"])
def test_what_is_no_region(name: str) -> None:
    assert not regions.exists(name)


@pytest.mark.parametrize(
    ("region", "arn", "host"),
    [
        ("eu-central-1", "arn:aws:mq:eu-central-1:1:x", "mq.eu-central-1.amazonaws.com"),
        ("cn-north-1", "arn:aws-cn:mq:cn-north-1:1:x", "mq.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "arn:aws-us-gov:mq:us-gov-west-1:1:x", "mq.us-gov-west-1.amazonaws.com"),
        ("eusc-de-east-1", "arn:aws-eusc:mq:eusc-de-east-1:1:x", "mq.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_names_in_each_partition(region: str, arn: str, host: str) -> None:
    assert regions.arn("mq", region, "1", "x") == arn
    assert regions.host("mq", region) == host
    assert regions.iam_arn(region, "1", "root") == f"{arn.split(':mq:', maxsplit=1)[0]}:iam::1:root"
    assert regions.availability_zones(region)[0] == f"{region}a"
