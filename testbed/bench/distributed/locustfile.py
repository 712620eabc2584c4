"""The file that Locust runs: its users are the benchmark's own roles.

    TESTBED_LOAD=load.json locust -f .../locustfile.py --worker --master-host HOST

`testbed bench scale` writes ``load.json``, starts the master and workers on this machine, and says
how workers on other machines join (see ``run``). Locust spreads the users, and begins and ends the
run. Measuring and counting are ours, as in ``load.worker``: each worker sends the master its parts,
and the master writes all of them beside ``load.json``.
"""

import itertools
import os
import secrets
import select
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import gevent
import gevent.event
from locust import User, events, task
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import MasterRunner, WorkerRunner

from testbed.bench.distributed.spec import LoadSpec, Report, pack, read, unpack
from testbed.bench.load.accounting import Outstanding, Sent
from testbed.bench.load.base import Arrival, Generator, make_generator
from testbed.bench.load.pacing import Window
from testbed.bench.load.roles import Consumer, Measured, Producer, Role, Visitor
from testbed.bench.load.worker import Job, Part
from testbed.bench.rounds import plan
from testbed.bench.statistics import Latencies
from testbed.errors import TestbedError

# Seconds: between looks at the clock; of one Locust task; until everyone is ready; without a
# message before a consumer stops.
_WAIT, _TASK, _READY_WITHIN, _QUIET = 0.05, 0.25, 60.0, 5.0
# Messages between master and workers.
_PARTS, _SUBSCRIBED, _BEGIN = "testbed-parts", "testbed-subscribed", "testbed-begin"
# A producer's number: 16 bits for its machine, then these for its worker and for itself.
_WORKERS, _PRODUCERS_EACH = 64, 1024


class Load:
    """The distributed load, as the master and all workers know it."""

    def __init__(self, path: Path) -> None:
        self.path, self.spec = path, read(path)
        jobs = plan(self.spec.workload, self.spec.driver, self.spec.target, run=self.spec.run).jobs
        self.jobs = {job.role: job for job in jobs}
        self.connections = {
            role: sum(len(job.assignments) for job in jobs if job.role == role)
            for role in self.jobs
        }


class WorkerLoad(Load):
    """What the users of this worker measured, sent and received."""

    def __init__(self, path: Path, runner: WorkerRunner) -> None:
        super().__init__(path)
        self.runner, self.machine = runner, _machine()
        self.begun = gevent.event.Event()
        self.sent: list[Sent] = []
        self.tallies: list[dict[int, bytes]] = []
        self.measured = {
            role: Measured(
                confirmation=_ReportedLatencies(role, self.spec),
                end_to_end=_ReportedLatencies(role, self.spec),
            )
            for role in self.jobs
        }
        self._numbers = itertools.count()
        self._parts: list[Part] = []
        runner.register_message(_BEGIN, lambda **_: gevent.spawn(self.measure))
        events.test_stop.add_listener(
            lambda **_: runner.send_message(
                _PARTS, {"parts": [pack(part) for part in self._complete()]}
            )
        )

    def producer(self) -> int:
        """Return a number for a new producer, unique among all machines.

        Raises ``TestbedError`` when there are too many.
        """
        worker, number = self.runner.worker_index, next(self._numbers)
        if worker >= _WORKERS or number >= _PRODUCERS_EACH:
            raise TestbedError(
                f"A load has at most {_WORKERS} workers, "
                f"each with {_PRODUCERS_EACH} producing connections."
            )
        return self.machine << 16 | worker * _PRODUCERS_EACH + number

    def measure(self) -> None:
        """Measure the run, from the master's signal on."""
        self.begun.set()
        gevent.sleep(self.spec.workload.warm_up)
        for measured in self.measured.values():
            measured.clear()
        cpu = time.process_time()
        gevent.sleep(self.spec.workload.duration)
        cpu = time.process_time() - cpu
        # The processor time is that of one process, whatever the roles of its users.
        first = next(iter(self.measured))
        self._parts = [
            Part.of(role, measured, cpu if role == first else 0.0)
            for role, measured in self.measured.items()
        ]

    def _complete(self) -> list[Part]:
        """Return the parts after all users have stopped; none if the run did not end."""
        return [
            replace(
                part,
                sent=tuple(self.sent) if part.role == "produce" else (),
                tallies=tuple(self.tallies) if part.role == "consume" else (),
            )
            for part in self._parts
        ]


def _machine() -> int:
    """Return 16 bits that identify this machine: clocks of different machines do not agree."""
    try:
        return zlib.crc32(Path("/proc/sys/kernel/random/boot_id").read_bytes()) & 0xFFFF
    except OSError:
        return secrets.randbits(16)


class _ReportedLatencies(Latencies):
    """Latencies that are reported to Locust as well, for its statistics."""

    def __init__(self, role: str, spec: LoadSpec) -> None:
        super().__init__()
        self._request = {
            "request_type": role,
            "name": spec.workload.name,
            "response_length": spec.workload.size,
            "exception": None,
            "context": {},
        }

    def add(self, nanoseconds: int, count: int = 1) -> None:
        super().add(nanoseconds, count)
        for _ in range(count):
            events.request.fire(response_time=nanoseconds / 1e6, **self._request)


class RoleUser(User):
    """One connection. It opens when the user starts; what it sent counts when the user stops."""

    abstract = True
    load: ClassVar[WorkerLoad]
    role_name = ""
    role: Role

    @property
    def job(self) -> Job:
        """The job of the user's role."""
        return self.load.jobs[self.role_name]

    @property
    def measured(self) -> Measured:
        """What the users of this role measured."""
        return self.load.measured[self.role_name]

    def generator(self) -> Generator:
        """Return the load generator."""
        return make_generator(self.job.generator, self.job.target)

    @task
    def drive(self) -> None:
        """Drive the role for a while."""
        try:
            end = time.monotonic() + _TASK
            while time.monotonic() < end:
                self._step()
        except TestbedError as error:
            self.environment.events.user_error.fire(
                user_instance=self, exception=error, tb=error.__traceback__
            )
            raise StopUser from error

    def _step(self) -> None:
        wake = self.role.step(time.monotonic_ns())
        seconds = max(0.0, min((wake - time.monotonic_ns()) / 1e9 if wake else _WAIT, _WAIT))
        if self.role.sockets:
            select.select(self.role.sockets, [], [], seconds)  # gevent's: other users go on
            self.role.poll()
        else:
            gevent.sleep(seconds)


class ProducerUser(RoleUser):
    """A producer."""

    role_name = "produce"

    def on_start(self) -> None:
        job, measured, number = self.job, self.measured, self.load.producer()
        sender = self.generator().sender(
            job.assignments[0].destination,
            job.shape,
            run=job.run,
            producer=number,
            outstanding=Outstanding(measured.confirmation),
        )
        window = Window.of(job.window, job.shape.size, job.shape.transaction)
        self.role = Producer(sender, number, window, job.rate, measured)
        self.load.begun.wait()
        self.role.start(time.monotonic_ns())

    def on_stop(self) -> None:
        self.role.finish(self.job.patience)
        self.load.sent += self.role.sent()
        self.role.close(delete=False)


class _LocalConsumer(Consumer):
    """Receives from all machines, and times what this one sent."""

    machine = 0

    def time(self, arrived: list[Arrival], now: int) -> None:
        super().time([arrival for arrival in arrived if arrival[1] >> 16 == self.machine], now)


class ConsumerUser(RoleUser):
    """A consumer."""

    role_name = "consume"
    role: _LocalConsumer

    def on_start(self) -> None:
        job = self.job
        receiver = self.generator().receiver(job.assignments[0].destination, job.shape)
        self.role = _LocalConsumer(receiver, job.run, self.measured)
        self.role.machine = self.load.machine
        self.role.start(time.monotonic_ns())
        self.load.runner.send_message(_SUBSCRIBED)

    def on_stop(self) -> None:
        """Take what is still arriving."""
        progress, before = time.monotonic(), -1
        while time.monotonic() - progress < _QUIET:
            select.select(self.role.sockets, [], [], _WAIT)
            self.role.poll()
            if self.role.total > before:
                progress, before = time.monotonic(), self.role.total
        self.role.finish(0)
        self.load.tallies.append(self.role.tally.packed())
        self.role.close(delete=False)


class VisitorUser(RoleUser):
    """A visitor."""

    role_name = "visit"

    def on_start(self) -> None:
        self.role = Visitor(self.generator().visit, self.job.rate, self.measured)
        self.load.begun.wait()
        self.role.start(time.monotonic_ns())


class MasterLoad(Load):
    """Begins the run when everyone has subscribed, ends it, and writes the report."""

    def __init__(self, path: Path, runner: MasterRunner) -> None:
        super().__init__(path)
        self._runner, self._spawned, self._subscribed = runner, False, 0
        self._reports: list[list[bytes]] = []
        runner.register_message(_SUBSCRIBED, self._on_subscribed)
        runner.register_message(_PARTS, lambda msg, **_: self._reports.append(msg.data["parts"]))
        events.spawning_complete.add_listener(self._on_spawned)
        # Not Locust's own time limit, which ends the workers before their users have taken what is
        # still arriving.
        events.test_start.add_listener(lambda **_: gevent.spawn(self._run))

    def _on_subscribed(self, **_: Any) -> None:
        self._subscribed += 1

    def _on_spawned(self, **_: Any) -> None:
        self._spawned = True

    def _run(self) -> None:
        consumers, workload = self.connections.get("consume", 0), self.spec.workload
        ready = self._wait(_READY_WITHIN, lambda: self._spawned and self._subscribed >= consumers)
        if ready:
            self._runner.send_message(_BEGIN)
            self._wait(workload.warm_up + workload.duration + 1.0, lambda: False)
        workers = self._runner.worker_count
        self._runner.stop()
        patience = next(iter(self.jobs.values())).patience
        self._wait(patience, lambda: len(self._reports) >= workers, failing=False)
        missing = workers - len(self._reports)
        errors = [failure["msg"] for failure in self._runner.exceptions.values()]
        if not errors and missing > 0:
            errors = [f"{missing} of {workers} workers did not report"]
        if not errors and not ready:
            errors = [f"not everyone was ready within {_READY_WITHIN:g} s"]
        parts = tuple(unpack(part) for report in self._reports for part in report)
        Report(parts, tuple(errors)).write(self.path.with_suffix(".report"))
        self._runner.quit()

    def _wait(self, seconds: float, done: Callable[[], bool], *, failing: bool = True) -> bool:
        """Wait until ``done``; False after ``seconds``, or if ``failing`` and a user failed."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end or (failing and self._runner.exceptions):
                return False
            gevent.sleep(0.05)
        return True


def join(environment: Environment, **_: Any) -> None:
    """Take part in the load of TESTBED_LOAD, as Locust's master or as one of its workers."""
    path, runner = Path(os.environ["TESTBED_LOAD"]), environment.runner
    load: Load
    if isinstance(runner, WorkerRunner):
        load = RoleUser.load = WorkerLoad(path, runner)
    else:
        assert isinstance(runner, MasterRunner), "a load needs --master or --worker"
        load = MasterLoad(path, runner)
    users: list[type[User]] = []
    for user in (ProducerUser, ConsumerUser, VisitorUser):
        user.fixed_count = load.connections.get(user.role_name, 0)
        if user.fixed_count:
            users.append(user)
    environment.user_classes = users


events.init.add_listener(join)
