"""A full disk under the state folder: calls are answered, and all is well once there is space."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.aws.endpoint import serve
from testbed.broker.model import Broker
from testbed.testbed import Testbed
from tests.support.aws_endpoint import Served, refusal
from tests.support.brokers_offline import add, offline, request
from tests.support.small_disk import full, mounted


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path, "3m"):
        yield tmp_path


@pytest.fixture
def served(disk: Path) -> Iterator[Served]:
    """Serve a testbed whose log is on the same disk, as the daemon's is."""
    with offline(disk / "state", key_state="Enabled") as testbed:
        log = logging.FileHandler(testbed.state.folder / "endpoint.log")
        logger = logging.getLogger("testbed")
        logger.addHandler(log)
        try:
            with serve(testbed) as endpoint:
                yield Served(testbed, endpoint)
        finally:
            logger.removeHandler(log)
            log.close()


@pytest.fixture
def broker(served: Served) -> Broker:
    return add(served.testbed, request())


@pytest.mark.parametrize("operation", ["describe_broker", "delete_broker", "reboot_broker"])
def test_what_cannot_be_written_is_answered_with_the_reason(
    served: Served, broker: Broker, operation: str
) -> None:
    call = getattr(served.client("mq"), operation)
    with full(served.testbed.state.folder):
        refused = refusal(call, BrokerId=broker.broker_id)
    assert (refused["Code"], refused["Status"]) == ("InternalServerErrorException", 500)
    assert "disk is full" in refused["Message"]
    assert "Free some space" in refused["Message"]
    assert stored(served.testbed) == broker, "control: nothing is half done"


def test_all_is_well_once_there_is_space(served: Served, broker: Broker) -> None:
    mq = served.client("mq")
    with full(served.testbed.state.folder):
        refusal(mq.describe_broker, BrokerId=broker.broker_id)
    answer = mq.describe_broker(BrokerId=broker.broker_id)
    assert answer["BrokerState"] == "RUNNING"


def test_a_call_that_cannot_be_recorded_is_answered_with_the_reason(served: Served) -> None:
    sts = served.client("sts")
    with full(served.testbed.state.folder):
        refused = refusal(sts.get_caller_identity)
    assert refused["Status"] == 500
    assert "disk is full" in refused["Message"]
    assert sts.get_caller_identity()["Account"]


def stored(testbed: Testbed) -> Broker:
    [broker] = testbed.brokers.peek_all()
    return broker
