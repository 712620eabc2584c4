"""A whole benchmark, from the brokers it needs to its result."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

from testbed.bench.compare import Series, alternate
from testbed.bench.driver import Driver
from testbed.bench.encryption import Encryption
from testbed.bench.fleet import Fleet, Progress
from testbed.bench.result import Result, environment
from testbed.bench.rounds import Round
from testbed.bench.stage import Stage
from testbed.bench.sweep import Curve, Point, at_rates, search
from testbed.bench.target import Target
from testbed.bench.terminal import progress_line, round_line
from testbed.bench.workload import Workload
from testbed.testbed import Testbed

Say = Callable[[str], None]
# Shares of the slowest side's throughput at which a sweep looks.
_SHARES = (0.1, 0.25, 0.5, 0.7, 0.85, 0.95, 1.1)


@dataclass(frozen=True)
class Case:
    """A workload by a driver, with these encryptions side by side; ``sweep`` looks at rising rates besides."""

    workload: Workload
    driver: Driver
    encryptions: tuple[Encryption, ...]
    sweep: bool = False


def measure(
    testbed: Testbed | None,
    cases: Sequence[Case],
    command: str,
    say: Say,
    live: Say = lambda line: None,
    remote: Target | None = None,
) -> Result:
    """Run all cases, on brokers of the benchmark's own or on ``remote``.

    ``say`` gets lines that stay, ``live`` lines that the next one replaces. Raises ``ClientError`` when a message was
    lost, and as ``Brokers.create`` does.
    """
    started, begun = datetime.now(UTC), time.monotonic()
    series: list[Series] = []
    curves: list[Curve] = []
    encryptions = tuple(dict.fromkeys(each for case in cases for each in case.encryptions))
    found = environment()
    with Fleet() as fleet, Stage(testbed, encryptions) if testbed else nullcontext() as stage:
        for case in cases:
            targets = (
                stage.targets(case.driver, case.encryptions)
                if stage
                else {remote.encryption.label: remote}
            )  # type: ignore[union-attr]
            if case.workload.search:
                curves += [
                    search(case.workload, case.driver, label, target, fleet, _points(label, say))
                    for label, target in targets.items()
                ]
                continue
            made = alternate(
                case.workload,
                case.driver,
                targets,
                fleet,
                _rounds(case.workload, case.driver, say, live),
            )
            series.append(made)
            if case.sweep:
                lowest = min(made.median(side) for side in made.sides)
                rates = [max(1.0, share * lowest) for share in _SHARES]
                curves += [
                    at_rates(
                        case.workload, case.driver, label, target, rates, fleet, _points(label, say)
                    )
                    for label, target in targets.items()
                ]
    return Result(started, time.monotonic() - begun, command, found, tuple(series), tuple(curves))


def _rounds(
    workload: Workload, driver: Driver, say: Say, live: Say
) -> Callable[[str, int, Progress | None, Round | None], None]:
    def show(label: str, number: int, progress: Progress | None, made: Round | None) -> None:
        if made:
            say(round_line(workload, driver, label, number, made))
        elif progress:
            live(progress_line(workload, label, number, progress))

    return show


def _points(label: str, say: Say) -> Callable[[Point], None]:
    def show(point: Point) -> None:
        kept = "sustained" if point.sustained else "not sustained"
        say(f"{label}: {point.rate:,.0f} msg/s offered, {point.throughput:,.0f} delivered, {kept}")

    return show
