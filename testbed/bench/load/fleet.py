"""Worker processes, started once and given one job each for every round."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Any, Self

from testbed.bench.load.worker import CONFIRMED, CONNECTED, RECEIVED, Job, Part, Times, main
from testbed.errors import ClientError

_START_IN = 0.05  # seconds from the signal to the first message
_READY_WITHIN = 60.0
_REPORT_WITHIN = 30.0
_GRACE = 0.05  # for messages that would arrive twice


@dataclass(frozen=True)
class Progress:
    """What all workers have done so far in a round. ``seconds`` is negative during the warm-up."""

    seconds: float
    confirmed: int
    received: int
    connected: int


class Fleet:
    """As many processes as a round needs; also a context manager that ends them."""

    def __init__(self) -> None:
        # Not forked: a process with threads and open connections cannot be copied safely.
        self._context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []
        self._counters: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(2)
            if process.is_alive():
                process.kill()
                process.join()
        self._pipes, self._processes, self._counters = [], [], []

    def grow(self, count: int) -> None:
        """Start processes until there are ``count``."""
        while len(self._processes) < count:
            ours, theirs = self._context.Pipe()
            counters = self._context.RawArray("Q", 3)
            process = self._context.Process(
                target=main, args=(theirs, counters), name="bench worker", daemon=True
            )
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
            self._counters.append(counters)

    def run(
        self,
        sides: Sequence[Sequence[Job]],
        times: Sequence[Times],
        *,
        copies: int = 1,
        mark: Callable[[int], None] = lambda side: None,
        show: Callable[[Progress], None] = lambda progress: None,
    ) -> list[list[Part]]:
        """Run one round: the jobs of each side, at its times (from 0 on, see ``rounds.in_turns``).

        ``mark`` is called with the side at the begin and at the end of each measured turn. Each
        message is expected ``copies`` times. Raises ``ClientError`` when a worker fails.
        """
        try:
            return self._run(sides, times, copies, mark, show)
        except BaseException:
            self.close()  # whatever the workers are doing, the next round begins with new ones
            raise

    def _run(
        self,
        sides: Sequence[Sequence[Job]],
        times: Sequence[Times],
        copies: int,
        mark: Callable[[int], None],
        show: Callable[[Progress], None],
    ) -> list[list[Part]]:
        jobs = [job for side in sides for job in side]
        self.grow(len(jobs))
        pipes = self._pipes[: len(jobs)]
        for counters in self._counters:
            counters[:] = [0, 0, 0]
        self._distribute(jobs, pipes)
        start = time.monotonic_ns() + int(_START_IN * 1e9)
        shifted = [of_side.shifted(start) for of_side in times]
        own_times = (of_side for side, of_side in zip(sides, shifted, strict=True) for _ in side)
        for pipe, of_job in zip(pipes, own_times, strict=True):
            pipe.send(of_job)
        marks = sorted(
            (instant, side)
            for side, of_side in enumerate(shifted)
            for turn in of_side.measured
            for instant in turn
        )
        for instant, side in marks:
            self._show_until(instant, marks[0][0], show)
            mark(side)
        seconds = (marks[-1][0] - marks[0][0]) / 1e9
        sending = [pipe for job, pipe in zip(jobs, pipes, strict=True) if job.role != "visit"]
        if sending:
            patience = max(job.patience for job in jobs)
            self._await(sending, "sent", seconds + patience + 10)
            self._drain(jobs, copies, patience)
            for pipe in sending:
                pipe.send("stop")
        parts = iter([self._part(pipe) for pipe in pipes])
        return [list(islice(parts, len(side))) for side in sides]

    def _distribute(self, jobs: Sequence[Job], pipes: Sequence[Connection]) -> None:
        """Give each worker its job, and wait until it is connected."""
        consuming = [job.role in ("consume", "relay") for job in jobs]
        # Consumers first, and one by one: they declare the queues, and RabbitMQ 4.0 fails when two
        # connections declare and consume the same new quorum queue at once (INTERNAL_ERROR).
        for pipe, job, consumes in zip(pipes, jobs, consuming, strict=True):
            if consumes:
                pipe.send(job)
                self._await([pipe], "ready", _READY_WITHIN)
        others = [
            (pipe, job)
            for pipe, job, consumes in zip(pipes, jobs, consuming, strict=True)
            if not consumes
        ]
        for pipe, job in others:
            pipe.send(job)
        self._await([pipe for pipe, _ in others], "ready", _READY_WITHIN)

    def _show_until(self, instant: int, measuring: int, show: Callable[[Progress], None]) -> None:
        while (left := (instant - time.monotonic_ns()) / 1e9) > 0:
            time.sleep(min(left, 0.25))
            show(self._progress((time.monotonic_ns() - measuring) / 1e9))

    def _progress(self, seconds: float) -> Progress:
        confirmed, received, connected = (
            sum(counters[index] for counters in self._counters)
            for index in (CONFIRMED, RECEIVED, CONNECTED)
        )
        return Progress(seconds, confirmed, received, connected)

    def _drain(self, jobs: Sequence[Job], copies: int, patience: float) -> None:
        """Wait until every confirmed message has arrived, or none has for ``patience`` seconds."""
        expected = copies * self._count(jobs, ("produce", "request"), CONFIRMED)
        progress, before = time.monotonic(), -1
        while time.monotonic() - progress < patience:
            arrived = self._count(jobs, ("consume", "request"), RECEIVED)
            if arrived >= expected:
                time.sleep(_GRACE)
                return
            if arrived > before:
                progress, before = time.monotonic(), arrived
            time.sleep(0.01)

    def _count(self, jobs: Sequence[Job], roles: tuple[str, ...], index: int) -> int:
        own = zip(jobs, self._counters, strict=False)  # there may be more workers than jobs
        return sum(counters[index] for job, counters in own if job.role in roles)

    def _await(self, pipes: Sequence[Connection], word: str, timeout: float) -> None:
        """Return when every worker has sent ``word``."""
        waiting, deadline = list(pipes), time.monotonic() + timeout
        while waiting:
            ready = wait(waiting, max(0.0, deadline - time.monotonic()))
            if not ready:
                raise ClientError(f"a load generator was not {word} within {timeout:g} s")
            for pipe in waiting[:]:
                if pipe not in ready:
                    continue
                message = _receive(pipe)
                if isinstance(message, Part):
                    raise ClientError(message.error or "a load generator stopped too early")
                if message == word:
                    waiting.remove(pipe)

    @staticmethod
    def _part(pipe: Connection) -> Part:
        if not pipe.poll(_REPORT_WITHIN):
            raise ClientError(f"a load generator did not report within {_REPORT_WITHIN:g} s")
        part: Part = _receive(pipe)
        if part.error:
            raise ClientError(part.error)
        return part


def _receive(pipe: Connection) -> Any:
    try:
        return pipe.recv()
    except (EOFError, OSError) as error:
        raise ClientError("a load generator died") from error
