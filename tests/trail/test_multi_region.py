"""Multi-Region keys in the trails of their Regions."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.kms.base import USER, USER_ACCOUNT
from testbed.trail.lookup import events
from tests.support.kms_authority import over
from tests.support.kms_container import Container
from tests.support.trail_bench import Bench

pytestmark = pytest.mark.containers


@pytest.fixture
def bench(tmp_path: Path, running: Container) -> Iterator[Bench]:
    bench = Bench(tmp_path, over(running, tmp_path / "authority").kms)
    yield bench
    bench.trail.close()


def test_a_replica_is_created_in_the_trail_of_its_region(bench: Bench) -> None:
    key = bench.key(MultiRegion=True)
    replica = key.replace("us-east-1", "us-west-2")
    request = {"KeyId": key, "ReplicaRegion": "us-west-2", "Description": "the second"}
    bench.kms.call(USER, "ReplicateKey", request)
    here = bench.last()
    assert (here["eventName"], here["awsRegion"]) == ("ReplicateKey", "us-east-1")
    assert here["resources"][0]["ARN"] == key
    assert here["requestParameters"]["replicaRegion"] == "us-west-2"
    metadata = here["responseElements"]["replicaKeyMetadata"]
    assert (metadata["arn"], metadata["keyState"]) == (replica, "Creating")
    assert metadata["multiRegionConfiguration"]["replicaKeys"] == [
        {"arn": replica, "region": "us-west-2"}
    ]
    [there] = events(bench.trail, USER_ACCOUNT, region="us-west-2")
    assert (there["eventName"], there["awsRegion"]) == ("CreateKey", "us-west-2")
    assert there["resources"][0]["ARN"] == replica
    assert there["requestParameters"] == {"multiRegion": True, "description": "the second"}


def test_a_new_primary_is_in_the_trails_of_both_regions(bench: Bench) -> None:
    key = bench.key(MultiRegion=True)
    bench.kms.call(USER, "ReplicateKey", {"KeyId": key, "ReplicaRegion": "us-west-2"})
    bench.kms.call(USER, "UpdatePrimaryRegion", {"KeyId": key, "PrimaryRegion": "us-west-2"})
    here = bench.last()
    there = next(events(bench.trail, USER_ACCOUNT, region="us-west-2"))
    for record, region in ((here, "us-east-1"), (there, "us-west-2")):
        arn = key.replace("us-east-1", region)
        assert (record["eventName"], record["awsRegion"]) == ("UpdatePrimaryRegion", region)
        assert record["requestParameters"]["primaryRegion"] == "us-west-2"
        assert record["responseElements"] == {"keyId": arn}
        assert record["resources"][0]["ARN"] == arn
