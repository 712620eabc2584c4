"""`testbed stop` and `start` keep keys, messages and ports; `testbed aws` reaches the endpoint."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.clients import connect
from testbed.clients.base import Destination
from testbed.daemon import process
from tests.support.command_line import COMMAND, CommandLine

pytestmark = pytest.mark.containers
ORDERS = Destination.queue("orders")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    command = CommandLine(tmp_path_factory.mktemp("up"))
    done = command.run("up", "--engine", "rabbitmq", timeout=600)
    assert done.returncode == 0, done.stderr
    yield command
    command.run("down")
    command.wait_until_nothing_is_left()


def test_the_aws_cli_reaches_the_endpoint(up: CommandLine) -> None:
    foreign = {"AWS_ENDPOINT_URL_MQ": "http://127.0.0.1:9", "AWS_SESSION_TOKEN": "foreign"}
    done = up.run("aws", "mq", "list-brokers", "--output", "json", environment=foreign)
    assert done.returncode == 0, done.stderr
    [broker] = json.loads(done.stdout)["BrokerSummaries"]
    assert broker["BrokerName"] == "rabbitmq"
    refused = up.run("aws", "mq", "describe-broker", "--broker-id", "b-1")
    assert refused.returncode not in (0, 1), "the AWS CLI's own status"
    assert "NotFoundException" in refused.stderr


def test_what_is_stopped_starts_again_with_its_data(up: CommandLine) -> None:
    before = up.json("endpoints")
    key = up.json("status")["brokers"][0]["EncryptionOptions"]["KmsKeyId"]
    with connect(up.rabbitmq()) as client:
        client.subscribe(ORDERS)
        client.publish(ORDERS, b"one")
    stopped = up.json("stop")["stopped"]
    assert len(stopped) == 2, "a broker and KMS"
    assert {row["status"] for row in up.containers.find()} == {"exited"}
    assert process.find(up.state) is None
    assert up.json("stop")["stopped"] == [], "harmless again"
    assert up.json("start") == before
    with connect(up.rabbitmq()) as client:
        client.subscribe(ORDERS)
        message = client.receive(timeout=30)
        assert message is not None
        assert message.body == b"one"
        message.acknowledge()
    state = up.run("aws", "kms", "describe-key", "--key-id", key, "--query", "KeyMetadata.KeyState")
    assert state.stdout.strip() == '"Enabled"', state.stderr


def test_there_is_nothing_to_stop_or_start(tmp_path: Path) -> None:
    command = CommandLine(tmp_path)
    for name in ("stop", "start"):
        error, hint = command.error(name)
        assert "There is no testbed" in error
        assert "testbed up" in hint
        assert not command.state.exists()


def test_completion_and_version_and_short_help() -> None:
    completion = {
        **os.environ,
        "_TESTBED_COMPLETE": "complete_bash",
        "COMP_WORDS": "testbed tr",
        "COMP_CWORD": "1",
    }
    done = subprocess.run([COMMAND], env=completion, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["trail"]
    version = subprocess.run([COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("testbed ")
    for command in ("-h", "up -h", "scenario run -h"):
        text = subprocess.run(
            [COMMAND, *command.split()], capture_output=True, text=True, check=True
        )
        assert text.stdout.startswith("Usage: testbed")
