"""Another project's tests, in a separate pytest: the fixtures suffice, and nothing is left."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from testbed.clients.console import Console
from testbed.library import MqBroker
from testbed.testbed import Testbed
from tests.support.command_line import CommandLine
from tests.support.nightly import first_then_nightly

pytestmark = pytest.mark.containers

# The tests of a project that uses only the public fixtures.
TESTS = """
import socket, ssl
import boto3, pika, pytest


def test_rabbitmq_by_plain_pika(rabbitmq_broker):
    parameters = pika.ConnectionParameters(
        rabbitmq_broker.host, rabbitmq_broker.port("amqp"),
        credentials=pika.PlainCredentials(rabbitmq_broker.username, rabbitmq_broker.password),
        ssl_options=pika.SSLOptions(rabbitmq_broker.ssl_context(), "localhost"),
    )
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare("mine", durable=True, arguments={"x-queue-type": "quorum"})
    channel.basic_publish("", "mine", b"hello")
    method, _, body = channel.basic_get("mine", auto_ack=True)
    assert body == b"hello"
    connection.close()


def test_activemq_by_plain_ssl(activemq_broker):
    context = ssl.create_default_context(cafile=str(activemq_broker.ca_file))
    address = activemq_broker.host, activemq_broker.port("stomp")
    with socket.create_connection(address) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as tls:
            login = f"login:{activemq_broker.username}\\npasscode:{activemq_broker.password}"
            frame = f"CONNECT\\naccept-version:1.2\\nhost:localhost\\n{login}\\n\\n\\0"
            tls.sendall(frame.encode())
            assert tls.recv(4096).startswith(b"CONNECTED")
    with pytest.raises(ssl.SSLCertVerificationError), socket.create_connection(address) as raw:
        ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")


def test_the_key_by_plain_boto3(rabbitmq_broker, kms_key, aws_endpoint):
    kms, mq = (boto3.client(name, **aws_endpoint.client()) for name in ("kms", "mq"))
    assert kms.describe_key(KeyId=kms_key.arn)["KeyMetadata"]["KeyState"] == "Enabled"
    kms_key.disable()
    assert kms.describe_key(KeyId=kms_key.arn)["KeyMetadata"]["KeyState"] == "Disabled"
    kms_key.enable()
    assert mq.describe_broker(BrokerId=rabbitmq_broker.broker_id)["BrokerState"] == "RUNNING"
    metadata = kms.describe_key(KeyId=rabbitmq_broker.key_arn)["KeyMetadata"]
    assert metadata["KeyManager"] == "CUSTOMER"


def test_urls_have_the_services_schemes_and_no_password(rabbitmq_broker, activemq_broker):
    urls = [rabbitmq_broker.url("amqp")]
    urls += [activemq_broker.url("openwire"), activemq_broker.url("mqtt")]
    assert [url.partition("://")[0] for url in urls] == ["amqps", "ssl", "mqtt+ssl"]
    for password in (rabbitmq_broker.password, activemq_broker.password):
        assert not [url for url in urls if password in url]
    with pytest.raises(KeyError):
        rabbitmq_broker.port("mqtt")


def test_a_reboot(rabbitmq_broker):
    before = rabbitmq_broker.port("amqp")
    rabbitmq_broker.reboot()
    assert rabbitmq_broker.port("amqp") == before
    assert rabbitmq_broker.describe()["BrokerState"] == "RUNNING"
"""


class Project(CommandLine):
    """A folder with tests, and the pytest that runs them."""

    def write(self, tests: str) -> None:
        (self.folder / "test_mine.py").write_text(tests)

    def start_pytest(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        variables = {
            name: value
            for name, value in self._environment(environment).items()
            if name != "TESTBED_STATE" or name in environment
        }
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=variables,
        )

    def pytest(self, *arguments: str, **environment: str) -> tuple[int, str]:
        process = self.start_pytest(*arguments, **environment)
        output, _ = process.communicate(timeout=600)
        return process.returncode, output


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_another_projects_tests_pass_and_nothing_is_left(project: Project) -> None:
    project.write(TESTS)
    status, output = project.pytest()
    assert status == 0, output
    assert "5 passed" in output
    lines = re.findall("testbed: (.*)", output)
    ready = [lines.index(f"{name}: ready") for name in ("rabbitmq", "activemq")]
    started = [
        next(at for at, line in enumerate(lines) if line.startswith(f"{name}: starting"))
        for name in ("rabbitmq", "activemq")
    ]
    assert max(started) < min(ready), "side by side"
    project.wait_until_nothing_is_left()


def test_nothing_is_left_after_a_failure(project: Project) -> None:
    project.write("def test_mine(kms_key):\n    assert kms_key.arn == 'another'\n")
    status, output = project.pytest()
    assert status == 1
    assert "1 failed" in output
    assert "taking everything down" in output
    project.wait_until_nothing_is_left()


@pytest.mark.parametrize(
    ("how", "status"),
    first_then_nightly(
        [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 2)],
        "an interruption by the other signal",
    ),
)
def test_nothing_is_left_after_an_interruption(
    project: Project, how: signal.Signals, status: int
) -> None:
    project.write(
        "import time\n\ndef test_mine(rabbitmq_broker):\n"
        "    print('in the test', flush=True)\n    time.sleep(600)\n"
    )
    process = project.start_pytest("-s")
    assert process.stdout is not None
    lines: list[str] = []
    while "in the test" not in "".join(lines[-1:]):
        lines.append(process.stdout.readline())
        assert lines[-1], lines
    project.note()
    assert any(project.left()["containers"]), "control: there is something to leave behind"
    process.send_signal(how)
    process.communicate(timeout=120)
    assert process.returncode == status
    project.wait_until_nothing_is_left()


def test_a_testbed_that_is_up_is_used_and_stays(
    project: Project, testbed: Testbed, rabbitmq_broker: MqBroker
) -> None:
    """The session's testbed stands for one of `testbed up`."""
    project.write(
        "def test_mine(testbed, rabbitmq_broker, kms_key):\n"
        "    print('broker', rabbitmq_broker.broker_id)\n"
    )
    before = testbed.containers.find()
    status, output = project.pytest("-s", TESTBED_STATE=str(testbed.state.folder))
    assert status == 0, output
    assert f"broker {rabbitmq_broker.broker_id}" in output
    assert testbed.containers.find() == before
    assert "starting" not in output


def test_a_folder_without_a_testbed_is_reported_and_nothing_started(project: Project) -> None:
    project.write("def test_mine(kms_key):\n    pass\n")
    status, output = project.pytest(TESTBED_STATE=str(project.state))
    assert status == 1
    assert f"There is no testbed in {project.state}." in output
    assert "hint: `testbed up` starts one" in output
    assert not project.state.exists()
    project.wait_until_nothing_is_left()


def test_a_missing_engine_is_reported_with_what_to_do(project: Project) -> None:
    project.write("def test_mine(kms_key):\n    pass\n\ndef test_pure():\n    pass\n")
    status, output = project.pytest(DOCKER_HOST="unix:///nonexistent.sock")
    assert status == 1
    assert "1 passed, 1 error" in output
    assert "No container engine answers at DOCKER_HOST=unix:///nonexistent.sock" in output
    assert "hint: Unset DOCKER_HOST" in output
    project.wait_until_nothing_is_left()


def test_who_asks_for_no_fixture_pays_for_nothing(project: Project) -> None:
    project.write(
        "import sys\n\ndef test_mine():\n"
        "    ours = ('testbed.', 'docker', 'boto')\n"
        "    loaded = [name for name in sys.modules if name.startswith(ours)]\n"
        "    assert loaded == ['testbed.pytest_plugin']\n"
    )
    status, output = project.pytest()
    assert status == 0, output
    assert "testbed:" not in output
    project.wait_until_nothing_is_left()


# The tests of a project in which some leave a mess, and one fails.
SLATES = """
import pika, pytest
from testbed import Destination, connect


def connection(broker, vhost):
    return pika.BlockingConnection(pika.ConnectionParameters(
        broker.host, broker.port("amqp"), vhost,
        credentials=pika.PlainCredentials(broker.username, broker.password),
        ssl_options=pika.SSLOptions(broker.ssl_context(), "localhost"),
    ))


@pytest.mark.parametrize("number", [1, 2])
def test_one_leaves_a_message(rabbitmq_broker, vhost, number):
    with connection(rabbitmq_broker, vhost) as open:
        channel = open.channel()
        assert channel.queue_declare("orders").method.message_count == 0
        channel.basic_publish("", "orders", b"one")
    print("vhost", vhost)


def test_queues(activemq_broker, queue_prefix):
    with connect(activemq_broker.address("openwire")) as client:
        client.publish(Destination.queue(queue_prefix + "orders"), b"one")
    print("prefix", queue_prefix)


def test_only_its_own_events(kms_key, trail):
    assert (kms_key.state, trail.names()) == ("Enabled", [])
    kms_key.disable()
    assert trail.names() == ["DisableKey"]


def test_looking_is_no_event(rabbitmq_broker, trail):
    rabbitmq_broker.url("amqp"), rabbitmq_broker.port("amqp"), rabbitmq_broker.key.state
    assert trail.names(services=True) == []


def test_it_fails_with_the_key_disabled(rabbitmq_broker):
    rabbitmq_broker.key.schedule_deletion()
    connection(rabbitmq_broker, "/").close()
    assert rabbitmq_broker.username == "somebody"


def test_the_key_is_back(rabbitmq_broker):
    assert rabbitmq_broker.key.state == "Enabled"
    assert rabbitmq_broker.state == "RUNNING"
"""


def test_a_clean_slate_for_each_test_and_a_report_with_the_log(
    project: Project,
    testbed: Testbed,
    rabbitmq_broker: MqBroker,
    activemq_broker: MqBroker,
) -> None:
    project.write(SLATES)
    status, output = project.pytest("-rA", TESTBED_STATE=str(testbed.state.folder))
    assert status == 1, output
    assert "1 failed, 6 passed" in output, output
    [failure] = re.findall(r"-+ log of rabbitmq_broker -+\n(.*?)\n[=_]{5,}", output, re.DOTALL)
    assert "accepting AMQP connection" in failure
    hosts = set(re.findall(r"^vhost (\S+)", output, re.MULTILINE))
    assert len(hosts) == 2
    console = Console(rabbitmq_broker.address("management"))
    assert hosts.isdisjoint(host["name"] for host in console.get("/api/vhosts"))
    [prefix] = re.findall(r"^prefix (\S+)", output, re.MULTILINE)
    mbeans = "org.apache.activemq:type=Broker,brokerName=*,destinationType=*,destinationName=*"
    names = Console(activemq_broker.address("console")).jolokia(
        type="read", mbean=mbeans, attribute="Name"
    )
    assert prefix not in str(names)


MARKED = """
import pytest

three = pytest.mark.amazonmq(
    "RabbitMQ", version="4.2", users={"alice": "correct-horse-1"},
    configuration="consumer_timeout = 120000",
)


@three
def test_one(amazonmq_broker):
    answer = amazonmq_broker.describe()
    assert answer["EngineVersion"].startswith("4.2")
    assert answer["Configurations"]["Current"]["Revision"] == 2
    assert amazonmq_broker.username == "alice"
    print("id", amazonmq_broker.broker_id)


@three
def test_another(amazonmq_broker):
    print("id", amazonmq_broker.broker_id)


def test_without(amazonmq_broker):
    pass


@pytest.mark.amazonmq("kafka")
def test_unknown(amazonmq_broker):
    pass
"""


def test_a_mark_describes_a_broker_that_its_tests_share(
    project: Project, testbed: Testbed, rabbitmq_broker: MqBroker
) -> None:
    project.write(MARKED)
    arguments = ("-rA", "--strict-markers")
    status, output = project.pytest(*arguments, TESTBED_STATE=str(testbed.state.folder))
    assert status == 1, output
    assert "2 passed, 2 errors" in output, output
    first, second = re.findall(r"^id (\S+)", output, re.MULTILINE)
    assert first == second != rabbitmq_broker.broker_id
    assert "amazonmq_broker needs the mark amazonmq(engine, *, version" in output
    assert "Unknown engine 'kafka'" in output
    assert first not in testbed.brokers.ids(), "it is deleted with the session"


WORKERS = """
import os, time


def test_mine(testbed, kms_key):
    print("folder", testbed.state.folder)
    time.sleep(float(os.environ.get("MINE", 0)))
"""


def workers(project: Project) -> list[str]:
    """Write a test for each of two workers, and return pytest's options."""
    for name in ("a", "b"):
        (project.folder / f"test_{name}.py").write_text(WORKERS)
    basetemp = f"--basetemp={project.folder / 'basetemp'}"
    return ["-rA", "-n", "2", "--dist", "loadfile", basetemp]


def test_workers_share_one_testbed_and_nothing_is_left(project: Project) -> None:
    status, output = project.pytest(*workers(project))
    assert status == 0, output
    folders = re.findall(r"^folder (\S+)", output, re.MULTILINE)
    assert len(folders) == 2
    assert len(set(folders)) == 1
    project.wait_until_nothing_is_left()


@pytest.mark.nightly("workers with a testbed each, and workers that are killed")
def test_workers_have_a_testbed_each_on_request(project: Project) -> None:
    status, output = project.pytest(*workers(project), "-o", "testbed_per_worker=true")
    assert status == 0, output
    assert len(set(re.findall(r"^folder (\S+)", output, re.MULTILINE))) == 2
    project.wait_until_nothing_is_left()


@pytest.mark.nightly("workers with a testbed each, and workers that are killed")
def test_nothing_is_left_of_workers_that_are_killed(project: Project) -> None:
    process = project.start_pytest(*workers(project), MINE="600")
    end = time.monotonic() + 240
    while not any(project.left()["containers"]):
        assert time.monotonic() < end
        assert process.poll() is None
        project.note()
        time.sleep(0.3)
    project.note()
    for worker in psutil.Process(process.pid).children(recursive=True):
        if "xdist" in " ".join(worker.cmdline()) or "execnet" in " ".join(worker.cmdline()):
            worker.kill()
    process.kill()
    process.communicate(timeout=60)
    project.wait_until_nothing_is_left()


def test_quiet_is_silent(project: Project) -> None:
    project.write("def test_mine(kms_key):\n    pass\n")
    status, output = project.pytest("-q")
    assert (status, "testbed:" in output) == (0, False), output
    project.wait_until_nothing_is_left()
