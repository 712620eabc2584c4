"""Load from several machines: a Locust file whose users are the benchmark's own lanes. Locust is an extra dependency.

    TESTBED_AIM=aim.json locust -f .../testbed/bench/scale.py --worker --master-host HOST

`testbed bench scale` writes the aim, starts the master and workers on this machine, and says how more join (see ``swarm``).
Locust spreads the users, begins and ends the run. What is measured and counted is ours, as in ``worker``: each worker sends
the master its part, and the master puts all parts beside the aim.
"""

import itertools
import json
import os
import random
import select
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import gevent.event
from locust import User, events, task
from locust.exception import StopUser
from locust.runners import MasterRunner

from testbed.bench.accounting import Sent
from testbed.bench.aim import read
from testbed.bench.generators import make
from testbed.bench.generators.base import Arrival
from testbed.bench.lanes import Consumer, Measured, Producer, Visitor
from testbed.bench.latencies import Latencies
from testbed.bench.outstanding import Outstanding
from testbed.bench.pacing import Window
from testbed.bench.parts import packed
from testbed.bench.rounds import plan
from testbed.bench.worker import Part
from testbed.errors import TestbedError

_PATH = Path(os.environ["TESTBED_AIM"])
_AIM = read(_PATH)
_PLAN = plan(_AIM.workload, _AIM.driver, _AIM.target, run=_AIM.run)
_JOBS = {job.role: job for job in _PLAN.jobs}
_LANES = {role: sum(len(job.lanes) for job in _PLAN.jobs if job.role == role) for role in _JOBS}
# Seconds: without a look at the clock; of one Locust task; until everyone is there; without a message at the end.
_WAIT, _TASK, _READY_WITHIN, _QUIET = 0.05, 0.25, 60.0, 5.0
_PART, _SUBSCRIBED, _BEGIN = (
    "testbed-part",
    "testbed-subscribed",
    "testbed-begin",
)  # messages between master and workers
# A producer's number: 16 bits for its machine, then these for its worker and for itself.
_WORKERS, _LANES_EACH = 64, 1024


def _machine() -> int:
    """16 bits that tell this machine from others: times of different machines' clocks are not compared."""
    try:
        return zlib.crc32(Path("/proc/sys/kernel/random/boot_id").read_bytes()) & 0xFFFF
    except OSError:
        return random.getrandbits(16)


_MACHINE = _machine()


class _Told(Latencies):
    """Times that Locust hears of too, for its own statistics."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def add(self, nanoseconds: int, count: int = 1) -> None:
        super().add(nanoseconds, count)
        about = {
            "request_type": self._kind,
            "name": _AIM.workload.name,
            "response_length": _AIM.workload.size,
            "exception": None,
            "context": {},
        }
        for _ in range(count):
            events.request.fire(response_time=nanoseconds / 1e6, **about)


class _Here:
    """What the users of this worker measured, and what they sent and received in all."""

    def __init__(self) -> None:
        self.begun = gevent.event.Event()
        self.numbers = itertools.count()
        self.sent: list[Sent] = []
        self.tallies: list[dict[int, bytes]] = []
        self.measured = {
            role: Measured(confirmation=_Told(role), end_to_end=_Told(role)) for role in _JOBS
        }
        self._parts: list[Part] = []

    def measure(self) -> None:
        """The run, from the word to begin."""
        self.begun.set()
        gevent.sleep(_AIM.workload.warm_up)
        for each in self.measured.values():
            each.clear()
        cpu = time.process_time()
        gevent.sleep(_AIM.workload.duration)
        cpu = time.process_time() - cpu
        for role, each in self.measured.items():
            times = {
                name: getattr(each, name).encoded()
                for name in ("delay", "confirmation", "end_to_end")
            }
            # The process is one, whatever its users do: its processor time is in its first part.
            self._parts.append(
                Part(
                    role,
                    each.confirmed,
                    each.received,
                    each.connected,
                    **times,
                    cpu=0.0 if self._parts else cpu,
                )
            )

    def parts(self) -> list[Part]:
        """When all users have stopped; none where the run did not come to its end."""
        account = {
            "produce": {"sent": tuple(self.sent)},
            "consume": {"tallies": tuple(self.tallies)},
        }
        return [replace(part, **account.get(part.role, {})) for part in self._parts]  # type: ignore[arg-type]


_here = _Here()


class _LaneUser(User):
    """One lane. Its connection is made when it starts; what it sent or received counts when it stops."""

    abstract = True
    lane: Any = None

    @task
    def drive(self) -> None:
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
        wake = self.lane.step(time.monotonic_ns())
        seconds = max(0.0, min((wake - time.monotonic_ns()) / 1e9 if wake else _WAIT, _WAIT))
        if self.lane.sockets:
            select.select(self.lane.sockets, [], [], seconds)  # gevent's: others go on
            self.lane.poll()
        else:
            gevent.sleep(seconds)


class ProducerUser(_LaneUser):
    fixed_count = _LANES.get("produce", 0)
    abstract = not fixed_count

    def on_start(self) -> None:
        job, measured = _JOBS["produce"], _here.measured["produce"]
        worker, lane = self.environment.runner.worker_index, next(_here.numbers)
        if worker >= _WORKERS or lane >= _LANES_EACH:
            raise TestbedError(
                f"A load has {_WORKERS} workers at most, each with {_LANES_EACH} producing connections."
            )
        number = _MACHINE << 16 | worker * _LANES_EACH + lane
        sender = make(job.generator, job.target).sender(
            job.lanes[0].destination, job.shape, job.run, number, Outstanding(measured.confirmation)
        )
        self.lane = Producer(
            sender,
            number,
            Window.of(job.window, job.shape.size, job.shape.transaction),
            job.rate,
            measured,
        )
        _here.begun.wait()
        self.lane.start(time.monotonic_ns())

    def on_stop(self) -> None:
        self.lane.finish(_JOBS["produce"].patience)
        _here.sent += self.lane.sent()
        self.lane.close(delete=False)


class _LocalConsumer(Consumer):
    """Receives from everywhere, and times what this machine sent."""

    def _time(self, arrived: list[Arrival], now: int) -> None:
        super()._time([each for each in arrived if each[1] >> 16 == _MACHINE], now)


class ConsumerUser(_LaneUser):
    fixed_count = _LANES.get("consume", 0)
    abstract = not fixed_count

    def on_start(self) -> None:
        job = _JOBS["consume"]
        receiver = make(job.generator, job.target).receiver(job.lanes[0].destination, job.shape)
        self.lane = _LocalConsumer(receiver, job.run, _here.measured["consume"])
        self.lane.start(time.monotonic_ns())
        self.environment.runner.send_message(_SUBSCRIBED)

    def on_stop(self) -> None:
        """Take what is still coming."""
        heard, before = time.monotonic(), -1
        while time.monotonic() - heard < _QUIET:
            select.select(self.lane.sockets, [], [], _WAIT)
            self.lane.poll()
            if self.lane.total > before:
                heard, before = time.monotonic(), self.lane.total
        self.lane.finish(0)
        _here.tallies.append(self.lane.tally.packed())
        self.lane.close(delete=False)


class VisitorUser(_LaneUser):
    fixed_count = _LANES.get("visit", 0)
    abstract = not fixed_count

    def on_start(self) -> None:
        job = _JOBS["visit"]
        self.lane = Visitor(
            make(job.generator, job.target).visit, job.rate, _here.measured["visit"]
        )
        _here.begun.wait()
        self.lane.start(time.monotonic_ns())


class _Direction:
    """The master's part: the word to begin when everyone has subscribed, the end, and the parts of all workers."""

    def __init__(self, runner: MasterRunner) -> None:
        self._runner, self._spawned, self._subscribed = runner, False, 0
        self._reports: list[list[dict[str, Any]]] = []
        runner.register_message(_SUBSCRIBED, self._hear)
        runner.register_message(_PART, lambda environment, msg, **_: self._reports.append(msg.data))
        events.spawning_complete.add_listener(self._all_spawned)
        # Not Locust's own time limit, which ends the workers before their users have taken what is still coming.
        events.test_start.add_listener(lambda environment, **_: gevent.spawn(self._run))

    def _hear(self, **_: Any) -> None:
        self._subscribed += 1

    def _all_spawned(self, **_: Any) -> None:
        self._spawned = True

    def _run(self) -> None:
        ready = self._wait(
            _READY_WITHIN, lambda: self._spawned and self._subscribed >= _LANES.get("consume", 0)
        )
        if ready:
            self._runner.send_message(_BEGIN)
            self._wait(_AIM.workload.warm_up + _AIM.workload.duration + 1.0, lambda: False)
        workers = self._runner.worker_count
        self._runner.stop()
        self._wait(
            _JOBS[next(iter(_JOBS))].patience, lambda: len(self._reports) >= workers, failing=False
        )
        failed = [each["msg"] for each in self._runner.exceptions.values()]
        if not failed and len(self._reports) < workers:
            failed = [f"{workers - len(self._reports)} of {workers} workers did not report"]
        if not failed and not ready:
            failed = [f"not everyone was there within {_READY_WITHIN:g} s"]
        document = {
            "errors": failed,
            "workers": workers,
            "parts": [part for report in self._reports for part in report],
        }
        _PATH.with_suffix(".parts").write_text(json.dumps(document))
        self._runner.quit()

    def _wait(self, seconds: float, done: Any, *, failing: bool = True) -> bool:
        """Until ``done``; False when the time is over, or when a user fails where that ends it."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end or (failing and self._runner.exceptions):
                return False
            gevent.sleep(0.05)
        return True


@events.init.add_listener
def _listen(environment: Any, **_: Any) -> None:
    runner = environment.runner
    if isinstance(runner, MasterRunner):
        environment.direction = _Direction(runner)
        return
    runner.register_message(_BEGIN, lambda **_: gevent.spawn(_here.measure))
    events.test_stop.add_listener(
        lambda environment, **_: runner.send_message(
            _PART, [packed(part) for part in _here.parts()]
        )
    )
