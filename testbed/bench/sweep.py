"""Latency against rate: the same workload at rising rates, and the highest that the broker sustains."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from testbed.bench.driver import Driver
from testbed.bench.encryption import Encryption
from testbed.bench.fleet import Fleet
from testbed.bench.pacing import next_rate
from testbed.bench.rounds import Round, kept_up, plan, play, throughput
from testbed.bench.target import Target
from testbed.bench.workload import Workload
from testbed.errors import ClientError

# A rate is sustained when this share of it comes out, and messages leave no later than this after they should (99 of 100).
_LATE_MS = 250.0
_STEPS = 12


@dataclass(frozen=True)
class Point:
    """A round at ``rate`` messages a second."""

    rate: float
    throughput: float
    sustained: bool
    round: Round


@dataclass(frozen=True)
class Curve:
    """``highest`` is the highest rate that was sustained; 0 when none was. Points are in rising order."""

    workload: Workload
    driver: Driver
    label: str
    encryption: Encryption
    points: tuple[Point, ...]

    @property
    def highest(self) -> float:
        """The highest rate below the first that was not sustained."""
        best = 0.0
        for point in self.points:
            if not point.sustained:
                break
            best = point.rate
        return best


def at_rates(
    workload: Workload,
    driver: Driver,
    label: str,
    target: Target,
    rates: Sequence[float],
    fleet: Fleet,
    say: Callable[[Point], None] = lambda point: None,
) -> Curve:
    """One round at each of ``rates``. Raises ``ClientError`` when a message was lost."""
    points = []
    for rate in sorted(rates):
        point = _point(replace(workload, rate=rate, search=False), driver, target, fleet)
        say(point)
        points.append(point)
    return Curve(workload, driver, label, target.encryption, tuple(points))


def search(
    workload: Workload,
    driver: Driver,
    label: str,
    target: Target,
    fleet: Fleet,
    say: Callable[[Point], None] = lambda point: None,
) -> Curve:
    """Find the highest rate that is sustained, from ``workload.rate`` on, to within 5 %. Raises ``ClientError`` as ``at_rates``."""
    rate, low, high = workload.rate, 0.0, 0.0
    points = []
    for _ in range(_STEPS):
        point = _point(replace(workload, rate=rate, search=False), driver, target, fleet)
        say(point)
        points.append(point)
        rate, low, high = next_rate(rate, low, high, point.sustained)
        if high and high - low <= 0.05 * high:
            break
    return Curve(
        workload,
        driver,
        label,
        target.encryption,
        tuple(sorted(points, key=lambda point: point.rate)),
    )


def _point(workload: Workload, driver: Driver, target: Target, fleet: Fleet) -> Point:
    made = play(fleet, plan(workload, driver, target), workload.warm_up, workload.duration)
    if not made.ok:
        raise ClientError(
            f"at {workload.rate:g} a second not all messages came out, which is no result: {made.account}"
        )
    came = throughput(workload, made)
    return Point(
        workload.rate, came, kept_up(workload, driver, made) and made.delay.at(99) <= _LATE_MS, made
    )
