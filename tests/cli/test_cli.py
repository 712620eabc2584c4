"""The `testbed` command as a user runs it: its results, its errors, its end."""

import base64
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import clients
from testbed.clients import Destination
from testbed.daemon import process
from testbed.documented.listeners import LISTENERS
from testbed.scenario import find
from tests.support.broker_node import wait_for
from tests.support.command_line import COMMAND, CommandLine

pytestmark = pytest.mark.containers
PASSWORD = "TESTBED_RABBITMQ_PASSWORD"


@pytest.fixture
def command(tmp_path: Path) -> Iterator[CommandLine]:
    """Return a command line without a testbed; check that none is left afterwards."""
    command = CommandLine(tmp_path)
    yield command
    command.run("down")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """Start a testbed with both engines."""
    command = CommandLine(tmp_path_factory.mktemp("up"))
    done = command.run("up", timeout=600)
    assert done.returncode == 0, done.stderr
    command.first = done.stdout
    yield command
    assert command.run("down").returncode == 0
    command.wait_until_nothing_is_left()


# A testbed that is up


def test_up_prints_where_everything_is(up: CommandLine) -> None:
    text, document = up.first, up.json("endpoints")
    assert document["ca_file"] in text
    assert Path(document["ca_file"]).read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert {broker["name"] for broker in document["brokers"]} == {"rabbitmq", "activemq"}
    for broker in document["brokers"]:
        listeners = LISTENERS[broker["engine"].split()[0]]
        assert [endpoint["documented_port"] for endpoint in broker["endpoints"]] == [
            listener.port for listener in listeners
        ]
        assert all(endpoint["url"] in text for endpoint in broker["endpoints"])
    assert up.run("endpoints").stdout == text


def test_up_again_changes_nothing_and_is_quick(up: CommandLine) -> None:
    before = up.containers.find()
    started = time.monotonic()
    again = up.run("up")
    seconds = time.monotonic() - started
    print(f"{seconds:.1f} s")
    assert (again.returncode, again.stdout, again.stderr) == (0, up.first, ""), (
        "there was nothing to do"
    )
    assert up.containers.find() == before
    assert seconds < 20, "a second or two on an idle machine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--rabbitmq-version", "3.13"), "and has version 4.2, not 3.13"),
        (("--rabbitmq-image", "rabbitmq:4"), "standing in for 4.2, not rabbitmq:4"),
        (("--fixed-ports",), "and has not the documented ports"),
        (("--kms-key-id", "alias/testbed-activemq"), "and is under the key arn:aws:kms:"),
    ],
)
def test_what_is_there_does_not_pass_for_something_else(
    up: CommandLine, arguments: tuple[str, ...], message: str
) -> None:
    before = up.containers.find()
    error, hint = up.error("up", "--engine", "rabbitmq", *arguments)
    assert "The broker rabbitmq exists already" in error
    assert message in error
    assert "without the option" in hint
    assert up.containers.find() == before


def test_status_is_describe_broker_and_what_runs(up: CommandLine) -> None:
    document = up.json("status")
    assert document["kms"]["status"] == "running"
    assert document["folder"] == str(up.state)
    assert {
        broker["EngineType"]: (broker["BrokerState"], broker["nodes"][0]["container"])
        for broker in document["brokers"]
    } == {
        "RABBITMQ": ("RUNNING", "running"),
        "ACTIVEMQ": ("RUNNING", "running"),
    }
    text = up.run("status").stdout
    for broker in document["brokers"]:
        assert broker["nodes"][0]["volume"] in text
        assert broker["EncryptionOptions"]["KmsKeyId"] in text
        assert f"runs {broker['runs']}" in text
    assert "RABBITMQ 4.2.0" in text
    assert "runs 4.0.5, standing in for 4.2" in text


def test_a_broker_reaches_brokers_by_the_names_printed_for_them(up: CommandLine) -> None:
    """A shovel: the name has to lead to the port, and the certificate has to be for it."""
    variables, document = up.json("env"), up.json("endpoints")
    [broker] = [broker for broker in document["brokers"] if broker["name"] == "rabbitmq"]
    urls = {endpoint["documented_port"]: endpoint for endpoint in broker["endpoints"]}
    assert urls[5671]["inside_url"] in up.first
    login = f"{variables['TESTBED_RABBITMQ_USERNAME']}:{variables[PASSWORD]}"
    quorum = {"x-queue-type": "quorum"}
    value: dict[str, object] = {f"{end}-protocol": "amqp091" for end in ("src", "dest")}
    value |= {
        f"{end}-uri": urls[5671]["inside_url"].replace("://", f"://{login}@")
        for end in ("src", "dest")
    }
    value |= {f"{end}-queue": f"shovel-{end}" for end in ("src", "dest")}
    value |= {f"{end}-queue-args": quorum for end in ("src", "dest")}
    sent = urllib.request.Request(
        f"{urls[15671]['url']}/api/parameters/shovel/%2F/printed",
        json.dumps({"value": value}).encode(),
        {
            "Authorization": f"Basic {base64.b64encode(login.encode()).decode()}",
            "Content-Type": "application/json",
        },
        method="PUT",
    )
    context = ssl.create_default_context(cafile=document["ca_file"])
    with urllib.request.urlopen(sent, context=context, timeout=60) as answer:
        assert answer.status in (201, 204)
    with clients.connect(up.rabbitmq()) as client:
        client.publish(Destination.queue("shovel-src"), b"moved")
        client.subscribe(Destination.queue("shovel-dest"))
        message = client.receive(timeout=60)
        assert message is not None
        assert message.body == b"moved"
        message.acknowledge()


def test_env_is_for_the_shell(up: CommandLine) -> None:
    variables = up.json("env")
    script = f'eval "$({COMMAND} env)" && printf %s "${PASSWORD}"'
    shell = subprocess.run(
        ["sh", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "TESTBED_STATE": str(up.state)},
    )
    assert shell.stdout == variables[PASSWORD], shell.stderr
    assert len(variables[PASSWORD]) >= 12
    assert variables["TESTBED_RABBITMQ_AMQPS"].startswith("amqps://localhost:")
    assert not [
        name
        for name, value in variables.items()
        if name != PASSWORD and variables[PASSWORD] in value
    ], "no URL contains it"


def test_endpoints_and_env_are_enough_to_connect_and_a_reboot_keeps_them(up: CommandLine) -> None:
    before = up.rabbitmq()
    with clients.connect(before) as client:
        client.publish(Destination.queue("kept"), b"kept")
    answer = up.json("reboot", "rabbitmq")
    assert (answer["BrokerName"], answer["BrokerState"]) == ("rabbitmq", "RUNNING")
    assert up.rabbitmq() == before
    with clients.connect(before) as client:
        client.subscribe(Destination.queue("kept"))
        message = client.receive(timeout=30)
        assert message is not None
        assert message.body == b"kept"
        message.acknowledge()


def test_logs_are_those_of_the_broker(up: CommandLine) -> None:
    assert "Server startup complete" in up.run("logs", "rabbitmq").stdout
    assert len(up.run("logs", "activemq", "--tail", "2").stdout.splitlines()) == 2
    [text] = up.json("logs", "rabbitmq").values()
    assert "Server startup complete" in text
    assert up.run("logs", "kms").returncode == 0
    assert "no-such" in up.error("logs", "no-such")[0]


def test_a_bigger_testbed_than_asked_for_is_no_error(up: CommandLine) -> None:
    assert up.run("up", "--engine", "activemq").returncode == 0


@pytest.mark.nightly("KMS brought back by the endpoint; every push has test_container.py")
def test_a_killed_kms_is_brought_back_with_its_keys(up: CommandLine) -> None:
    [row] = up.containers.find("kms")
    up.containers.kill(row["id"])
    wait_for("KMS", lambda: up.json("status")["kms"]["status"] == "running")
    assert up.json("reboot", "rabbitmq")["BrokerState"] == "RUNNING"


@pytest.mark.nightly("KMS brought back by the endpoint; every push has test_container.py")
def test_a_killed_kms_is_reported_and_up_brings_it_back(up: CommandLine) -> None:
    assert process.stop(up.state), "or it would bring KMS back"
    [row] = up.containers.find("kms")
    up.containers.kill(row["id"])
    assert up.json("status")["kms"]["status"] == "exited"
    assert up.run("endpoints").returncode == 0, "where clients connect does not depend on it"
    assert "KMS is not running" in up.error("reboot", "rabbitmq")[0]
    assert [broker["nodes"][0]["container"] for broker in up.json("status")["brokers"]] == [
        "running",
        "running",
    ], "it still serves"
    assert up.run("up").returncode == 0
    assert up.json("status")["kms"]["status"] == "running"


@pytest.mark.nightly("a dead node and `up`; every push has test_maintenance.py")
def test_a_node_that_died_is_back_after_up(up: CommandLine) -> None:
    """Either `up` or the maintenance brings it back, whichever is first."""
    [row] = [row for row in up.containers.find() if "broker" in row["role"]][:1]
    up.containers.kill(row["id"])
    before = up.json("endpoints")
    again = up.run("up")
    assert again.returncode == 0
    assert [broker["nodes"][0]["container"] for broker in up.json("status")["brokers"]] == [
        "running",
        "running",
    ]
    assert up.json("endpoints") == before


@pytest.mark.nightly("a fault that was left; every push has its undoing without a container")
def test_a_key_that_keeps_a_node_down_is_no_error_of_up(up: CommandLine) -> None:
    """`up` undoes what a killed command has left; the node waits for its key."""
    [broker] = [each for each in up.json("status")["brokers"] if each["BrokerName"] == "rabbitmq"]
    key = {"KeyId": broker["EncryptionOptions"]["KmsKeyId"]}
    mq, kms = up.client("mq"), up.client("kms")

    def state() -> str:
        return str(mq.describe_broker(BrokerId=broker["BrokerId"])["BrokerState"])

    kms.disable_key(**key)
    try:
        wait_for("it takes effect", lambda: state() == "CRITICAL_ACTION_REQUIRED", 120)
        run = up.start("fault", "run", "kill", "--broker", "rabbitmq", "--for", "10m")
        run.wait_for("Killed")
        assert process.stop(up.state), "or it would undo the fault before `up` does"
        run.end(signal.SIGKILL)
        again = up.run("up")
        assert again.returncode == 0, again.stderr
        assert "is disabled" in again.stderr
        assert "EnableKey" in again.stderr
        assert state() == "CRITICAL_ACTION_REQUIRED"
    finally:
        kms.enable_key(**key)
    wait_for("it runs", lambda: state() == "RUNNING", 120)
    assert up.run("up").returncode == 0


# Without a testbed


def test_images_and_scenarios_are_listed(command: CommandLine) -> None:
    images = command.json("images", "list")
    assert any(image["tag"].startswith("amazonmq-testbed/localstack:") for image in images)
    text = command.run("images", "list").stdout
    assert all(image["tag"] in text for image in images)
    scenarios = command.json("scenario", "list")
    # Throughput alone decides no claim: the page states no cost.
    assert [(row["name"], tuple(row["claims"])) for row in scenarios] == [
        (scenario.name, scenario.claims) for scenario in find()
    ]
    assert not command.state.exists()


def test_down_is_harmless_when_there_is_nothing(command: CommandLine) -> None:
    assert command.json("down") == {"containers": 0, "volumes": 0, "networks": 0}


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("up", "--no-such-option"),
        ("reboot",),
        ("logs", "kms", "--tail", "-1"),
        ("up", "--engine"),
    ],
)
def test_wrong_usage_is_exit_status_2(command: CommandLine, arguments: tuple[str, ...]) -> None:
    done = command.run(*arguments)
    assert done.returncode == 2
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not command.state.exists()


# Impossible requests: an error and a hint of one line each, and nothing left behind


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("up", "--region", "mars-north-1"), "AWS has no Region 'mars-north-1'", "eu-central-1"),
        (("up", "--engine", "kafka"), "Unknown engine 'kafka'", "activemq, rabbitmq"),
        (("up", "--fixed-ports"), "Both engines have port 5671", "--engine"),
        (("status",), "There is no testbed in", "testbed up"),
        (("endpoints",), "There is no testbed in", "testbed up"),
        (("env",), "There is no testbed in", "testbed up"),
        (("logs", "kms"), "There is no testbed in", "testbed up"),
        (("reboot", "rabbitmq"), "There is no testbed in", "testbed up"),
        (("scenario", "run", "no_such", "--fresh"), "There is no scenario 'no_such'", "at_rest"),
        (
            ("demo", "--report", "/proc/report"),
            "Nothing can be written into /proc/report",
            "another folder",
        ),
    ],
)
def test_what_is_wrong_from_the_start_costs_nothing(
    command: CommandLine, arguments: tuple[str, ...], message: str, hint: str
) -> None:
    started = time.monotonic()
    error, helps = command.error(*arguments)
    assert message in error
    assert hint in helps
    assert time.monotonic() - started < 30
    assert not command.state.exists()
    command.wait_until_nothing_is_left()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--rabbitmq-version", "3.7"),
            "Broker engine version [3.7] is invalid for broker engine type [RABBITMQ].",
        ),
        (
            ("--rabbitmq-image", "localhost:1/no/such:image"),
            "not on this engine and could not be pulled",
        ),
        (
            ("--kms-image", "localhost:1/no/such:image"),
            "not on this engine and could not be pulled",
        ),
        (("--kms-key-id", "not a key"), "is not a KMS key id"),
        (("--kms-key-id", "alias/unknown"), "cannot be used"),
    ],
)
def test_an_up_that_fails_leaves_nothing(
    command: CommandLine, arguments: tuple[str, ...], message: str
) -> None:
    error, _ = command.error("up", "--engine", "rabbitmq", *arguments)
    assert message in error
    assert not command.state.exists()
    command.wait_until_nothing_is_left()


def test_a_fixed_port_that_is_taken_is_named(command: CommandLine) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 5671))
        other.listen()
        error, hint = command.error("up", "--engine", "rabbitmq", "--fixed-ports")
    assert "Port 5671 on 127.0.0.1 is in use" in error
    assert "sport = :5671" in hint
    command.wait_until_nothing_is_left()


def test_fixed_ports_are_the_documented_ones(command: CommandLine) -> None:
    answer = json.loads(command.run("up", "--engine", "rabbitmq", "--fixed-ports", "--json").stdout)
    assert {endpoint["url"] for endpoint in answer["brokers"][0]["endpoints"]} >= {
        "amqps://localhost:5671",
        "https://localhost:15671",
    }


@pytest.mark.parametrize(
    "arguments",
    [("up",), ("demo",), ("scenario", "run", "--fresh"), ("images", "build"), ("images", "list")],
)
def test_an_engine_that_does_not_answer_is_not_looked_for_elsewhere(
    command: CommandLine, arguments: tuple[str, ...]
) -> None:
    error, hint = command.error(*arguments, DOCKER_HOST="unix:///nonexistent.sock")
    assert "DOCKER_HOST=unix:///nonexistent.sock" in error
    assert "Unset DOCKER_HOST" in hint
    assert not command.state.exists()


@pytest.mark.nightly("an engine that does not answer; every push has test_engine.py")
@pytest.mark.parametrize("as_json", [True, False])
def test_an_address_without_an_engine_is_reported(command: CommandLine, as_json: bool) -> None:
    """Something else listens at the address."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        host = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        done = command.run(
            "up", *(["--json"] if as_json else []), environment={"DOCKER_HOST": host}
        )
    assert done.returncode == 1
    assert f"error: The container engine at {host} does not answer within 5 s." in done.stderr
    assert "another program listens there" in done.stderr
    assert "Traceback" not in done.stderr
    if as_json:
        assert set(json.loads(done.stdout)) == {"error", "hint"}


def test_a_folder_of_someone_elses_is_left_as_it_is(command: CommandLine) -> None:
    command.state.mkdir()
    (command.state / "letter.txt").write_text("dear")
    mode = command.state.stat().st_mode
    for arguments in (("up",), ("scenario", "run")):
        error, hint = command.error(*arguments)
        assert "was not made by the testbed" in error
        assert "--state" in hint
    assert command.run("down").returncode == 0
    assert [path.name for path in command.state.iterdir()] == ["letter.txt"]
    assert command.state.stat().st_mode == mode


def test_a_file_in_place_of_the_folder_is_reported(command: CommandLine) -> None:
    command.state.write_text("")
    assert "cannot be used" in command.error("up")[0]
    assert command.run("down").returncode == 0
    assert command.state.is_file()


def test_a_broken_state_is_reported_and_down_is_the_way_out(command: CommandLine) -> None:
    assert command.run("up", "--engine", "rabbitmq").returncode == 0
    for name in ("state.sqlite", "state.sqlite-wal"):  # either alone is enough to read it
        (command.state / name).write_bytes(b"no database, but long enough to be taken for one" * 99)
    for arguments in (("up",), ("status",), ("endpoints",), ("reboot", "rabbitmq")):
        error, hint = command.error(*arguments)
        assert "state.sqlite" in error or str(command.state) in error
        assert "testbed down" in hint
    assert command.state.exists()
    assert len(command.containers.find()) == 2, "reading does not disturb what runs"
    assert command.json("down")["containers"] == 2
    assert not command.state.exists()
    command.wait_until_nothing_is_left()


@pytest.fixture
def small_engine() -> Iterator[str]:
    """Start a separate engine that has 300 MiB of disk; return its address."""
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        pytest.skip("needs root and dockerd")
    # Not pytest's folder: the path of a socket has 104 characters at most.
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        yield from _small_engine(Path(folder))


def _small_engine(folder: Path) -> Iterator[str]:
    disk, address = folder / "small", f"unix://{folder}/engine.sock"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", disk], check=True)
    options: list[str | Path] = [
        "--data-root",
        disk / "root",
        "--exec-root",
        folder / "exec",
        "--pidfile",
        folder / "pid",
    ]
    with (folder / "log").open("w") as log:
        # In another network: a second engine would take over the bridge of the first.
        daemon = subprocess.Popen(
            [
                "unshare",
                "--net",
                "dockerd",
                "--host",
                address,
                *options,
                "--bridge",
                "none",
                "--iptables=false",
                "--ip-forward=false",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        end = time.monotonic() + 60
        while not (folder / "log").read_text().count("API listen on"):
            assert daemon.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.1)
        yield address
    finally:
        daemon.terminate()
        daemon.wait(60)
        subprocess.run(["umount", "--lazy", disk], check=True)  # containerd may take a moment more


def test_nothing_is_built_on_a_disk_that_is_nearly_full(
    command: CommandLine, small_engine: str
) -> None:
    error, hint = command.error("up", "--engine", "rabbitmq", DOCKER_HOST=small_engine)
    assert "needs 2048 MiB of free disk" in error
    assert "MiB." in error
    assert "docker system df" in hint
    assert not command.state.exists()
    assert command.json("images", "list", DOCKER_HOST=small_engine) == []
    command.wait_until_nothing_is_left()
