"""A process that makes load: it gets one job for each round over a pipe, and reports its part.

Workers share the machine's cores with the broker. Between rounds they wait, so that a round starts
at once.
"""

import logging
import select
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from testbed.bench.host import inside
from testbed.bench.load import make_generator
from testbed.bench.load.accounting import Outstanding, Sent
from testbed.bench.load.base import Generator, Shape
from testbed.bench.load.roles import (
    Consumer,
    Measured,
    Producer,
    Relay,
    Requester,
    Role,
    Visitor,
    Window,
)
from testbed.bench.statistics import Latencies
from testbed.bench.target import Target
from testbed.clients.base import Destination
from testbed.errors import TestbedError
from testbed.history import Event

_LONGEST_WAIT = 0.05  # seconds without a look at the clock
PAUSE = 0.1  # of a turn, before the next one: for what is still in flight
CONFIRMED, RECEIVED, CONNECTED = range(3)  # indexes of a worker's shared counters


Span = tuple[int, int]


@dataclass(frozen=True)
class Times:
    """When one side of a round works: spans of ns, in order. The ``warm`` ones do not count."""

    warm: tuple[Span, ...]
    measured: tuple[Span, ...]

    def shifted(self, offset: int) -> "Times":
        """Return the same times, ``offset`` ns later."""

        def shift(spans: tuple[Span, ...]) -> tuple[Span, ...]:
            return tuple((offset + begin, offset + end) for begin, end in spans)

        return Times(shift(self.warm), shift(self.measured))


@dataclass(frozen=True)
class Assignment:
    """One connection's work. ``reply_to`` is where a relay answers and a requester listens."""

    producer: int
    destination: Destination
    reply_to: Destination | None = None


@dataclass(frozen=True)
class Job:
    """One worker's work in a round. ``role`` is produce, consume, relay, request or visit.

    ``rate`` is messages (or visits) a second of each connection, 0 for as many as the window
    allows. ``patience`` is in seconds, see ``Role.finish``. ``handicap`` is the planted defect of a
    control: the share of time that the producers waste.
    """

    role: str
    generator: str
    target: Target
    assignments: tuple[Assignment, ...]
    run: int
    shape: Shape
    window: int = 1
    rate: float = 0.0
    patience: float = 15.0
    handicap: float = 0.0


@dataclass(frozen=True)
class Part:
    """What one worker measured.

    Counts, encoded histograms and processor seconds are of the measuring time alone; ``sent``,
    ``tallies`` (packed) and ``samples`` (by connection) are of the whole round. ``worked`` is how
    many seconds the measured turns of a side that takes turns took, each until what it had begun
    was answered; 0 for whole rounds.
    """

    role: str
    confirmed: int = 0
    received: int = 0
    connected: int = 0
    delay: str = ""
    confirmation: str = ""
    end_to_end: str = ""
    cpu: float = 0.0
    kms_calls: int = 0
    sent: tuple[Sent, ...] = ()
    tallies: tuple[dict[int, bytes], ...] = ()
    samples: tuple[tuple[Event, ...], ...] = field(default=(), repr=False)
    error: str = ""
    worked: float = 0.0

    @classmethod
    def of(cls, role: str, measured: Measured, cpu: float, kms_calls: int = 0) -> "Part":
        """Return the part of the measuring time."""
        return cls(
            role,
            measured.confirmed,
            measured.received,
            measured.connected,
            measured.delay.encoded(),
            measured.confirmation.encoded(),
            measured.end_to_end.encoded(),
            cpu,
            kms_calls,
        )


def main(pipe: Connection, counters: Any) -> None:
    """Work until the pipe says None or closes."""
    logging.getLogger().addHandler(logging.NullHandler())  # no client library's warnings
    with suppress(EOFError, OSError, KeyboardInterrupt):  # nobody is there to report to
        while (job := pipe.recv()) is not None:
            pipe.send(_perform(job, pipe, counters))


def _perform(job: Job, pipe: Connection, counters: Any) -> Part:
    measured = Measured()
    roles: list[Role] = []
    done = False
    try:
        with inside(job.target.namespace):
            for assignment in job.assignments:
                roles += _open(job, assignment, measured)
        pipe.send("ready")
        times = pipe.recv()
        part = _Round(job, roles, measured, times, pipe=pipe, counters=counters).drive()
        done = True
    except TestbedError as error:
        return Part(job.role, error=f"{job.role}: {error.message}")
    except Exception as error:  # noqa: BLE001 - it is reported to the process that waits
        return Part(job.role, error=f"{job.role}: {type(error).__name__}: {error}")
    else:
        return part
    finally:
        for role in roles:
            # After an error the queues stay: deleting them would bury it under others' errors.
            role.close(delete=done and job.role in ("consume", "relay", "request"))


def _open(job: Job, assignment: Assignment, measured: Measured) -> list[Role]:
    generator = make_generator(job.generator, job.target)
    if job.role == "visit":
        visit = partial(_visit, generator, job.target.namespace)
        return [Visitor(visit, job.rate, measured)]
    if job.role == "consume":
        receiver = generator.receiver(assignment.destination, job.shape)
        return [Consumer(receiver, job.run, measured)]
    producer = assignment.producer
    window = Window.of(job.window, job.shape.size, job.shape.transaction)
    destination = assignment.reply_to if job.role == "relay" else assignment.destination
    assert destination is not None
    outstanding = Outstanding(measured.confirmation if job.role != "relay" else Latencies())
    sender = generator.sender(
        destination, job.shape, run=job.run, producer=producer, outstanding=outstanding
    )
    if job.role == "produce":
        return [Producer(sender, producer, window, job.rate, measured)]
    if job.role == "relay":
        receiver = generator.receiver(assignment.destination, job.shape)
        return [Relay(receiver, sender, producer, job.run, measured)]
    assert assignment.reply_to is not None
    replies = Consumer(generator.receiver(assignment.reply_to, job.shape), job.run, measured)
    return [replies, Requester(sender, replies, producer, window, rate=job.rate, measured=measured)]


def _visit(generator: Generator, namespace: str) -> None:
    with inside(namespace):
        generator.visit()


class _Round:
    """One round of a job. ``times`` are of the monotonic clock: all processes share it."""

    def __init__(
        self,
        job: Job,
        roles: Sequence[Role],
        measured: Measured,
        times: Times,
        *,
        pipe: Connection,
        counters: Any,
    ) -> None:
        self._job, self._roles, self._measured, self._times = job, roles, measured, times
        self._pipe, self._counters = pipe, counters
        # By Sender or Receiver; ``select`` returns pipes too.
        self._sockets: dict[Any, Role] = {socket: role for role in roles for socket in role.sockets}
        self._warm_up = Measured()  # counts alone, so that the shared counters never go back

    def drive(self) -> Part:
        """Work from the start to the account."""
        begin = self._times.warm[0][0]
        _sleep_until(begin)
        for role in self._roles:
            role.start(begin)
        for turn in self._times.warm:
            self._turn(*turn)
        self._idle_until(self._times.measured[0][0])
        measured = self._measured
        self._warm_up = Measured(measured.confirmed, measured.received, measured.connected)
        measured.clear()
        cpu, calls = time.process_time(), self._kms_calls()
        turns = self._times.measured
        worked = sum(self._turn(*turn, settle=len(turns) > 1) for turn in turns)
        if len(turns) > 1:
            begin, end = turns[-1]
            self._idle_until(end + int(PAUSE * (end - begin)))  # as after each turn before it
        cpu, calls = time.process_time() - cpu, self._kms_calls() - calls
        part = Part.of(self._job.role, measured, cpu, calls)
        if self._job.role in ("produce", "request"):
            for role in self._roles:
                if isinstance(role, Producer):
                    role.finish(self._job.patience)
            self._publish()
        if self._job.role != "visit":
            self._pipe.send("sent")
            self._receive_until_told()
        for role in self._roles:
            role.finish(self._job.patience)
        consumers = [role for role in self._roles if isinstance(role, Consumer)]
        return replace(
            part,
            worked=worked / 1e9 if len(turns) > 1 else 0.0,
            sent=tuple(sent for role in self._roles for sent in role.sent()),
            tallies=tuple(consumer.tally.packed() for consumer in consumers),
            samples=tuple(tuple(role.sample(self._job.run)) for role in self._roles),
        )

    def _kms_calls(self) -> int:
        return sum(socket.kms_calls for socket in self._sockets)

    def _turn(self, begin: int, end: int, *, settle: bool = False) -> int:
        """Work for a turn. Returns the ns that it took.

        With ``settle`` that is until everything is answered: what a turn has begun counts, so the
        time that it took has to count, too. Of few messages a turn it is a good part.
        """
        self._idle_until(begin)
        begun = time.monotonic_ns()
        while (now := time.monotonic_ns()) < end:
            wake = min((at for role in self._roles if (at := role.step(now))), default=end)
            self._wait((min(end, wake) - time.monotonic_ns()) / 1e9)
            self._waste(now)
        latest = time.monotonic_ns() + int(self._job.patience * 1e9)
        while settle and any(role.waiting for role in self._roles):
            if time.monotonic_ns() > latest:
                break  # the account will say what was not answered
            self._wait(_LONGEST_WAIT)
        return time.monotonic_ns() - begun

    def _idle_until(self, deadline: int) -> None:
        """Only take the answers to what is in flight; they count for the turn that sent it."""
        while (left := deadline - time.monotonic_ns()) > 0:
            self._wait(left / 1e9)

    def _receive_until_told(self) -> None:
        """Only take what arrives, until the pipe says that everything is there."""
        while not self._pipe.poll():
            self._wait(_LONGEST_WAIT, self._pipe)
        self._pipe.recv()

    def _wait(self, seconds: float, *others: Connection) -> None:
        seconds = max(0.0, min(seconds, _LONGEST_WAIT))
        ready, _, _ = select.select([*self._sockets, *others], [], [], seconds)
        # Nothing ready: everyone polls, which acknowledges the rest.
        polled = dict.fromkeys(self._sockets[socket] for socket in ready if socket not in others)
        for role in polled if ready else self._roles:
            role.poll()
        self._publish()

    def _waste(self, since: int) -> None:
        """Plant the defect: spin for a share of the time that has passed."""
        if self._job.handicap:
            now = time.monotonic_ns()
            until = now + int((now - since) * self._job.handicap / (1 - self._job.handicap))
            while time.monotonic_ns() < until:
                pass

    def _publish(self) -> None:
        """Share the counts so far, for the display of progress."""
        measured, warm_up, counters = self._measured, self._warm_up, self._counters
        counters[CONFIRMED] = warm_up.confirmed + measured.confirmed
        counters[RECEIVED] = warm_up.received + measured.received
        counters[CONNECTED] = warm_up.connected + measured.connected


def _sleep_until(deadline: int) -> None:
    while (left := deadline - time.monotonic_ns()) > 0:
        time.sleep(left / 1e9)
