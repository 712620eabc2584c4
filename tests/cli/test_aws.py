"""The endpoint as a user of the command line has it: there with `up`, gone with `down`."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import psutil
import pytest

from testbed.clients import connect
from testbed.clients.base import Destination
from testbed.daemon import process
from tests.support.command_line import COMMAND, CommandLine

pytestmark = pytest.mark.containers
REGION = "eu-central-1"
ORDERS = Destination.queue("orders")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    command = CommandLine(tmp_path_factory.mktemp("up"))
    done = command.run("up", "--engine", "rabbitmq", "--region", REGION, timeout=600)
    assert done.returncode == 0, done.stderr
    yield command
    command.run("down")


def test_what_env_exports_is_enough_for_boto3(
    up: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = up.json("env")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert boto3.client("sts").get_caller_identity()["Account"] == "000000000000"
    [broker] = boto3.client("mq").list_brokers()["BrokerSummaries"]
    assert (broker["BrokerName"], broker["BrokerState"]) == ("rabbitmq", "RUNNING")
    key = boto3.client("mq").describe_broker(BrokerId=broker["BrokerId"])["EncryptionOptions"][
        "KmsKeyId"
    ]
    assert boto3.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    events = boto3.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateBroker"}]
    )
    assert len(events["Events"]) == 1, "another process made the call, and it is in the same trail"
    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == REGION
    assert f":{REGION}:" in key
    assert up.json("status")["region"] == up.json("endpoints")["region"] == REGION
    assert REGION in up.run("endpoints").stdout
    elsewhere = boto3.client("mq", region_name="us-east-1")
    assert elsewhere.list_brokers()["BrokerSummaries"] == []
    assert variables["AWS_ENDPOINT_URL"] == up.json("status")["aws"] == up.json("endpoints")["aws"]
    assert variables["AWS_ENDPOINT_URL"] in up.run("endpoints").stdout
    assert variables["AWS_ENDPOINT_URL"] in up.run("status").stdout


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
    [node] = [row["id"] for row in up.containers.find() if row["role"] != "kms"]
    up.containers.pause(node)
    stopped = up.json("stop")["stopped"]
    assert len(stopped) == 2, "a broker, although it is paused, and KMS"
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


def test_one_is_enough(up: CommandLine) -> None:
    error, hint = up.error("serve")
    assert "is already running" in error
    assert "testbed down" in hint


def test_without_its_process_the_endpoint_is_reported_as_down_and_serve_stands_in(
    up: CommandLine,
) -> None:
    before = up.json("env")["AWS_ENDPOINT_URL"]
    endpoint = process.find(up.state)
    assert endpoint
    os.kill(endpoint.pid, signal.SIGKILL)
    while process.find(up.state):
        pass
    done = up.run("env")
    assert "AWS_ENDPOINT_URL" not in done.stdout
    assert "is not running" in done.stderr
    environment = {**os.environ, "TESTBED_STATE": str(up.state)}
    serving = subprocess.Popen(
        [COMMAND, "serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    try:
        assert serving.stdout
        first = serving.stdout.readline()
        assert first == f"AWS_ENDPOINT_URL={before}\n", "clients find it at the same address"
        assert up.json("env")["AWS_ENDPOINT_URL"] == before
        serving.send_signal(signal.SIGINT)
        assert serving.wait(60) == 0
    finally:
        serving.kill()
        serving.stdout.close()  # type: ignore[union-attr]
    assert up.run("up", "--engine", "rabbitmq").returncode == 0
    assert up.json("env")["AWS_ENDPOINT_URL"] == before


def test_serve_needs_a_testbed(tmp_path: Path) -> None:
    assert "There is no testbed" in CommandLine(tmp_path).error("serve")[0]


def test_down_leaves_nothing_of_it(up: CommandLine) -> None:
    """Has to run last in this file."""
    endpoint = process.find(up.state)
    assert endpoint
    assert up.processes(), "control: something runs"
    assert up.run("down").returncode == 0
    assert not psutil.pid_exists(endpoint.pid) or not process.is_alive(psutil.Process(endpoint.pid))
    up.wait_until_nothing_is_left()
