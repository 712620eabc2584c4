"""Load from several workers on one machine: the same account, and controls that have to fail."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from testbed.bench import results
from testbed.bench.distributed.run import LoadSpec, check, pack, read, run_load, unpack
from testbed.bench.load import make_generator
from testbed.bench.load.accounting import Sent, Tally
from testbed.bench.load.base import Shape
from testbed.bench.load.worker import Part
from testbed.bench.results import Round, throughput
from testbed.bench.rounds import plan
from testbed.bench.spec import Case, Workload, load_driver, load_workload
from testbed.bench.target import Encryption, Endpoint, Target
from testbed.cli.root import app
from testbed.errors import ClientError, TestbedError
from tests.support.bench_brokers import Broker

RUN = 0xBE9C


def short(name: str, **changes: Any) -> Workload:
    return replace(load_workload(name).shortened(0.5, 2.0, 1), **{"window": 100, **changes})


def scaled(aimed: Target, by: str, work: Workload) -> Round:
    return run_load(
        LoadSpec(work, replace(load_driver(by), connections=1), aimed, RUN),
        workers=2,
    )


# Pure: what is written, and what is refused before anything starts.


def remote_target(folder: Path) -> Target:
    (folder / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    url = "amqps://b-1.mq.us-east-1.amazonaws.com"
    return Endpoint(url, "alice", "not-for-others", folder / "ca.pem").target("amqp")


def test_the_file_is_all_that_another_machine_needs(tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text("an order")
    spec = LoadSpec(
        short("durable-1k", payload=str(tmp_path / "order.json")),
        load_driver("rabbitmq"),
        remote_target(tmp_path),
        RUN,
    )
    file = tmp_path / "load.json"
    spec.write(file)
    assert file.stat().st_mode & 0o777 == 0o600
    folder = tmp_path / "there"
    folder.mkdir()
    copied = folder / "load.json"
    copied.write_text(file.read_text())
    for gone in ("order.json", "ca.pem"):
        (tmp_path / gone).unlink()
    loaded = read(copied)
    assert (loaded.driver, loaded.run, loaded.workload.content()) == (spec.driver, RUN, b"an order")
    assert replace(loaded.workload, payload="") == replace(spec.workload, payload="")
    assert replace(loaded.target, address=spec.target.address) == spec.target
    assert (loaded.target.address.password, loaded.target.address.ca_file) == (
        "not-for-others",
        folder / "load.pem",
    )
    assert "not-for-others" not in repr(loaded)


@pytest.mark.parametrize("text", ["", "{}", '{"workload": {"name": "x", "size": 1}}'])
def test_any_other_file_is_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "load.json"
    file.write_text(text)
    with pytest.raises(TestbedError, match="not the specification of a distributed load"):
        read(file)


def test_a_part_arrives_as_it_was_sent() -> None:
    tally = Tally()
    tally.add(7, 3)
    part = Part(
        "consume", received=1, cpu=0.5, sent=(Sent(7, 4, (1,), (2,)),), tallies=(tally.packed(),)
    )
    assert unpack(pack(part)) == part


@pytest.mark.parametrize(
    ("work", "by", "encryption", "message"),
    [
        ("request-reply", "rabbitmq", "tls", "request-reply cannot be distributed"),
        ("durable-1k", "rabbitmq-pika", "tls", "rabbitmq-pika cannot be distributed"),
        ("durable-1k", "rabbitmq", "tls+envelope", "Encrypted payloads"),
    ],
)
def test_what_cannot_be_distributed_is_one_line_and_starts_nothing(
    work: str, by: str, encryption: str, message: str, tmp_path: Path
) -> None:
    done = CliRunner().invoke(
        app,
        [
            "bench",
            "scale",
            "-w",
            work,
            "-d",
            by,
            "-e",
            encryption,
            "--state",
            str(tmp_path / "state"),
        ],
    )
    assert done.exit_code == 1
    assert message in done.output
    assert not (tmp_path / "state").exists()


def test_without_locust_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TestbedError) as error:
        check(Case(short("durable-1k"), load_driver("rabbitmq"), (Encryption(),)))
    assert "[scale]" in error.value.hint


def test_the_locustfile_can_be_imported() -> None:
    """In a separate process, since Locust patches the standard library at import."""
    script = (
        "import testbed.bench.distributed.locustfile as file; print(file.ProducerUser.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)  # noqa: PLW1510 - asserted
    assert done.stdout.strip() == "ProducerUser", done.stderr


_MASTER = """
import sys
from pathlib import Path
from types import SimpleNamespace
from testbed.bench.distributed import locustfile as file
from testbed.bench.distributed.run import Report, pack
from testbed.bench.load.worker import Part

nothing = lambda *_, **__: None
runner = SimpleNamespace(worker_count=2, exceptions={}, register_message=nothing,
                         send_message=nothing, stop=nothing, quit=nothing)
master = file.MasterLoad(Path(sys.argv[1]), runner)
master._spawned.set()
master._reports = [[pack(Part("visit", connected=5))], []]
master._run()
print(*Report.read(Path(sys.argv[1]).with_suffix(".report")).errors)
"""


def test_a_worker_that_was_stopped_before_its_end_makes_it_no_result(tmp_path: Path) -> None:
    """Nobody accounts for connections: without its part, they would only be fewer."""
    path, work = tmp_path / "load.json", short("connect", warm_up=0.0, duration=0.1)
    LoadSpec(work, load_driver("rabbitmq"), remote_target(tmp_path), 1).write(path)
    command = [sys.executable, "-c", _MASTER, str(path)]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: PLW1510 - asserted
    assert "stopped before it had measured" in done.stdout, done.stderr


# On real brokers, by two workers.


@pytest.mark.containers
@pytest.mark.parametrize(
    ("engine", "name"),
    [("rabbitmq", "durable-1k"), ("activemq", "durable-1k"), ("rabbitmq", "fan-out")],
)
@pytest.mark.nightly("load by several processes; every push has test_load.py")
def test_two_workers_lose_nothing(brokers: dict[str, Broker], engine: str, name: str) -> None:
    """Producers and consumers are of both workers, and the account is one."""
    work = short(name, rate=40.0, producers=2, consumers=2)  # which any machine keeps
    measured = scaled(brokers[engine].target(load_driver(engine)), engine, work)
    assert measured.ok, measured.account
    assert measured.account
    assert measured.account.attempted >= 40 * work.duration
    assert not measured.account.unknown
    assert not measured.account.duplicated
    assert throughput(work, measured) == pytest.approx(40, rel=0.3)
    assert measured.end_to_end.count == pytest.approx(measured.received * measured.seconds, abs=1)
    assert measured.generator_cores > 0


@pytest.mark.nightly("the other workloads")
@pytest.mark.containers
def test_handshakes_of_two_workers_are_counted(brokers: dict[str, Broker]) -> None:
    measured = scaled(
        brokers["rabbitmq"].target(load_driver("rabbitmq")), "rabbitmq", short("connect", rate=20.0)
    )
    assert measured.connected > 0
    assert measured.confirmation.at(50) > 0
    assert measured.account is None
    assert measured.ok


@pytest.mark.nightly("workers that join, or may not log in")
@pytest.mark.containers
def test_a_worker_joins_by_the_printed_line(
    brokers: dict[str, Broker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing but a copy of the load's file."""
    lines: list[str] = []
    joined: list[subprocess.Popen[bytes]] = []

    def join(message: str, *values: object) -> None:
        line = message % values
        lines.append(line)
        path, command = re.findall(r"copy (\S+) to their machine, then (.*)", line)[0]
        (tmp_path / "load.json").write_text(Path(path).read_text())
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        command = command.replace("TESTBED_LOAD", "env TESTBED_LOAD")
        script = f"exec {command.replace('THIS_MACHINE', '127.0.0.1')}"
        joined.append(
            subprocess.Popen(
                ["bash", "-c", script],
                cwd=tmp_path,
                env={**os.environ, "PATH": path},
                stderr=subprocess.DEVNULL,
            )
        )

    work = short("durable-1k", rate=100.0, producers=2, consumers=2)
    monkeypatch.setattr("testbed.bench.distributed.run.logger.info", join)
    spec = LoadSpec(
        work,
        replace(load_driver("rabbitmq"), connections=1),
        brokers["rabbitmq"].target(load_driver("rabbitmq")),
        RUN,
    )
    try:
        assert run_load(spec, workers=1, others=1).ok
    finally:
        for process in joined:
            process.kill()
            process.wait()
    assert len(lines) == 1
    assert (tmp_path / "load.pem").exists()


@contextmanager
def repeating(work_once: Callable[[], object]) -> Iterator[None]:
    """Repeat the work in a thread while the block runs."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.05):
            work_once()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.containers
@pytest.mark.nightly("a stranger who takes messages; every push has test_load.py")
def test_a_stolen_message_makes_it_no_result(brokers: dict[str, Broker]) -> None:
    """The control of the account: a stranger takes messages from the queue during the load."""
    chosen = load_driver("rabbitmq")
    aimed, work = brokers["rabbitmq"].target(chosen), short("durable-1k", rate=200.0)
    queue = plan(work, chosen, aimed, run=RUN).jobs[0].assignments[0].destination
    thief = make_generator("fast", aimed).receiver(queue, Shape(prefetch=5, acknowledge=1))
    try:
        with (
            repeating(thief.poll),
            pytest.raises(ClientError, match="not all messages arrived"),
        ):
            scaled(aimed, "rabbitmq", work)
    finally:
        thief.close(delete=True)


@pytest.mark.nightly("the password on command lines")
@pytest.mark.containers
def test_the_password_is_on_no_command_line_and_in_no_environment(
    brokers: dict[str, Broker],
) -> None:
    chosen = load_driver("rabbitmq")
    target, processes = brokers["rabbitmq"].target(chosen), set()

    def look() -> None:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:
                continue  # it has ended
            if b"locustfile.py" in text:  # the control: the master and both workers were looked at
                processes.add((process.name, target.address.password.encode() in text))

    with repeating(look):
        scaled(target, "rabbitmq", short("durable-1k", rate=50.0))
    assert len(processes) >= 3
    assert not any(exposed for _name, exposed in processes)


@pytest.mark.nightly("workers that join, or may not log in")
@pytest.mark.containers
def test_a_worker_that_may_not_log_in_ends_the_load(brokers: dict[str, Broker]) -> None:
    aimed = brokers["rabbitmq"].target(load_driver("rabbitmq"))
    with pytest.raises(ClientError, match="refused the login"):
        scaled(
            replace(aimed, address=replace(aimed.address, password="not-the-password")),
            "rabbitmq",
            short("connect"),
        )


@pytest.mark.nightly("the command, with separate brokers")
@pytest.mark.containers
def test_the_command_makes_a_result_as_any_other(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    options = [
        "--fresh",
        "--rate",
        "100",
        "--warm-up",
        "0.5",
        "--duration",
        "2",
        "--json",
        str(result),
    ]
    done = CliRunner().invoke(app, ["bench", "scale", *options])
    assert done.exit_code == 0, done.output
    document = results.read(result)
    [series] = document.series
    assert document.environment["workers"] == "2"
    assert series.median(series.sides[0]) == pytest.approx(100, rel=0.3)
