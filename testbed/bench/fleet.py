"""Worker processes, started once and given one job each for every round."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Any

from testbed.bench.pacing import Times
from testbed.bench.worker import CONFIRMED, CONNECTED, RECEIVED, Job, Part, main
from testbed.errors import ClientError

_START_IN = 0.05  # seconds from the word to the first message
_READY_WITHIN = 60.0
_GRACE = 0.05  # for what would arrive twice


@dataclass(frozen=True)
class Progress:
    """What all workers have done so far in this round. ``seconds`` is negative during the warm-up."""

    seconds: float
    confirmed: int
    received: int
    connected: int


class Fleet:
    """As many processes as a round needs; also a context manager that ends them."""

    def __init__(self) -> None:
        # Not forked: a process with threads and open connections is nothing to copy.
        self._context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []
        self._counters: list[Any] = []

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(2)
            if process.is_alive():
                process.kill()
                process.join()
        self._pipes, self._processes, self._counters = [], [], []

    def grow(self, count: int) -> None:
        """Have ``count`` processes at least."""
        while len(self._processes) < count:
            ours, theirs = self._context.Pipe()
            counters = self._context.RawArray("Q", 4)
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
        """One round: the jobs of each side, at its times (from 0 on, see ``in_turns``), and what they saw.

        ``mark`` is called with the side at the begin and at the end of each turn that is measured. Each message is
        expected ``copies`` times. Raises ``ClientError`` when a worker could not begin or broke off.
        """
        try:
            return self._run(sides, times, copies, mark, show)
        except BaseException:
            self.close()  # whatever they were doing, the next round begins with new ones
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
            counters[:] = [0, 0, 0, 0]
        # Those who take messages first, and one by one: they make the queues, and RabbitMQ 4.0 trips over two
        # connections that declare and consume the same new quorum queue at once (INTERNAL_ERROR).
        taking = [
            (pipe, job)
            for pipe, job in zip(pipes, jobs, strict=True)
            if job.role in ("consume", "relay")
        ]
        for pipe, job in taking:
            pipe.send(job)
            self._all([pipe], "ready", _READY_WITHIN)
        sending = [
            (pipe, job)
            for pipe, job in zip(pipes, jobs, strict=True)
            if job.role not in ("consume", "relay")
        ]
        for pipe, job in sending:
            pipe.send(job)
        self._all([pipe for pipe, _ in sending], "ready", _READY_WITHIN)
        start = time.monotonic_ns() + int(_START_IN * 1e9)
        begun = [each.beginning(start) for each in times]
        for pipe, own in zip(
            pipes,
            (each for side, each in zip(sides, begun, strict=True) for _ in side),
            strict=True,
        ):
            pipe.send(own)
        moments = sorted(
            (moment, side)
            for side, each in enumerate(begun)
            for turn in each.measured
            for moment in turn
        )
        for moment, side in moments:
            self._until(moment, moments[0][0], show)
            mark(side)
        moving = [
            (job, pipe) for job, pipe in zip(jobs, pipes, strict=False) if job.role != "visit"
        ]
        if moving:
            patience = max(job.patience for job in jobs)
            self._all(
                [pipe for _, pipe in moving],
                "sent",
                (moments[-1][0] - moments[0][0]) / 1e9 + patience + 10,
            )
            self._drain(jobs, copies, patience)
            for _, pipe in moving:
                pipe.send("stop")
        parts = iter([self._part(pipe, 30.0) for pipe in pipes])
        return [list(islice(parts, len(side))) for side in sides]

    def _until(self, moment: int, measure: int, show: Callable[[Progress], None]) -> None:
        while (left := (moment - time.monotonic_ns()) / 1e9) > 0:
            time.sleep(min(left, 0.25))
            show(self._progress((time.monotonic_ns() - measure) / 1e9))

    def _progress(self, seconds: float) -> Progress:
        totals = [
            sum(counters[place] for counters in self._counters)
            for place in (CONFIRMED, RECEIVED, CONNECTED)
        ]
        return Progress(seconds, *totals)

    def _drain(self, jobs: Sequence[Job], copies: int, patience: float) -> None:
        """Wait until all that was confirmed has arrived, or nothing has for ``patience`` seconds."""
        of_role = list(zip(jobs, self._counters, strict=False))
        expected = copies * sum(
            counters[CONFIRMED] for job, counters in of_role if job.role in ("produce", "request")
        )
        heard, before = time.monotonic(), -1
        while time.monotonic() - heard < patience:
            arrived = sum(
                counters[RECEIVED]
                for job, counters in of_role
                if job.role in ("consume", "request")
            )
            if arrived >= expected:
                time.sleep(_GRACE)
                return
            if arrived > before:
                heard, before = time.monotonic(), arrived
            time.sleep(0.01)

    def _all(self, pipes: Sequence[Connection], word: str, timeout: float) -> None:
        """Return when every worker has said ``word``."""
        waiting, deadline = list(pipes), time.monotonic() + timeout
        while waiting:
            ready = wait(waiting, max(0.0, deadline - time.monotonic()))
            if not ready:
                raise ClientError(f"a load generator was not {word} within {timeout:g} s")
            for pipe in ready:
                said = self._receive(pipe)
                if isinstance(said, Part):
                    raise ClientError(said.error or "a load generator stopped too early")
                if said == word:
                    waiting.remove(pipe)

    def _part(self, pipe: Connection, timeout: float) -> Part:
        if not pipe.poll(timeout):
            raise ClientError(f"a load generator did not report within {timeout:g} s")
        part = self._receive(pipe)
        if part.error:
            raise ClientError(part.error)
        return part

    @staticmethod
    def _receive(pipe: Connection) -> Any:
        try:
            return pipe.recv()
        except (EOFError, OSError) as error:
            raise ClientError("a load generator died") from error
