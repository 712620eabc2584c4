"""One round of a workload: who does what, and what the workers' parts add up to."""

import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import fmean

from testbed.bench.host import Meter, Reading, Usage, stolen, usage
from testbed.bench.load.accounting import account
from testbed.bench.load.base import Shape
from testbed.bench.load.fleet import Fleet, Progress
from testbed.bench.load.worker import PAUSE, Assignment, Job, Part, Span, Times
from testbed.bench.results import Round
from testbed.bench.spec import Driver, Workload, producers
from testbed.bench.statistics import Distribution, distribution
from testbed.bench.target import Target
from testbed.checker import Account, check
from testbed.clients.base import Destination
from testbed.history import Event, History, Kind

Show = Callable[[Progress], None]
_SENDING, _TAKING = ("produce", "request", "visit"), ("consume", "request")


@dataclass(frozen=True)
class Plan:
    """The jobs of one round. ``copies`` is how often each message has to arrive."""

    run: int
    jobs: tuple[Job, ...]
    copies: int = 1


def plan(
    workload: Workload, driver: Driver, target: Target, *, handicap: float = 0.0, run: int = 0
) -> Plan:
    """Plan a round, on new destinations or on those of ``run``."""
    run = run or random.getrandbits(32)
    senders = producers(workload, driver)
    job = Job(
        "produce",
        driver.generator,
        target,
        (),
        run,
        _shape(workload, driver),
        _window(workload, driver, senders),
        workload.rate / senders,
        handicap=handicap,
    )
    consume = replace(job, role="consume", rate=0.0, handicap=0.0)
    if workload.pattern == "connect":
        visits = [Assignment(number, Destination.queue("none")) for number in range(senders)]
        return Plan(
            run, tuple(replace(job, role="visit", assignments=(visit,)) for visit in visits)
        )
    if workload.pattern == "request-reply":
        requests = [
            Assignment(
                number,
                _queue(driver, run, f"ask-{number}"),
                _queue(driver, run, f"answer-{number}"),
            )
            for number in range(senders)
        ]
        relays = [replace(request, producer=request.producer + senders) for request in requests]
        request, relay = replace(job, role="request"), replace(consume, role="relay")
        return Plan(run, (*_spread(request, requests, driver), *_spread(relay, relays, driver)))
    if workload.pattern == "fan-out":
        destinations, copies = [Destination.topic(f"bench.{run:08x}")], workload.consumers
    else:
        numbers = range(workload.queues)
        destinations, copies = [_queue(driver, run, str(number)) for number in numbers], 1

    def assign(count: int, *, numbered: bool) -> list[Assignment]:
        return [
            Assignment(number if numbered else 0, destinations[number % len(destinations)])
            for number in range(count)
        ]

    sending = _spread(job, assign(senders, numbered=True), driver)
    consuming = _spread(consume, assign(workload.consumers, numbered=False), driver)
    return Plan(run, (*sending, *consuming), copies)


def _shape(workload: Workload, driver: Driver) -> Shape:
    return Shape(
        size=workload.size,
        persistent=workload.persistent,
        transaction=workload.transaction if workload.confirmation == "transaction" else 0,
        prefetch=driver.prefetch,
        acknowledge=driver.acknowledge,
        content=workload.content(),
    )


def _window(workload: Workload, driver: Driver, senders: int) -> int:
    """Return the window of each connection."""
    if driver.generator == "client":
        return 1
    window = max(1, workload.in_flight // senders)
    if driver.pipeline and workload.confirmation != "transaction":
        return min(window, driver.pipeline)
    return window


def _queue(driver: Driver, run: int, name: str) -> Destination:
    return Destination.queue(f"bench.{run:08x}.{name}", driver.queue_type)


def _spread(job: Job, assignments: Sequence[Assignment], driver: Driver) -> list[Job]:
    """Spread the assignments over the driver's processes, leaving none without work."""
    count = min(driver.processes, len(assignments))
    return [replace(job, assignments=tuple(assignments[number::count])) for number in range(count)]


def play(
    fleet: Fleet, plan: Plan, warm_up: float, seconds: float, show: Show = lambda progress: None
) -> Round:
    """Run a round.

    Raises ``ClientError`` when a generator fails, ``ContainerFailed`` when the broker does.
    """
    [measured] = play_in_turns(fleet, [plan], warm_up, seconds, show=show)
    return measured


def play_in_turns(
    fleet: Fleet,
    plans: Sequence[Plan],
    warm_up: float,
    seconds: float,
    *,
    turn: float = 0.0,
    show: Show = lambda progress: None,
) -> list[Round]:
    """Run a round of each plan, in turns of ``turn`` seconds. Raises as ``play``."""
    containers = [plan.jobs[0].target.container for plan in plans]
    readings: list[list[Reading]] = [[] for _ in plans]
    marks: list[tuple[float, float]] = []

    def mark(side: int) -> None:
        marks.append((time.monotonic(), stolen()))
        if meter := meters.get(containers[side]):
            readings[side].append(meter.read())

    with ExitStack() as stack:
        meters = {
            container: stack.enter_context(Meter(container))
            for container in dict.fromkeys(containers)
            if container
        }
        if len(plans) > 1:  # a reading that takes a second would cover other sides' turns
            meters = {container: meter for container, meter in meters.items() if meter.at_once}
        parts = fleet.run(
            [plan.jobs for plan in plans],
            in_turns(len(plans), warm_up, seconds, turn),
            copies=plans[0].copies,
            show=show,
            mark=mark,
        )
    elapsed, taken = (last - first for first, last in zip(marks[0], marks[-1], strict=True))
    share = taken / elapsed / (os.cpu_count() or 1)
    return [
        round_of(plan, own_parts, seconds, usage(read) if read else None, share)
        for plan, own_parts, read in zip(plans, parts, readings, strict=True)
    ]


def in_turns(sides: int, warm_up: float, seconds: float, turn: float = 0.0) -> list[Times]:
    """Return the times of each side of a round, from 0 on.

    Each side works for ``warm_up`` and then for ``seconds`` in total, in equal turns of about
    ``turn`` seconds, with a pause between them and the order reversed each time (A B, B A). A
    ``turn`` of 0, or a single side, means one turn for all of it.
    """
    warm, after = _turns(sides, warm_up, turn, 0)
    measured, _ = _turns(sides, seconds, turn, after)
    return [Times(*spans) for spans in zip(warm, measured, strict=True)]


def _turns(
    sides: int, seconds: float, turn: float, start: int
) -> tuple[list[tuple[Span, ...]], int]:
    """Return the spans of each side, and when the next turn may begin."""
    count = max(1, round(seconds / turn)) if turn and sides > 1 else 1
    length = round(seconds / count * 1e9)
    pause = int(PAUSE * length) if sides > 1 else 0
    spans: list[list[Span]] = [[] for _ in range(sides)]
    for number in range(count):
        for side in sorted(range(sides), reverse=number % 2 == 1):
            spans[side].append((start, start + length))
            start += length + pause
    return [tuple(of_side) for of_side in spans], start


def round_of(
    plan: Plan,
    parts: Sequence[Part],
    seconds: float,
    broker: Usage | None = None,
    stolen_share: float = 0.0,
) -> Round:
    """Add the parts up. ``broker`` is what the broker's container used.

    ``seconds`` is how long was measured, unless the sides took turns: then the parts say it.
    """
    worked = [part.worked for part in parts if part.role in _SENDING and part.worked]
    seconds = fmean(worked) if worked else seconds

    def merged(roles: tuple[str, ...], name: str) -> Distribution:
        return distribution(
            getattr(part, name) for part in parts if part.role in roles and getattr(part, name)
        )

    def per_second(roles: tuple[str, ...], name: str) -> float:
        counts: list[int] = [getattr(part, name) for part in parts if part.role in roles]
        return sum(counts) / seconds

    visiting = plan.jobs[0].role == "visit"
    sampled = any(part.samples for part in parts)
    return Round(
        seconds=seconds,
        confirmed=per_second(_SENDING, "confirmed"),
        received=per_second(_TAKING, "received"),
        connected=per_second(_SENDING, "connected"),
        delay=merged(_SENDING, "delay"),
        confirmation=merged(_SENDING, "confirmation"),
        end_to_end=merged(_TAKING, "end_to_end"),
        generator_cores=sum(part.cpu for part in parts) / seconds,
        busiest=max(part.cpu for part in parts) / seconds,
        stolen=stolen_share,
        kms_calls=sum(part.kms_calls for part in parts),
        broker=broker,
        account=None if visiting else _account(plan, parts),
        sample=None if visiting or not sampled else _sample(plan, parts),
        cores=os.cpu_count() or 1,
    )


def _account(plan: Plan, parts: Sequence[Part]) -> Account:
    sent = [record for part in parts for record in part.sent]
    tallies = [tally for part in parts for tally in part.tallies]
    if plan.copies == 1:
        return account(plan.run, sent, tallies)
    return _worst([account(plan.run, sent, [tally]) for tally in tallies])


def _sample(plan: Plan, parts: Sequence[Part]) -> Account:
    return _worst([check(History(events)) for events in _histories(plan, parts)])


def _histories(plan: Plan, parts: Sequence[Part]) -> list[tuple[Event, ...]]:
    """Return the sample's history; one for each consumer if every consumer gets all messages."""
    connections = [events for part in parts for events in part.samples]
    sent = [event for events in connections for event in events if event.kind is not Kind.RECEIVED]
    received = [
        [event for event in events if event.kind is Kind.RECEIVED] for events in connections
    ]
    received = [events for events in received if events] or [[]]
    if plan.copies == 1:
        received = [[event for events in received for event in events]]
    order = list(Kind)
    return [
        tuple(sorted(sent + events, key=lambda event: (event.at, order.index(event.kind))))
        for events in received
    ]


def _worst(accounts: Sequence[Account]) -> Account:
    return next((account for account in accounts if not account.ok), accounts[0])
