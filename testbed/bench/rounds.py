"""One round of a workload on a target: who does what, what came of it, and which side was the limit."""

import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from testbed.bench.accounting import account
from testbed.bench.driver import Driver
from testbed.bench.fleet import Fleet, Progress
from testbed.bench.generators.base import Shape
from testbed.bench.latencies import Distribution, distribution
from testbed.bench.meter import Meter, Reading, Usage, stolen, used
from testbed.bench.pacing import in_turns
from testbed.bench.target import Target
from testbed.bench.worker import Job, Lane, Part
from testbed.bench.workload import Workload
from testbed.checker import Account, check
from testbed.clients.base import Destination
from testbed.history import Event, History, Kind

Show = Callable[[Progress], None]

# From here on a side counts as busy: of one core for a process that has one thread, of all cores for the machine.
_BUSY = 0.85
FEW = 2  # messages under way on a side that takes turns


@dataclass(frozen=True)
class Round:
    """Rates are per second of the measuring. ``broker`` is None for a broker whose container is elsewhere.

    ``kms_calls`` are those of the generators in the whole measuring. ``sample`` is the checker's account of the full history of every 61st message, ``account`` that of all messages.
    ``busiest`` is the processor time of the busiest generator process, in cores; ``stolen`` is the share of the machine's
    processor time that the hypervisor gave to other machines meanwhile, 0 where nobody looked (``scale``).
    """

    seconds: float
    confirmed: float
    received: float
    connected: float
    delay: Distribution
    confirmation: Distribution
    end_to_end: Distribution
    generator_cores: float
    busiest: float
    stolen: float
    kms_calls: int
    broker: Usage | None
    account: Account | None
    sample: Account | None

    @property
    def ok(self) -> bool:
        """Nothing was lost. A round that is not ok is no result."""
        return (self.account is None or self.account.ok) and (self.sample is None or self.sample.ok)


@dataclass(frozen=True)
class Plan:
    """The jobs of one round. ``copies`` is how often each message has to arrive."""

    run: int
    jobs: tuple[Job, ...]
    copies: int = 1


def throughput(workload: Workload, made: Round) -> float:
    """What the round is worth: messages a second that were confirmed and delivered, replies, or connections."""
    if workload.pattern == "connect":
        return made.connected
    if workload.pattern == "request-reply":
        return made.received
    copies = workload.consumers if workload.pattern == "fan-out" else 1
    return min(made.confirmed, made.received / copies)


def producers(workload: Workload, driver: Driver) -> int:
    """How many send at once, each over a connection of its own."""
    return workload.producers * (1 if workload.pattern == "connect" else driver.connections)


def takes_turns(workload: Workload, driver: Driver) -> bool:
    """Whether sides take turns within a round: a rate is kept throughout, and what many have under way would reach into the other's turn."""
    return workload.turn > 0 and not workload.rate and producers(workload, driver) <= FEW


def kept_up(workload: Workload, driver: Driver, made: Round) -> bool:
    """Whether the rate that was asked for came out: 98 % of it, up to one message of each producer that fell just beyond the end."""
    return (
        throughput(workload, made) + producers(workload, driver) / made.seconds
        >= 0.98 * workload.rate
    )


def limit(workload: Workload, driver: Driver, made: Round, cores: int = os.cpu_count() or 1) -> str:
    """Which side was the limit: ``rate`` (the broker kept up), ``generator``, ``machine`` (both want its cores), or ``broker``."""
    if workload.rate and kept_up(workload, driver, made):
        return "rate"
    left = 1 - made.stolen  # of each core, by the hypervisor
    if made.busiest >= _BUSY * left:
        return "generator"
    if (
        made.broker
        and made.broker.cores + made.generator_cores >= _BUSY * cores * left
        and made.generator_cores > made.broker.cores / 2
    ):
        return "machine"
    return "broker"


def plan(
    workload: Workload, driver: Driver, target: Target, *, handicap: float = 0.0, run: int = 0
) -> Plan:
    """Who does what, on destinations that nobody has used before, or on those of ``run``."""
    run = run or random.getrandbits(32)
    shape = Shape(
        size=workload.size,
        persistent=workload.persistent,
        transaction=workload.transaction if workload.confirmation == "transaction" else 0,
        prefetch=driver.prefetch,
        acknowledge=driver.acknowledge,
        content=workload.content(),
    )
    senders = producers(workload, driver)
    window = max(1, workload.under_way // senders)
    if driver.generator == "client":
        window = 1
    if driver.pipeline and workload.confirmation != "transaction":
        window = min(window, driver.pipeline)
    common = Job(
        "produce",
        driver.generator,
        target,
        (),
        run,
        shape,
        window,
        workload.rate / senders,
        handicap=handicap,
    )
    consuming = replace(common, role="consume", rate=0.0, handicap=0.0)
    if workload.pattern == "connect":
        lanes = [Lane(number, Destination.queue("none")) for number in range(senders)]
        return Plan(run, tuple(replace(common, role="visit", lanes=(lane,)) for lane in lanes))
    if workload.pattern == "request-reply":
        lanes = [
            Lane(
                number,
                _queue(driver, run, f"ask-{number}"),
                _queue(driver, run, f"answer-{number}"),
            )
            for number in range(senders)
        ]
        asked = [replace(lane, producer=lane.producer + senders) for lane in lanes]
        return Plan(
            run,
            (
                *_spread(replace(common, role="request"), lanes, driver),
                *_spread(replace(consuming, role="relay"), asked, driver),
            ),
        )
    if workload.pattern == "fan-out":
        topic = Destination.topic(f"bench.{run:08x}")
        sending = _spread(common, [Lane(number, topic) for number in range(senders)], driver)
        return Plan(
            run,
            (*sending, *_spread(consuming, [Lane(0, topic)] * workload.consumers, driver)),
            workload.consumers,
        )
    queues = [_queue(driver, run, str(number)) for number in range(workload.queues)]
    sending = _spread(
        common, [Lane(number, queues[number % len(queues)]) for number in range(senders)], driver
    )
    return Plan(
        run,
        (
            *sending,
            *_spread(
                consuming,
                [Lane(0, queues[number % len(queues)]) for number in range(workload.consumers)],
                driver,
            ),
        ),
    )


def _queue(driver: Driver, run: int, name: str) -> Destination:
    return Destination.queue(f"bench.{run:08x}.{name}", driver.queue_type)


def _spread(job: Job, lanes: Sequence[Lane], driver: Driver) -> list[Job]:
    """The lanes over as many processes as the driver says, none without work."""
    count = min(driver.processes, len(lanes))
    return [replace(job, lanes=tuple(lanes[number::count])) for number in range(count)]


def play(
    fleet: Fleet, planned: Plan, warm_up: float, seconds: float, show: Show = lambda progress: None
) -> Round:
    """Make the round. Raises ``ClientError`` when a generator broke off, ``ContainerFailed`` when the broker did."""
    return play_in_turns(fleet, [planned], warm_up, seconds, 0.0, show)[0]


def play_in_turns(
    fleet: Fleet,
    plans: Sequence[Plan],
    warm_up: float,
    seconds: float,
    turn: float,
    show: Show = lambda progress: None,
) -> list[Round]:
    """Make a round of each, which take turns of ``turn`` seconds (0: one after the other). Raises as ``play``."""
    containers = [planned.jobs[0].target.container for planned in plans]
    readings: list[list[Reading]] = [[] for _ in plans]
    taken: list[tuple[float, float]] = []

    def mark(side: int) -> None:
        taken.append((time.monotonic(), stolen()))
        if containers[side] in meters:
            readings[side].append(meters[containers[side]].read())

    with ExitStack() as stack:
        meters = {
            container: stack.enter_context(Meter(container))
            for container in dict.fromkeys(containers)
            if container
        }
        if len(plans) > 1:  # a reading that takes a second would be of everybody's turns
            meters = {container: meter for container, meter in meters.items() if meter.at_once}
        sides = [planned.jobs for planned in plans]
        parts = fleet.run(
            sides,
            in_turns(len(plans), warm_up, seconds, turn),
            copies=plans[0].copies,
            show=show,
            mark=mark,
        )
    share = (taken[-1][1] - taken[0][1]) / (taken[-1][0] - taken[0][0]) / (os.cpu_count() or 1)
    return [
        round_of(*made, seconds, used(read) if read else None, share)
        for *made, read in zip(plans, parts, readings, strict=True)
    ]


def round_of(
    planned: Plan,
    parts: Sequence[Part],
    seconds: float,
    usage: Usage | None = None,
    stolen_share: float = 0.0,
) -> Round:
    """What the parts amount to. ``usage`` is the broker's."""

    def together(role: tuple[str, ...], name: str) -> Distribution:
        return distribution(
            getattr(part, name) for part in parts if part.role in role and getattr(part, name)
        )

    def per_second(role: tuple[str, ...], name: str) -> float:
        return sum(getattr(part, name) for part in parts if part.role in role) / seconds

    sending, taking = ("produce", "request", "visit"), ("consume", "request")
    visiting = planned.jobs[0].role == "visit"
    sampled = any(part.samples for part in parts)
    return Round(
        seconds=seconds,
        confirmed=per_second(sending, "confirmed"),
        received=per_second(taking, "received"),
        connected=per_second(sending, "connected"),
        delay=together(sending, "delay"),
        confirmation=together(sending, "confirmation"),
        end_to_end=together(taking, "end_to_end"),
        generator_cores=sum(part.cpu for part in parts) / seconds,
        busiest=max(part.cpu for part in parts) / seconds,
        stolen=stolen_share,
        kms_calls=sum(part.kms_calls for part in parts),
        broker=usage,
        account=None if visiting else _account(planned, parts),
        sample=None
        if visiting or not sampled
        else _worst([check(History(events)) for events in _histories(planned, parts)]),
    )


def _account(planned: Plan, parts: Sequence[Part]) -> Account:
    sent = [each for part in parts for each in part.sent]
    tallies = [tally for part in parts for tally in part.tallies]
    if planned.copies == 1:
        return account(planned.run, sent, tallies)
    return _worst([account(planned.run, sent, [tally]) for tally in tallies])


def _histories(planned: Plan, parts: Sequence[Part]) -> list[tuple[Event, ...]]:
    """The sample's history; where every consumer gets all messages, one for each consumer."""
    lanes = [events for part in parts for events in part.samples]
    sent = [event for events in lanes for event in events if event.kind is not Kind.RECEIVED]
    received = [[event for event in events if event.kind is Kind.RECEIVED] for events in lanes]
    received = [events for events in received if events] or [[]]
    shared = (
        [[event for events in received for event in events]] if planned.copies == 1 else received
    )
    order = list(Kind)
    return [
        tuple(sorted(sent + events, key=lambda event: (event.at, order.index(event.kind))))
        for events in shared
    ]


def _worst(accounts: Sequence[Account]) -> Account:
    return next((each for each in accounts if not each.ok), accounts[0])
