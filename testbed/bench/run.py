"""A whole benchmark: its brokers, targets compared in alternating rounds, searches for a rate.

Every round visits all targets, in an order that is reversed from one round to the next (A B, B A),
so that a drift during the run, or a slow start, is not taken for a difference. A workload with a
``turn`` has them take turns within each round too.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Self

from testbed.bench.host import environment
from testbed.bench.load.fleet import Fleet, Progress
from testbed.bench.results import (
    MOST_STOLEN,
    Curve,
    Point,
    Result,
    Round,
    Series,
    Side,
    kept_up,
    throughput,
)
from testbed.bench.rounds import plan, play, play_in_turns
from testbed.bench.spec import Case, Driver, Workload, takes_turns
from testbed.bench.target import Encryption, EnvelopeKey, Target, choose_route, route_of
from testbed.broker.model import Broker
from testbed.engines.base import Defects
from testbed.errors import ClientError
from testbed.runtime.tasks import run_concurrently
from testbed.storage.volumes import Kind
from testbed.testbed import Testbed

# Shares of the slowest side's throughput at which a sweep measures.
_SHARES = (0.1, 0.25, 0.5, 0.7, 0.85, 0.95, 1.1)
# A rate is sustained when it is delivered and 99 of 100 messages are sent at most this late.
_LATE_MS = 250.0
_SEARCH_STEPS, _SEARCH_PRECISION = 12, 0.05


class Observer:
    """Hears of a benchmark's progress; does nothing with it. Numbers of rounds count from 0."""

    def in_progress(self, workload: Workload, label: str, number: int, progress: Progress) -> None:
        """Hear of a round that goes on."""

    def finished(self, case: Case, label: str, number: int, measured: Round) -> None:
        """Hear of a round of one side that is over."""

    def measured(self, label: str, point: Point) -> None:
        """Hear of a round at one of several rates that is over."""


def run_cases(
    testbed: Testbed | None,
    cases: Sequence[Case],
    command: str,
    observer: Observer | None = None,
    *,
    remote: Target | None = None,
) -> Result:
    """Run all cases, on brokers created for the benchmark or on ``remote``.

    Raises ``ClientError`` when a message was lost, and as ``Brokers.create`` does.
    """
    observer = observer or Observer()
    started, begun = datetime.now(UTC), time.monotonic()
    series: list[Series] = []
    curves: list[Curve] = []
    facts = environment()
    with ExitStack() as stack:
        fleet = stack.enter_context(Fleet())
        targets_of = _targets(stack, testbed, cases, remote)
        for case in cases:
            targets = targets_of(case)
            if case.workload.search:
                curves += [
                    search(case, label, target, fleet, observer)
                    for label, target in targets.items()
                ]
                continue
            compared = alternate(case, targets, fleet, observer)
            series.append(compared)
            if case.sweep:
                lowest = min(compared.median(side) for side in compared.sides)
                rates = [max(1.0, share * lowest) for share in _SHARES]
                curves += [
                    at_rates(case, label, target, rates, fleet, observer=observer)
                    for label, target in targets.items()
                ]
    return Result(started, time.monotonic() - begun, command, facts, tuple(series), tuple(curves))


def _targets(
    stack: ExitStack, testbed: Testbed | None, cases: Sequence[Case], remote: Target | None
) -> Callable[[Case], Mapping[str, Target]]:
    if remote is not None:
        target = remote
        return lambda case: {target.encryption.label: target}
    assert testbed is not None, "a benchmark needs a testbed or a remote broker"
    encryptions = dict.fromkeys(encryption for case in cases for encryption in case.encryptions)
    brokers = stack.enter_context(BenchmarkBrokers(testbed, tuple(encryptions)))
    return lambda case: brokers.targets(case.driver, case.encryptions)


def alternate(
    case: Case,
    targets: Mapping[str, Target],
    fleet: Fleet,
    observer: Observer | None = None,
    *,
    handicaps: Mapping[str, float] | None = None,
) -> Series:
    """Run the workload's rounds on each target, by label.

    A round during which the hypervisor gave more than ``MOST_STOLEN`` of the processors to other
    machines is repeated on all targets, at most as often as there are rounds: the choice does not
    depend on what was measured. ``handicaps`` are the planted defects of a control, by label.
    Raises ``ClientError`` when a message was lost: such a run is no result.
    """
    workload, observer = case.workload, observer or Observer()
    rounds: dict[str, list[Round]] = {label: [] for label in targets}
    order = list(targets)
    number = repeated = 0
    while number < workload.rounds:
        groups = [order] if takes_turns(workload, case.driver) else [[label] for label in order]
        new: dict[str, Round] = {}
        for labels in groups:
            new |= _round(
                case,
                {label: targets[label] for label in labels},
                number,
                fleet=fleet,
                observer=observer,
                handicaps=handicaps or {},
            )
        order.reverse()
        if repeated < workload.rounds and any(
            measured.stolen > MOST_STOLEN for measured in new.values()
        ):
            repeated += 1
            continue
        for label, measured in new.items():
            rounds[label].append(measured)
        number += 1
    sides = tuple(
        Side(
            label,
            targets[label].encryption,
            targets[label].running,
            route_of(targets[label]),
            tuple(of_label),
        )
        for label, of_label in rounds.items()
    )
    return Series(workload, case.driver, sides, repeated, case.section)


def _round(
    case: Case,
    targets: Mapping[str, Target],
    number: int,
    *,
    fleet: Fleet,
    observer: Observer,
    handicaps: Mapping[str, float],
) -> dict[str, Round]:
    """Run one round on these targets, in turns if there are several."""
    workload, together = case.workload, " and ".join(targets)
    plans = [
        plan(workload, case.driver, target, handicap=handicaps.get(label, 0.0))
        for label, target in targets.items()
    ]
    played = play_in_turns(
        fleet,
        plans,
        workload.warm_up,
        workload.duration,
        turn=workload.turn,
        show=lambda progress: observer.in_progress(workload, together, number, progress),
    )
    new = dict(zip(targets, played, strict=True))
    for label, measured in new.items():
        if not measured.ok:
            raise ClientError(f"{label}: {measured.failure}")
        observer.finished(case, label, number, measured)
    return new


def at_rates(
    case: Case,
    label: str,
    target: Target,
    rates: Sequence[float],
    fleet: Fleet,
    *,
    observer: Observer | None = None,
) -> Curve:
    """Run one round at each of ``rates``. Raises ``ClientError`` when a message was lost."""
    points = []
    for rate in sorted(rates):
        points.append(_point(case, rate, target, fleet))
        (observer or Observer()).measured(label, points[-1])
    return Curve(case.workload, case.driver, label, target.encryption, tuple(points))


def search(
    case: Case, label: str, target: Target, fleet: Fleet, observer: Observer | None = None
) -> Curve:
    """Find the highest sustainable rate, from the workload's on, to within 5 %.

    Raises as ``at_rates``.
    """
    rate, low, high = case.workload.rate, 0.0, 0.0
    points = []
    for _ in range(_SEARCH_STEPS):
        point = _point(case, rate, target, fleet)
        (observer or Observer()).measured(label, point)
        points.append(point)
        rate, low, high = next_rate(rate, low, high, sustained=point.sustained)
        if high and high - low <= _SEARCH_PRECISION * high:
            break
    rising = tuple(sorted(points, key=lambda point: point.rate))
    return Curve(case.workload, case.driver, label, target.encryption, rising)


def next_rate(
    rate: float, low: float, high: float, *, sustained: bool
) -> tuple[float, float, float]:
    """Take one step of the search for the highest sustainable rate.

    Returns the next rate and its bounds. Doubles while everything is sustained (``high`` is 0
    until something was not), then halves the distance.
    """
    low, high = (rate, high) if sustained else (low, rate)
    return (rate * 2 if not high else (low + high) / 2), low, high


def _point(case: Case, rate: float, target: Target, fleet: Fleet) -> Point:
    workload, driver = replace(case.workload, rate=rate, search=False), case.driver
    planned = plan(workload, driver, target)
    measured = play(fleet, planned, workload.warm_up, workload.duration)
    if not measured.ok:
        raise ClientError(f"at {rate:g} a second {measured.failure}")
    sustained = kept_up(workload, driver, measured) and measured.delay.at(99) <= _LATE_MS
    return Point(rate, throughput(workload, measured), sustained, measured)


_KINDS: dict[str, Kind] = {
    "plain": "files",
    "files": "files",
    "plain-block": "block",
    "block": "block",
}


class BenchmarkBrokers:
    """Brokers for these encryptions, one for each kind of volume.

    They are created when a driver first needs them, and deleted by the context manager. A benchmark
    never uses a user's broker, whose queues would stay behind.
    """

    def __init__(self, testbed: Testbed, encryptions: Sequence[Encryption]) -> None:
        self._testbed, self._encryptions = testbed, encryptions
        self._plaintext = any(encryption.listener == "plaintext" for encryption in encryptions)
        self._volumes = tuple(dict.fromkeys(encryption.volume for encryption in encryptions))
        self._brokers: dict[tuple[str, str, str], dict[str, Broker]] = {}
        self._stack = ExitStack()
        self._envelope: EnvelopeKey | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def targets(
        self, driver: Driver, encryptions: Sequence[Encryption] = ()
    ) -> Mapping[str, Target]:
        """Return a target for each of ``encryptions`` (all if empty), by its label.

        Raises as ``Brokers.create`` does.
        """
        kind = (driver.engine, driver.version, driver.deployment)
        if kind not in self._brokers:
            started = run_concurrently(
                [partial(self._start, driver, volume) for volume in self._volumes],
                self._testbed.stop,
            )
            self._brokers[kind] = dict(zip(self._volumes, started, strict=True))
        brokers = self._brokers[kind]
        return {
            encryption.label: self._target(driver, brokers[encryption.volume], encryption)
            for encryption in encryptions or self._encryptions
        }

    def _start(self, driver: Driver, volume: str) -> Broker:
        plain = volume.startswith("plain")
        request = self._testbed.request(
            driver.engine,
            f"bench-{volume}",
            engine_version=driver.version,
            deployment_mode=driver.deployment,
            volume_kind=_KINDS.get(volume),
            defects=Defects(plaintext_listener=self._plaintext, plain_volume=plain)
            if self._plaintext or plain
            else None,
        )
        return self._stack.enter_context(self._testbed.temporary_broker(request))

    def _target(self, driver: Driver, broker: Broker, encryption: Encryption) -> Target:
        if encryption.payload != "clear" and self._envelope is None:
            key = self._testbed.new_key("payloads of a benchmark")
            self._envelope = EnvelopeKey(key, self._testbed.kms_container.url)
        tls = encryption.listener == "tls"
        address = self._testbed.brokers.address(broker, driver.protocol, tls=tls)
        target = Target(
            engine_type=driver.engine,
            address=address,
            encryption=encryption,
            container=address.beside,
            running=broker.running_version or broker.image,
            envelope=self._envelope,
        )
        return choose_route(driver.route, target)
