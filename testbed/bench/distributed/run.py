"""A distributed load, by Locust's master and workers on this machine and on others.

They share a file that says what to do, and each worker reports what it measured. The result is as
any other: shown, compared and written in the same way.
"""

import importlib.util
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from testbed.bench.host import environment
from testbed.bench.load import make_generator
from testbed.bench.load.worker import Part
from testbed.bench.results import Result, Round, Series, Side
from testbed.bench.rounds import Plan, plan, round_of
from testbed.bench.spec import Case, Driver, Workload
from testbed.bench.target import Target, route_of
from testbed.clients.base import Address
from testbed.errors import ClientError, MissingExtra, TestbedError
from testbed.runtime.ports import free

if TYPE_CHECKING:
    from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
_JOIN = (
    "TESTBED_LOAD=load.json locust -f "
    "\"$(python -c 'import testbed.bench.distributed as d; print(*d.__path__)')/locustfile.py\" "
    "--worker --master-host THIS_MACHINE"
)
_JOIN_WITHIN, _STOP_WITHIN = 120, 60  # seconds: for workers to join, and for their users to stop


@dataclass(frozen=True)
class LoadSpec:
    """One distributed load. All machines name their destinations after ``run``.

    Its file has the broker's password: it is readable by its owner only, and a copy on another
    machine has to stay so.
    """

    workload: Workload
    driver: Driver
    target: Target
    run: int

    def write(self, path: Path) -> None:
        """Write everything that a machine needs, the payload and the authorities included.

        ``path`` must not exist.
        """
        address = self.target.address
        file = _File(
            self.workload,
            self.workload.content(),
            self.driver,
            Target(
                self.target.engine_type,
                Address(
                    address.protocol,
                    address.host,
                    address.port,
                    address.username,
                    address.password,
                ),
                self.target.encryption,
                self.target.server_name,
            ),
            address.ca_file.read_text() if address.ca_file else "",
            self.run,
        )
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as output:
            output.write(msgspec.json.encode(file))


@dataclass(frozen=True)
class _File:
    workload: Workload
    payload: bytes
    driver: Driver
    target: Target
    authorities: str
    run: int


def read(path: Path) -> LoadSpec:
    """Read a file, and put its payload and authorities beside it.

    Raises ``TestbedError`` for anything that ``LoadSpec.write`` did not write.
    """
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
        workload, target = file.workload, file.target
        if workload.payload:
            workload = replace(workload, payload=str(_put(path, ".payload", file.payload)))
        if file.authorities:
            ca_file = _put(path, ".pem", file.authorities.encode())
            target = replace(target, address=replace(target.address, ca_file=ca_file))
    except (OSError, msgspec.MsgspecError) as error:
        raise TestbedError(
            f"{path} is not the specification of a distributed load: {error}.",
            hint="`testbed bench scale` writes such a file.",
        ) from error
    return LoadSpec(workload, file.driver, target, file.run)


def _put(path: Path, suffix: str, content: bytes) -> Path:
    """Write a file beside ``path`` atomically: a machine's workers may read one spec at a time."""
    part = path.with_suffix(f"{suffix}.{os.getpid()}")
    part.write_bytes(content)
    return part.replace(path.with_suffix(suffix))


@dataclass(frozen=True)
class Report:
    """What all workers of a load measured. ``errors`` are why it is no result."""

    parts: tuple[Part, ...] = ()
    errors: tuple[str, ...] = ()

    def write(self, path: Path) -> None:
        """Write the report."""
        path.write_bytes(msgspec.json.encode(self))

    @classmethod
    def read(cls, path: Path) -> "Report":
        """Read a report. Raises ``OSError`` if there is none."""
        return msgspec.json.decode(path.read_bytes(), type=cls)


def pack(part: Part) -> bytes:
    """Encode a part, without its samples: their times mean nothing on another machine."""
    return msgspec.json.encode(replace(part, samples=()))


def unpack(encoded: bytes) -> Part:
    """Decode what ``pack`` returned."""
    return msgspec.json.decode(encoded, type=Part)


def run_case(
    testbed: "Testbed | None",
    case: Case,
    command: str,
    *,
    workers: int = 2,
    others: int = 0,
    bind: str = "127.0.0.1",
    remote: Target | None = None,
) -> Result:
    """Run one round of ``case``'s one encryption, on a broker created for it or on ``remote``.

    Raises as ``run_load`` and ``Brokers.create`` do.
    """
    [encryption] = case.encryptions
    # A worker elsewhere is outside of this machine's container networks.
    published = others or case.driver.route == "inside"
    driver = replace(case.driver, route="published") if published else case.driver
    started, begun = datetime.now(UTC), time.monotonic()
    facts = environment()
    with ExitStack() as stack:
        if remote is None:
            assert testbed is not None, "a benchmark needs a testbed or a remote broker"
            # Imported on first use: a worker reads its file with this module and starts no broker.
            from testbed.bench.run import BenchmarkBrokers

            brokers = stack.enter_context(BenchmarkBrokers(testbed, [encryption]))
            [target] = brokers.targets(driver).values()
        else:
            target = remote
        spec = LoadSpec(case.workload, driver, target, secrets.randbits(32))
        measured = run_load(spec, workers=workers, others=others, bind=bind)
    label = target.encryption.label
    side = Side(label, target.encryption, target.running, route_of(target), (measured,))
    software = {**facts, "locust": version("locust"), "workers": str(workers + others)}
    series = Series(case.workload, driver, (side,))
    return Result(started, time.monotonic() - begun, command, software, (series,))


def run_load(
    spec: LoadSpec, *, workers: int = 2, others: int = 0, bind: str = "127.0.0.1"
) -> Round:
    """Run a round by ``workers`` on this machine and ``others`` that join at ``bind``.

    Raises ``ClientError`` when a worker failed or a message was lost, and as ``check`` does.
    """
    check(Case(spec.workload, spec.driver, (spec.target.encryption,)))
    planned = plan(spec.workload, spec.driver, spec.target, run=spec.run)
    with tempfile.TemporaryDirectory(prefix="testbed-load-") as folder:
        path = Path(folder) / "load.json"
        spec.write(path)
        with _shared_queue(planned):
            last_line = _run_locust(spec, planned, path, workers=workers, others=others, bind=bind)
        try:
            report = Report.read(path.with_suffix(".report"))
        except OSError as error:
            raise ClientError(f"Locust failed: {last_line}") from error
    if report.errors:
        raise ClientError(report.errors[0])
    measured = round_of(planned, report.parts, spec.workload.duration)
    if not measured.ok:
        raise ClientError(measured.failure)
    return measured


def check(case: Case) -> None:
    """Raise ``TestbedError`` for a load that cannot be distributed."""
    workload, driver = case.workload, case.driver
    if importlib.util.find_spec("locust") is None:
        raise MissingExtra(
            "Load from several machines needs Locust.", hint="pip install 'amazonmq-testbed[scale]'"
        )
    if workload.pattern == "request-reply" or workload.queues > 1:
        raise TestbedError(
            f"{workload.name} cannot be distributed.",
            hint="One queue, a fan-out, or connections can.",
        )
    if driver.generator != "fast":
        raise TestbedError(
            f"{driver.name} cannot be distributed.",
            hint="Drivers of prepared frames can: rabbitmq, activemq.",
        )
    if any(encryption.payload != "clear" for encryption in case.encryptions):
        raise TestbedError(
            "Encrypted payloads need a KMS key, which is accessible from this machine only."
        )


@contextmanager
def _shared_queue(planned: Plan) -> Iterator[None]:
    """Declare the queue that all workers share, and delete it at the end.

    Not after an error: deleting it would bury the error under others'.
    """
    job = next((job for job in planned.jobs if job.role == "consume"), None)
    destination = job and job.assignments[0].destination

    def open_once(*, delete: bool) -> None:
        if job and destination and destination.kind == "queue":
            generator = make_generator(job.generator, job.target)
            generator.receiver(destination, job.shape).close(delete=delete)

    open_once(delete=False)
    yield
    open_once(delete=True)


def _run_locust(
    spec: LoadSpec, planned: Plan, path: Path, *, workers: int, others: int, bind: str
) -> str:
    """Run this machine's workers, and the master until it ends. Returns its last line."""
    users = sum(len(job.assignments) for job in planned.jobs)
    port = free(1)[0]
    locust = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE)]
    options = {
        "-u": users,
        "-r": min(users, 100),
        "--expect-workers": workers + others,
        "--expect-workers-max-wait": _JOIN_WITHIN,
        "--master-bind-host": bind,
        "--master-bind-port": port,
        "--stop-timeout": _STOP_WITHIN,
    }
    words = [str(word) for option in options.items() for word in option]
    master = [*locust, "--master", "--headless", "--only-summary", *words]
    host = "127.0.0.1" if bind == "*" else bind
    worker = [*locust, "--worker", "--master-host", host, "--master-port", str(port)]
    if others:
        logger.info(
            "waiting for %d more workers: copy %s to their machine, then %s --master-port %d",
            others,
            path,
            _JOIN,
            port,
        )
    environment = {**os.environ, "TESTBED_LOAD": str(path)}
    none = subprocess.DEVNULL
    seconds = spec.workload.warm_up + spec.workload.duration
    started: list[subprocess.Popen[bytes]] = []
    try:
        while len(started) < workers:
            process = subprocess.Popen(
                worker, stdin=none, stdout=none, stderr=none, env=environment
            )
            started.append(process)
        done = subprocess.run(
            master,
            stdin=none,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds + _JOIN_WITHIN + 3 * _STOP_WITHIN,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ClientError("the distributed load did not end in time") from error
    finally:
        for process in started:
            process.kill()  # it has reported
            process.wait()
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"
