"""A process that makes load: it is given jobs over a pipe, one for each round, and reports what it measured.

Several of them share the machine's cores with the broker; between rounds they wait, so that a round starts at once.
"""

import logging
import select
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from testbed.bench.accounting import Sent
from testbed.bench.generators import make
from testbed.bench.generators.base import Generator, Shape
from testbed.bench.lanes import Consumer, Measured, Producer, Relay, Requester, Visitor
from testbed.bench.latencies import Latencies
from testbed.bench.netns import inside
from testbed.bench.outstanding import Outstanding
from testbed.bench.pacing import Times, Window
from testbed.bench.target import Target
from testbed.clients.base import Destination
from testbed.errors import TestbedError
from testbed.history import Event

_LONGEST_WAIT = 0.05  # seconds without looking at the clock
SENT, CONFIRMED, RECEIVED, CONNECTED = range(4)  # places in a worker's counters


@dataclass(frozen=True)
class Lane:
    """One connection's work. ``reply_to`` is where a relay answers and a requester listens."""

    producer: int
    destination: Destination
    reply_to: Destination | None = None


@dataclass(frozen=True)
class Job:
    """One worker's part of a round. ``role`` is produce, consume, relay, request or visit.

    ``rate`` is messages (or visits) a second of each lane, 0 for as many as the window allows. ``handicap`` is the
    planted defect of a control: the share of time that the producers waste.
    """

    role: str
    generator: str
    target: Target
    lanes: tuple[Lane, ...]
    run: int
    shape: Shape
    window: int = 1
    rate: float = 0.0
    patience: float = 15.0
    handicap: float = 0.0


@dataclass(frozen=True)
class Part:
    """What one worker saw. Counts, histograms and CPU seconds are of the measuring time alone."""

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
    tallies: tuple[Mapping[int, bytes], ...] = ()
    samples: tuple[tuple[Event, ...], ...] = field(default=(), repr=False)  # of each lane
    error: str = ""


def main(pipe: Connection, counters: Any) -> None:
    """Work until the pipe says None or closes."""
    logging.getLogger().addHandler(logging.NullHandler())  # no client library's warnings
    try:
        while (job := pipe.recv()) is not None:
            pipe.send(_perform(job, pipe, counters))
    except (EOFError, OSError, KeyboardInterrupt):
        pass  # whoever gave the work is gone


def _perform(job: Job, pipe: Connection, counters: Any) -> Part:
    measured = Measured()
    lanes: list[Any] = []
    done = False
    try:
        with inside(job.target.namespace):
            for lane in job.lanes:
                lanes += _open(job, lane, measured)
        pipe.send("ready")
        part = _Round(job, lanes, measured, pipe.recv(), pipe, counters).drive()
        done = True
        return part
    except TestbedError as error:
        return Part(job.role, error=f"{job.role}: {error.message}")
    except Exception as error:  # noqa: BLE001 - it has to reach whoever waits for this part
        return Part(job.role, error=f"{job.role}: {type(error).__name__}: {error}")
    finally:
        for lane in lanes:
            # After an error the queues stay: to take them from the others would only bury what went wrong.
            lane.close(delete=done and job.role in ("consume", "relay", "request"))


def _open(job: Job, lane: Lane, measured: Measured) -> list[Any]:
    generator = make(job.generator, job.target)
    if job.role == "visit":
        return [Visitor(partial(_visit, generator, job.target.namespace), job.rate, measured)]
    if job.role == "consume":
        return [Consumer(generator.receiver(lane.destination, job.shape), job.run, measured)]
    window = Window.of(job.window, job.shape.size, job.shape.transaction)
    to = lane.reply_to if job.role == "relay" else lane.destination
    outstanding = Outstanding(measured.confirmation if job.role != "relay" else Latencies())
    assert to is not None
    sender = generator.sender(to, job.shape, job.run, lane.producer, outstanding)
    if job.role == "produce":
        return [Producer(sender, lane.producer, window, job.rate, measured)]
    if job.role == "relay":
        return [
            Relay(
                generator.receiver(lane.destination, job.shape),
                sender,
                lane.producer,
                job.run,
                measured,
            )
        ]
    assert lane.reply_to is not None
    replies = Consumer(generator.receiver(lane.reply_to, job.shape), job.run, measured)
    return [replies, Requester(sender, replies, lane.producer, window, job.rate, measured)]


def _visit(generator: Generator, namespace: str) -> None:
    with inside(namespace):
        generator.visit()


class _Round:
    """From the start to the account. ``times`` are of the monotonic clock, which all processes of a machine share."""

    def __init__(
        self,
        job: Job,
        lanes: list[Any],
        measured: Measured,
        times: Times,
        pipe: Connection,
        counters: Any,
    ) -> None:
        self._job, self._lanes, self._measured, self._times, self._pipe, self._counters = (
            job,
            lanes,
            measured,
            times,
            pipe,
            counters,
        )
        self._sockets = {socket: lane for lane in lanes for socket in lane.sockets}
        self._offset = [0, 0, 0]

    def drive(self) -> Part:
        begin = self._times.warm[0][0]
        _sleep_until(begin)
        for lane in self._lanes:
            lane.start(begin)
        for turn in self._times.warm:
            self._turn(*turn)
        self._rest_until(self._times.measured[0][0])
        before = (self._measured.confirmed, self._measured.received, self._measured.connected)
        self._measured.clear()
        self._offset = list(before)
        cpu, calls = time.process_time(), self._kms_calls()
        for turn in self._times.measured:
            self._turn(*turn)
        part = self._part(time.process_time() - cpu, self._kms_calls() - calls)
        if self._job.role in ("produce", "request"):
            for lane in self._lanes:
                if isinstance(lane, Producer):
                    lane.finish(self._job.patience)
            self._publish()
        if self._job.role != "visit":
            self._pipe.send("sent")
            self._listen()
        for lane in self._lanes:
            lane.finish(self._job.patience)
        return Part(
            **{**part, "sent": tuple(sent for lane in self._lanes for sent in lane.sent())},
            tallies=tuple(
                lane.tally.packed() for lane in self._lanes if isinstance(lane, Consumer)
            ),
            samples=tuple(tuple(lane.sample(self._job.run)) for lane in self._lanes),
        )

    def _kms_calls(self) -> int:
        return sum(socket.kms_calls for socket in self._sockets)

    def _part(self, cpu: float, kms_calls: int) -> dict[str, Any]:
        measured = self._measured
        return {
            "role": self._job.role,
            "confirmed": measured.confirmed,
            "received": measured.received,
            "connected": measured.connected,
            "delay": measured.delay.encoded(),
            "confirmation": measured.confirmation.encoded(),
            "end_to_end": measured.end_to_end.encoded(),
            "cpu": cpu,
            "kms_calls": kms_calls,
        }

    def _rest_until(self, moment: int) -> None:
        """Only settle what is under way. It counts for the turn in which it was sent."""
        while (left := moment - time.monotonic_ns()) > 0:
            self._wait(self._sockets, left / 1e9)

    def _turn(self, begin: int, end: int) -> None:
        """Drive the lanes."""
        self._rest_until(begin)
        while (now := time.monotonic_ns()) < end:
            wake = min((at for lane in self._lanes if (at := lane.step(now))), default=end)
            limit = min(end, wake)
            self._wait(self._sockets, (limit - time.monotonic_ns()) / 1e9)
            self._waste(now)

    def _listen(self) -> None:
        """Only take what arrives, until the pipe says that all is there."""
        while not self._pipe.poll():
            self._wait({**self._sockets, self._pipe: None}, _LONGEST_WAIT)
        self._pipe.recv()

    def _wait(self, sockets: Mapping[Any, Any], seconds: float) -> None:
        ready, _, _ = select.select(list(sockets), [], [], max(0.0, min(seconds, _LONGEST_WAIT)))
        for lane in {
            id(lane): lane for socket in ready if (lane := sockets[socket]) is not None
        }.values():
            lane.poll()
        if not ready:
            for lane in self._lanes:
                lane.poll()  # acknowledge what is left
        self._publish()

    def _waste(self, since: int) -> None:
        """The planted defect: be busy with nothing for a share of the time that has passed."""
        if self._job.handicap:
            now = time.monotonic_ns()
            until = now + int((now - since) * self._job.handicap / (1 - self._job.handicap))
            while time.monotonic_ns() < until:
                pass

    def _publish(self) -> None:
        """What has been done so far, for whoever shows progress."""
        measured, counters = self._measured, self._counters
        counters[CONFIRMED] = self._offset[0] + measured.confirmed
        counters[RECEIVED] = self._offset[1] + measured.received
        counters[CONNECTED] = self._offset[2] + measured.connected


def _sleep_until(moment: int) -> None:
    while (left := moment - time.monotonic_ns()) > 0:
        time.sleep(left / 1e9)
