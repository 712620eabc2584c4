"""The file that Locust runs: its users are the benchmark's own roles.

    TESTBED_LOAD=load.json locust -f .../locustfile.py --worker --master-host HOST

`testbed bench scale` writes ``load.json`` and starts the master and workers here (see ``run``).
Locust spreads the users, and begins and ends the run. Measuring and counting are ours, as in
``load.worker``: each worker sends the master its parts, and the master writes all of them beside
``load.json``.
"""

import itertools
import os
import select
import time
from collections import Counter
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

from testbed.bench import host
from testbed.bench.distributed.run import LoadSpec, Report, pack, read, unpack
from testbed.bench.load import make_generator
from testbed.bench.load.accounting import Outstanding, Sent
from testbed.bench.load.base import Arrival
from testbed.bench.load.roles import Consumer, Measured, Producer, Role, Visitor, Window
from testbed.bench.load.worker import Part
from testbed.bench.rounds import plan
from testbed.bench.statistics import Latencies
from testbed.errors import TestbedError

# Seconds: between looks at the clock; of one Locust task; until everyone is ready; without a
# message before a consumer stops.
_WAIT, _TASK, _READY_WITHIN, _QUIET = 0.05, 0.25, 60.0, 5.0
# Messages between master and workers.
_PARTS, _SUBSCRIBED, _BEGIN = "testbed-parts", "testbed-subscribed", "testbed-begin"
# A producer's number: 16 bits for its machine, then these for its worker and for itself.
_MACHINE, _WORKERS, _PRODUCERS_EACH = host.machine_number(), 64, 1024


class Load:
    """The distributed load, as the master and all workers know it."""

    def __init__(self, path: Path) -> None:
        self.path, self.spec = path, read(path)
        jobs = plan(self.spec.workload, self.spec.driver, self.spec.target, run=self.spec.run).jobs
        self.jobs = {job.role: job for job in jobs}
        self.connections: Counter[str] = Counter()
        for job in jobs:
            self.connections[job.role] += len(job.assignments)


class WorkerLoad(Load):
    """What the users of this worker measured, sent and received."""

    def __init__(self, path: Path, runner: WorkerRunner) -> None:
        super().__init__(path)
        self.runner = runner
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
        events.test_stop.add_listener(self._report)

    def producer(self) -> int:
        """Return a number, unique among all machines. Raises ``TestbedError`` at the limit."""
        worker, number = self.runner.worker_index, next(self._numbers)
        if worker >= _WORKERS or number >= _PRODUCERS_EACH:
            limit = f"{_WORKERS} workers with {_PRODUCERS_EACH} producing connections each"
            raise TestbedError(f"A load has at most {limit}.")
        return _MACHINE << 16 | worker * _PRODUCERS_EACH + number

    def measure(self) -> None:
        """Measure the run, from the master's signal on."""
        self.begun.set()
        gevent.sleep(self.spec.workload.warm_up)
        for measured in self.measured.values():
            measured.clear()
        cpu = time.process_time()
        gevent.sleep(self.spec.workload.duration)
        cpu = time.process_time() - cpu
        self._parts = [Part.of(role, of_role, 0.0) for role, of_role in self.measured.items()]
        # The processor time is that of one process, whatever the roles of its users.
        self._parts[0] = replace(self._parts[0], cpu=cpu)

    def _report(self, **_: Any) -> None:
        """Send the parts after all users have stopped; none if the run did not end."""
        of_role: dict[str, dict[str, Any]] = {
            "produce": {"sent": tuple(self.sent)},
            "consume": {"tallies": tuple(self.tallies)},
        }
        parts = [pack(replace(part, **of_role.get(part.role, {}))) for part in self._parts]
        self.runner.send_message(_PARTS, {"parts": parts})


class _ReportedLatencies(Latencies):
    """Latencies that are reported to Locust as well, for its statistics."""

    def __init__(self, role: str, spec: LoadSpec) -> None:
        super().__init__()
        self._role, self._workload = role, spec.workload

    def add(self, nanoseconds: int, count: int = 1) -> None:
        super().add(nanoseconds, count)
        for _ in range(count):
            events.request.fire(
                request_type=self._role,
                name=self._workload.name,
                response_time=nanoseconds / 1e6,
                response_length=self._workload.size,
                exception=None,
                context={},
            )


class RoleUser(User):
    """One connection. It opens when the user starts; what it sent counts when the user stops."""

    abstract = True
    load: ClassVar[WorkerLoad]
    role_name = ""
    role: Role

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.job = self.load.jobs[self.role_name]
        self.measured = self.load.measured[self.role_name]
        self.generator = make_generator(self.job.generator, self.job.target)

    @task
    def drive(self) -> None:
        """Drive the role for a while."""
        end = time.monotonic() + _TASK
        try:
            while time.monotonic() < end:
                wake = self.role.step(time.monotonic_ns())
                left = (wake - time.monotonic_ns()) / 1e9 if wake else _WAIT
                self._wait(max(0.0, min(left, _WAIT)))
        except TestbedError as error:
            self.environment.events.user_error.fire(
                user_instance=self, exception=error, tb=error.__traceback__
            )
            raise StopUser from error

    def _wait(self, seconds: float) -> None:
        if not self.role.sockets:
            gevent.sleep(seconds)
            return
        select.select(self.role.sockets, [], [], seconds)  # gevent's: other users go on
        self.role.poll()


class ProducerUser(RoleUser):
    """A producer."""

    role_name = "produce"

    def on_start(self) -> None:
        job, number = self.job, self.load.producer()
        sender = self.generator.sender(
            job.assignments[0].destination,
            job.shape,
            run=job.run,
            producer=number,
            outstanding=Outstanding(self.measured.confirmation),
        )
        window = Window.of(job.window, job.shape.size, job.shape.transaction)
        self.role = Producer(sender, number, window, job.rate, self.measured)
        self.load.begun.wait()
        self.role.start(time.monotonic_ns())

    def on_stop(self) -> None:
        self.role.finish(self.job.patience)
        self.load.sent += self.role.sent()
        self.role.close(delete=False)


class _LocalConsumer(Consumer):
    """Receives from all machines, and times what this one sent."""

    def time(self, arrived: list[Arrival], now: int) -> None:
        super().time([arrival for arrival in arrived if arrival[1] >> 16 == _MACHINE], now)


class ConsumerUser(RoleUser):
    """A consumer."""

    role_name = "consume"
    role: _LocalConsumer

    def on_start(self) -> None:
        job = self.job
        receiver = self.generator.receiver(job.assignments[0].destination, job.shape)
        self.role = _LocalConsumer(receiver, job.run, self.measured)
        self.role.start(time.monotonic_ns())
        self.load.runner.send_message(_SUBSCRIBED)

    def on_stop(self) -> None:
        """Take what is still arriving."""
        progress, before = time.monotonic(), -1
        while time.monotonic() - progress < _QUIET:
            self._wait(_WAIT)
            if self.role.total > before:
                progress, before = time.monotonic(), self.role.total
        self.role.finish(0)
        self.load.tallies.append(self.role.tally.packed())
        self.role.close(delete=False)


class VisitorUser(RoleUser):
    """A visitor."""

    role_name = "visit"

    def on_start(self) -> None:
        self.role = Visitor(self.generator.visit, self.job.rate, self.measured)
        self.load.begun.wait()
        self.role.start(time.monotonic_ns())


class MasterLoad(Load):
    """Begins the run when everyone has subscribed, ends it, and writes the report."""

    def __init__(self, path: Path, runner: MasterRunner) -> None:
        super().__init__(path)
        self._runner, self._spawned = runner, gevent.event.Event()
        self._subscribed: list[bool] = []
        self._reports: list[list[bytes]] = []
        runner.register_message(_SUBSCRIBED, lambda **_: self._subscribed.append(True))
        runner.register_message(_PARTS, lambda msg, **_: self._reports.append(msg.data["parts"]))
        events.spawning_complete.add_listener(lambda **_: self._spawned.set())
        # Not Locust's own time limit, which ends the workers before their users have taken what is
        # still arriving.
        events.test_start.add_listener(lambda **_: gevent.spawn(self._run))

    def _run(self) -> None:
        consumers, workload = self.connections["consume"], self.spec.workload
        ready = self._wait(
            _READY_WITHIN,
            lambda: self._spawned.is_set() and len(self._subscribed) >= consumers,
        )
        if ready:
            self._runner.send_message(_BEGIN)
            self._wait(workload.warm_up + workload.duration + 1.0, lambda: False)
        workers = self._runner.worker_count
        self._runner.stop()
        patience = next(iter(self.jobs.values())).patience
        self._wait(patience, lambda: len(self._reports) >= workers, failing=False)
        errors = [failure["msg"] for failure in self._runner.exceptions.values()]
        if not errors and len(self._reports) < workers:
            errors = [f"{workers - len(self._reports)} of {workers} workers did not report"]
        if not errors and ready and not all(self._reports):
            errors = ["a worker was stopped before it had measured to the end"]
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
    users = [ProducerUser, ConsumerUser, VisitorUser]
    for user in users:
        user.fixed_count = load.connections[user.role_name]
    environment.user_classes = [user for user in users if user.fixed_count]


events.init.add_listener(join)
