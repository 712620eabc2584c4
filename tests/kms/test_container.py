"""LocalStack's container: brought back with its keys, or the truth about them."""

import time
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from testbed.cli.root import app
from testbed.errors import ContainerFailed, KmsError
from testbed.kms.base import USER
from testbed.kms.localstack import LocalStackKms
from testbed.runtime.cleanup import LABEL
from testbed.testbed import Testbed
from tests.support.broker_node import wait_for

pytestmark = pytest.mark.containers
_SHORT = 5.0  # seconds; a fraction of one on an idle machine


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


def test_status_does_not_wait_for_one_that_is_paused(running: Testbed) -> None:
    [row] = running.containers.find("kms")
    running.containers.client.api.pause(row["id"])
    try:
        with pytest.raises(KmsError):  # control: KMS itself does not answer
            LocalStackKms(running.kms_container.url, read_timeout=1).call(USER, "ListKeys", {})
        started = time.monotonic()
        result = CliRunner().invoke(app, ["status", "--state", str(running.state.folder)])
        assert (result.exit_code, "paused" in result.output) == (0, True)
        assert time.monotonic() - started < _SHORT
    finally:
        running.containers.client.api.unpause(row["id"])


# Who reaches LocalStack, which checks nothing. Prints the status line, if there is one.
_REQUEST = """
exec 3<>/dev/tcp/$1/4566 || exit 1
printf 'GET /_localstack/health HTTP/1.0\r\n\r\n' >&3
head -n 1 <&3
"""


@pytest.mark.parametrize("broker", ["rabbitmq_broker", "activemq_broker"])
def test_no_broker_reaches_localstack(
    testbed: Testbed, broker: str, request: pytest.FixtureRequest
) -> None:
    stored = testbed.brokers.peek(request.getfixturevalue(broker).broker_id)
    [row] = testbed.containers.find("kms")
    [network] = testbed.containers.inspect(row["id"])["NetworkSettings"]["Networks"].items()
    for host in (row["name"], network[1]["IPAddress"], network[1]["Gateway"]):
        command = ["timeout", "5", "bash", "-c", _REQUEST, "-", host]
        _, output = testbed.containers.execute(stored.nodes[0].container_id, command, "nobody")
        assert b"HTTP" not in output, host
    control = testbed.containers.client.containers.run(
        stored.image,
        [*command[3:-1], row["name"]],
        entrypoint=["timeout", "20", "bash"],
        user="nobody",
        network=network[0],
        labels={LABEL: testbed.state.instance},
        remove=True,
    )
    assert b"HTTP" in control, "control: from KMS's own network it answers"
