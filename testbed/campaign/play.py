"""One round: traffic, a fault, its end, recovery, and the account."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from testbed.broker.model import Node
from testbed.campaign.plan import KINDS, Round, Stream
from testbed.campaign.results import Played, State
from testbed.campaign.stage import Stage
from testbed.checker import Account, check
from testbed.errors import ClientError, TestbedError
from testbed.history import History, Kind, Recorder
from testbed.history_file import Writer
from testbed.timeline import rates
from testbed.traffic import Traffic, drain

logger = logging.getLogger(__name__)

_FIRST_WITHIN = 60.0  # seconds until a stream's first confirmations
_FIRST = 10  # confirmations of each stream before the fault
_AGAIN_WITHIN = 240.0  # seconds until each stream has confirmations again, and all nodes run
_AGAIN = 5
_DEAD_WITHIN = 60.0  # seconds that a broker may go on without its process or volume
_SOON = 0.05  # seconds between two looks at a node that dies
_CONFIRMATION = 5.0  # seconds that a message has to be confirmed
_LOOK = 0.25  # seconds between two looks at the broker's state


class Injected(Protocol):
    """A fault that was injected, see ``testbed.faults``."""

    @property
    def description(self) -> str: ...

    def undo(self) -> None: ...


Inject = Callable[[Stage, Round], Injected]


def play(staged: Stage, planned: Round, inject: Inject, folder: Path) -> Played:
    """Play a round and write its history into ``folder``.

    What goes wrong becomes the result's ``error``, except for an interruption.
    """
    path = folder / f"{planned.topology}-{planned.number:03}.jsonl"
    begun = time.monotonic()
    progress = _Progress()
    with (
        Writer(path, ordered=staged.topology.ordered) as writer,
        _watched(staged, planned, progress) as seen,
    ):
        recorder = Recorder(write=writer.write)
        try:
            _go(staged, planned, inject, recorder, progress)
        except TestbedError as error:
            progress.error = f"{error} {error.hint}".strip()
    history = recorder.history()
    ordered = staged.topology.ordered
    return _result(planned, progress, history, begun, seen, path=path, ordered=ordered)


class _Progress:
    """How far a round has come; times are ``time.monotonic()``."""

    def __init__(self) -> None:
        self.description = self.error = ""
        self.injected = self.ended = 0.0


def _go(
    staged: Stage, planned: Round, inject: Inject, recorder: Recorder, progress: _Progress
) -> None:
    with ExitStack() as stack:
        flows = []
        for stream in planned.streams:
            _subscribe(staged, stream)
            traffic = Traffic(
                staged.address(stream),
                stream.destination,
                rate=stream.rate,
                size=stream.size,
                timeout=_CONFIRMATION,
                recorder=recorder,
                connect=staged.sender(stream, planned.control),
                receive_by=staged.receiver(stream) if stream.consumed else None,
            )
            flows.append(stack.enter_context(traffic))
        for traffic in flows:
            traffic.wait_confirmed(_FIRST, _FIRST_WITHIN)
        time.sleep(planned.before)
        nodes = staged.peek(planned.broker).nodes
        injected = inject(staged, planned)
        progress.injected = progress.ended = time.monotonic()
        progress.description = injected.description
        if KINDS[planned.fault].kills:
            _wait_until_dead(staged, nodes)
            progress.ended = time.monotonic()
        if planned.lasts:
            try:
                time.sleep(planned.lasts)
            finally:
                progress.ended = time.monotonic()
                injected.undo()
        for traffic in flows:
            traffic.wait_confirmed(_AGAIN, _AGAIN_WITHIN)
    _wait_until_whole(staged, planned)
    _drain_all(staged, planned, recorder)


def _drain_all(staged: Stage, planned: Round, recorder: Recorder) -> None:
    """Receive what is left, of all streams at once."""
    with ThreadPoolExecutor(len(planned.streams), "drain") as pool:
        drains = [
            pool.submit(
                drain,
                staged.address(stream),
                stream.destination,
                recorder,
                patience=3.0 if planned.control else 30.0,
                connect=staged.receiver(stream),
            )
            for stream in planned.streams
        ]
    for draining in drains:
        draining.result()


def _subscribe(staged: Stage, stream: Stream) -> None:
    """Have a topic's messages kept, as for a subscriber that was there before."""
    if stream.destination.kind == "topic":
        with staged.receiver(stream)(staged.address(stream)) as subscriber:
            subscriber.subscribe(stream.destination)


def _wait_until_dead(staged: Stage, nodes: Sequence[Node]) -> None:
    """Wait until one of ``nodes`` has ended: a broker may go on for a while without its volume."""
    end = time.monotonic() + _DEAD_WITHIN
    while all(staged.runs(node) for node in nodes):
        if time.monotonic() > end:
            raise ClientError(f"No node had ended after {_DEAD_WITHIN:g} s.")
        time.sleep(_SOON)


def _wait_until_whole(staged: Stage, planned: Round) -> None:
    """Wait until clients can log in to all nodes: the next round begins as this one did."""
    end = time.monotonic() + _AGAIN_WITHIN
    while not staged.is_whole(planned.broker):
        if time.monotonic() > end:
            raise ClientError(f"A node was still missing after {_AGAIN_WITHIN:g} s.")
        time.sleep(_LOOK)


def _look(staged: Stage, planned: Round) -> tuple[str, int, int]:
    """Return the broker's state, and how many of its nodes run, of how many."""
    broker = staged.peek(planned.broker)
    return broker.broker_state, sum(map(staged.runs, broker.nodes)), len(broker.nodes)


@contextmanager
def _watched(
    staged: Stage, planned: Round, progress: _Progress
) -> Iterator[list[tuple[float, tuple[str, int, int]]]]:
    """Collect the broker's states, each with the time of its beginning, in a thread."""
    seen: list[tuple[float, tuple[str, int, int]]] = []
    stopping = threading.Event()

    def watch() -> None:
        while not stopping.is_set():
            try:
                now = _look(staged, planned)
            except TestbedError as error:
                progress.error = progress.error or f"The broker cannot be watched: {error}"
                return
            if not seen or seen[-1][1] != now:
                seen.append((time.monotonic(), now))
            stopping.wait(_LOOK)

    thread = threading.Thread(target=watch, name="states", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stopping.set()
        thread.join()


def _result(
    planned: Round,
    progress: _Progress,
    history: History,
    begun: float,
    seen: Sequence[tuple[float, tuple[str, int, int]]],
    *,
    path: Path,
    ordered: bool,
) -> Played:
    confirmations = _confirmations(history)
    times = [confirmations.get(stream.destination.name, []) for stream in planned.streams]
    recovery = _recovery(times, progress.ended)
    return Played(
        round=planned,
        description=progress.description,
        seconds=round(time.monotonic() - begun, 2),
        injected=_since(begun, progress.injected),
        ended=_since(begun, progress.ended),
        recovery=recovery if progress.ended else None,
        pause=max((_pause(times) for times in confirmations.values()), default=0.0),
        # What was not drained is not lost.
        account=None if progress.error else _account(history, ordered=ordered),
        rates=rates(history, begun),
        states=tuple(State(_since(begun, at), *state) for at, state in seen),
        history=path.name,
        error=progress.error,
    )


def _account(history: History, *, ordered: bool) -> Account | None:
    return check(history, ordered=ordered) if history.events else None


def _confirmations(history: History) -> dict[str, list[float]]:
    """Return the times of all confirmations, by destination."""
    where: dict[str, str] = {}
    times: dict[str, list[float]] = {}
    for event in history:
        if event.kind is Kind.ATTEMPTED:
            where[event.message] = event.destination
            times.setdefault(event.destination, [])
        elif event.kind is Kind.CONFIRMED:
            times[where[event.message]].append(event.at)
    return times


def _recovery(streams: Sequence[Sequence[float]], ended: float) -> float | None:
    """Return the seconds from ``ended`` until every stream has a confirmation, if it ever has."""
    firsts = [next((at for at in times if at > ended), None) for times in streams]
    known = [first for first in firsts if first is not None]
    return round(max(known) - ended, 3) if firsts and len(known) == len(firsts) else None


def _pause(times: Sequence[float]) -> float:
    return round(max((later - earlier for earlier, later in pairwise(times)), default=0.0), 3)


def _since(begun: float, at: float) -> float:
    return round(at - begun, 2) if at else 0.0
