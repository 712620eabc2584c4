"""The fixtures as another project's tests use them, in a pytest of its own; and what is left when that ends, or is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testbed.runtime import engine
from testbed.runtime.containers import LABEL

pytestmark = pytest.mark.containers

THEIRS = """
import pathlib, time
import boto3
import pika

def test_a_message_crosses(rabbitmq_broker, testbed):
    pathlib.Path("instance").write_text(testbed.state.instance + " " + str(testbed.state.folder))
    parameters = pika.ConnectionParameters(
        rabbitmq_broker.host, rabbitmq_broker.port("amqp"),
        credentials=pika.PlainCredentials(rabbitmq_broker.username, rabbitmq_broker.password),
        ssl_options=pika.SSLOptions(rabbitmq_broker.ssl_context(), rabbitmq_broker.host),
    )
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare("orders", durable=True)
    channel.basic_publish("", "orders", b"one")
    time.sleep(1)
    assert channel.basic_get("orders")[2] == b"one"
    connection.close()
    assert rabbitmq_broker.describe()["EncryptionOptions"]["KmsKeyId"] == rabbitmq_broker.key_arn
    assert rabbitmq_broker.url("amqp").startswith("amqps://localhost:")

def test_a_key(kms_key):
    kms_key.disable()
    assert kms_key.call("DescribeKey")["KeyMetadata"]["KeyState"] == "Disabled"
    kms_key.enable()
"""


def start(folder: Path, test: str) -> "subprocess.Popen[str]":
    (folder / "test_theirs.py").write_text(test)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TESTBED_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_theirs.py"]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def assert_nothing_is_left(folder: Path, patience: float = 60.0) -> None:
    instance, _, state = (folder / "instance").read_text().partition(" ")
    client = engine.connect()
    chosen = {"label": f"{LABEL}={instance}"}
    end = time.monotonic() + patience
    try:
        while True:
            left = [*client.api.containers(all=True, filters=chosen), *(client.api.volumes(filters=chosen)["Volumes"] or []), *client.api.networks(filters=chosen)]
            if not left and not Path(state).exists():
                return
            assert time.monotonic() < end, left or state
            time.sleep(0.2)
    finally:
        client.close()


def test_another_projects_tests_get_a_broker_and_a_key(tmp_path: Path) -> None:
    theirs = start(tmp_path, THEIRS)
    output, _ = theirs.communicate(timeout=300)
    assert theirs.returncode == 0 and "2 passed" in output, output
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_their_pytest_is_ended(how: signal.Signals, tmp_path: Path) -> None:
    waiting = THEIRS.split("def test_a_message")[0] + (
        "def test_it_waits(testbed):\n"
        "    pathlib.Path('instance').write_text(testbed.state.instance + ' ' + str(testbed.state.folder))\n"
        "    testbed.new_key('so that KMS runs')\n"
        "    pathlib.Path('ready').write_text('')\n"
        "    time.sleep(300)\n"
    )
    theirs = start(tmp_path, waiting)
    end = time.monotonic() + 120
    while not (tmp_path / "ready").exists():
        assert theirs.poll() is None and time.monotonic() < end
        time.sleep(0.1)
    theirs.send_signal(how)
    theirs.communicate(timeout=60)
    assert_nothing_is_left(tmp_path)
