"""LocalStack's container: brought back with its keys, or the truth about them."""

from collections.abc import Iterator

import pytest

from testbed.errors import ContainerFailed
from testbed.kms.base import USER
from testbed.testbed import Testbed
from tests.support.broker_node import wait_for

pytestmark = pytest.mark.containers


@pytest.fixture
def running() -> Iterator[Testbed]:
    with Testbed() as testbed:
        testbed.kms_container.wait_until_ready()
        yield testbed


def test_one_that_ended_is_started_again_with_its_keys(running: Testbed) -> None:
    key = running.new_key("before")
    running.kms_container.recover()
    [row] = running.containers.find("kms")
    running.containers.kill(row["id"])
    running.kms_container.recover()
    wait_for("KMS", lambda: running.kms_container.status == "running")
    running.kms_container.wait_until_ready()
    assert running.kms.call(USER, "DescribeKey", {"KeyId": key})["KeyMetadata"]["Enabled"]


def test_one_whose_volume_is_gone_is_not_replaced_by_an_empty_one(running: Testbed) -> None:
    [row] = running.containers.find("kms")
    running.containers.remove(row["id"])
    running.containers.remove_volume(row["name"])
    again = Testbed(running.state.folder)
    try:
        with pytest.raises(ContainerFailed, match="volume .* is gone, and with it all keys"):
            again.kms.call(USER, "ListKeys", {})
        assert running.containers.find("kms") == []
    finally:
        again.close()
