"""What a benchmark measures, as frozen data: rounds, sides, series, curves, results.

A result is written as one JSON document: everything needed to read it, and to run it again.
Histograms stay compressed and in base64.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

import msgspec

from testbed.bench.host import Usage
from testbed.bench.spec import Driver, Workload, producers
from testbed.bench.statistics import Distribution, Ratio, ratio
from testbed.bench.target import Encryption
from testbed.checker import Account
from testbed.errors import TestbedError
from testbed.report.text import counted

# From this share on a side counts as busy: of one core for a process that has one thread, of all
# cores for the machine.
_BUSY = 0.85
# Of the processors' time, by the hypervisor: a round that lost more measures the hypervisor.
MOST_STOLEN = 0.1
_KEPT_UP = 0.98  # the share of a rate that has to be delivered
SCHEMA = 4  # goes up with every incompatible change of the document
KIND = "amazonmq-testbed benchmark"


@dataclass(frozen=True)
class Round:
    """One round of a workload on one target. Rates are per second of the measuring.

    ``seconds`` is the measuring's length, in turns with the time in which the last messages of each
    turn were answered.
    ``busiest`` is the processor time of the busiest generator process, in cores; ``stolen`` the
    share of the machine's processor time that the hypervisor gave to other machines, 0 if unknown.
    ``kms_calls`` are those of the generators in the whole measuring. ``broker`` is None for an
    inaccessible container. ``account`` is about all messages, ``sample`` the checker's
    account of the full history of every 61st message. ``cores`` are the measuring machine's, which
    is not always the one that reads the result; 0 if unknown.
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
    cores: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing was lost, and everything confirmed. Otherwise it is no result."""
        return not self.failure

    @property
    def failure(self) -> str:
        """Why it is no result; empty if it is one.

        What the broker refused or never answered has no latency: only the others would be measured.
        """
        for account in filter(None, (self.account, self.sample)):
            if not account.ok:
                return f"not all messages arrived, so there is no result: {account}"
            if account.failed or account.unknown:
                return (
                    "not all messages were confirmed, so there is no result: "
                    f"{account}, {account.failed} refused"
                )
        return ""


def throughput(workload: Workload, measured: Round) -> float:
    """Return messages a second that were confirmed and delivered, or replies, or connections."""
    if workload.pattern == "connect":
        return measured.connected
    if workload.pattern == "request-reply":
        return measured.received
    copies = workload.consumers if workload.pattern == "fan-out" else 1
    return min(measured.confirmed, measured.received / copies)


def kept_up(workload: Workload, driver: Driver, measured: Round) -> bool:
    """Return whether the requested rate was delivered.

    That is 98 % of it, allowing one message of each producer that fell just beyond the end.
    """
    allowed = producers(workload, driver) / measured.seconds
    return throughput(workload, measured) + allowed >= _KEPT_UP * workload.rate


def limit(workload: Workload, driver: Driver, measured: Round) -> str:
    """Return the limit: ``rate`` (it was kept), ``generator``, ``machine`` or ``broker``.

    ``machine`` means that generators and broker both want its cores.
    """
    if workload.rate and kept_up(workload, driver, measured):
        return "rate"
    left = 1 - measured.stolen  # of each core, by the hypervisor
    if measured.busiest >= _BUSY * left:
        return "generator"
    broker, generators = measured.broker, measured.generator_cores
    if (
        broker
        and broker.cores + generators >= _BUSY * (measured.cores or os.cpu_count() or 1) * left
        and generators > broker.cores / 2
    ):
        return "machine"
    return "broker"


@dataclass(frozen=True)
class Side:
    """One target with its rounds, in the order in which they ran.

    ``running`` is the broker's exact version; ``route`` as ``target.route_of`` returns it.
    """

    label: str
    encryption: Encryption
    running: str
    route: str
    rounds: tuple[Round, ...]


@dataclass(frozen=True)
class Series:
    """A workload by a driver on one or more sides, of which the first is the baseline.

    ``repeated`` is how often a round was repeated on all sides, see ``run.alternate``. ``section``
    is the title of the cost table's section that the series belongs to.
    """

    workload: Workload
    driver: Driver
    sides: tuple[Side, ...]
    repeated: int = 0
    section: str = ""

    @property
    def heading(self) -> str:
        """The workload's title and the driver's."""
        return f"{self.workload.heading}: {self.driver.heading}"

    @property
    def connecting(self) -> bool:
        """Whether connections are counted, not messages."""
        return self.workload.pattern == "connect"

    def rates(self, side: Side) -> tuple[float, ...]:
        """Return the throughput of each round."""
        return tuple(throughput(self.workload, measured) for measured in side.rounds)

    def median(self, side: Side) -> float:
        """Return the median throughput."""
        return median(self.rates(side))

    def ratio(self, side: Side, baseline: Side | None = None) -> Ratio:
        """Compare a side's throughput with the baseline's, round by round."""
        return ratio(self.rates(baseline or self.sides[0]), self.rates(side))

    def limits(self, side: Side) -> tuple[str, ...]:
        """Return the limit in any of the side's rounds, see ``limit``."""
        limits = (limit(self.workload, self.driver, measured) for measured in side.rounds)
        return tuple(dict.fromkeys(limits))


@dataclass(frozen=True)
class Point:
    """A round at ``rate`` messages a second."""

    rate: float
    throughput: float
    sustained: bool
    round: Round


@dataclass(frozen=True)
class Curve:
    """Rounds at several rates, in rising order."""

    workload: Workload
    driver: Driver
    label: str
    encryption: Encryption
    points: tuple[Point, ...]

    @property
    def highest(self) -> float:
        """The highest rate below the first that was not sustained; 0 if none was."""
        best = 0.0
        for point in self.points:
            if not point.sustained:
                break
            best = point.rate
        return best


@dataclass(frozen=True)
class Settings:
    """Settings of a generator. Each producer and consumer is one connection."""

    producers: int
    consumers: int
    window: int = 0
    transaction: int = 0

    def __str__(self) -> str:
        in_flight = (
            f"transactions of {self.transaction}"
            if self.transaction
            else f"{self.window} in flight"
        )
        ends = f"{counted(self.producers, 'producer')}, {counted(self.consumers, 'consumer')}"
        return f"{ends}, {in_flight}"


@dataclass(frozen=True)
class Yardstick:
    """The broker's own load generator compared with ours.

    ``theirs`` and ``ours`` are messages a second, confirmed and consumed, round by round; ``ratio``
    is ours over theirs.
    """

    engine_type: str
    tool: str
    their_settings: Settings
    our_settings: Settings
    route: str
    theirs: tuple[float, ...]
    ours: tuple[float, ...]
    ratio: Ratio

    def __str__(self) -> str:
        return (
            f"{self.engine_type}, 1 KB durable over TLS, confirmed and consumed: "
            f"{self.tool} {median(self.theirs):,.0f} msg/s ({self.their_settings}), "
            f"ours {median(self.ours):,.0f} msg/s ({self.our_settings}), ratio {self.ratio}, "
            f"{self.ratio.confidence:.0%} interval of {len(self.ours)} rounds"
        )


@dataclass(frozen=True)
class Result:
    """A whole benchmark.

    ``started`` is aware; ``environment`` names versions and the machine, no secrets. ``command``
    repeats the benchmark.
    """

    started: datetime
    seconds: float
    command: str
    environment: dict[str, str]
    series: tuple[Series, ...] = ()
    curves: tuple[Curve, ...] = ()
    yardsticks: tuple[Yardstick, ...] = ()


@dataclass(frozen=True)
class _Header:
    kind: str = ""
    schema: int = 0


def encode(result: Result, caveats: Sequence[str] = ()) -> str:
    """Return the document; ``caveats`` stand beside the numbers for people who read it."""
    document = {
        "schema": SCHEMA,
        "kind": KIND,
        "caveats": caveats,
        **msgspec.to_builtins(result),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode()


def read(path: Path) -> Result:
    """Read a document that ``encode`` returned. Raises ``TestbedError`` for anything else."""
    try:
        content = path.read_bytes()
        header = msgspec.json.decode(content, type=_Header)
    except (OSError, msgspec.MsgspecError) as error:
        raise TestbedError(f"{path} cannot be read as a result: {error}.") from error
    if header.kind != KIND:
        raise TestbedError(f"{path} is not a benchmark's result.")
    if header.schema != SCHEMA:
        raise TestbedError(
            f"{path} has schema {header.schema}; this testbed reads schema {SCHEMA}.",
            hint="Run the benchmark again.",
        )
    try:
        return msgspec.json.decode(content, type=Result)
    except msgspec.ValidationError as error:
        raise TestbedError(f"{path} is a damaged result: {error}.") from error
