"""Several targets under one workload, in turns, and how each compares with the first.

Every round visits all of them; the order is turned round from one round to the next (A B, B A), so that what gets slower
in the course of the run, or is slow at its beginning, is not taken for a difference. A workload with a ``turn`` has them
take turns within each round too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from testbed.bench.driver import Driver
from testbed.bench.encryption import Encryption
from testbed.bench.fleet import Fleet, Progress
from testbed.bench.reach import route
from testbed.bench.rounds import Round, limit, plan, play_in_turns, takes_turns, throughput
from testbed.bench.statistics import Ratio, ratio
from testbed.bench.target import Target
from testbed.bench.workload import Workload
from testbed.errors import ClientError

Say = Callable[[str, int, Progress | None, Round | None], None]
ROBBED = 0.1  # of the processors' time, taken by the hypervisor: such a round tells of that alone


@dataclass(frozen=True)
class Side:
    """One target with its rounds, in the order in which they were made.

    ``route``: ``container`` (its own address), ``published`` (a port of this machine) or ``remote``.
    """

    label: str
    encryption: Encryption
    running: str
    route: str
    rounds: tuple[Round, ...]


@dataclass(frozen=True)
class Series:
    """What came of a workload by a driver on one or more sides. The first side is the baseline.

    ``repeated`` is how often a round was made again on all sides, see ``alternate``.
    """

    workload: Workload
    driver: Driver
    sides: tuple[Side, ...]
    repeated: int = 0

    def rates(self, side: Side) -> tuple[float, ...]:
        """The throughput of each round."""
        return tuple(throughput(self.workload, each) for each in side.rounds)

    def median(self, side: Side) -> float:
        return median(self.rates(side))

    def ratio(self, side: Side, baseline: Side | None = None) -> Ratio:
        """How the side's throughput compares with the baseline's, round by round."""
        return ratio(self.rates(baseline or self.sides[0]), self.rates(side))

    def limits(self, side: Side) -> tuple[str, ...]:
        """What was the limit, in any of its rounds."""
        return tuple(dict.fromkeys(limit(self.workload, self.driver, each) for each in side.rounds))


def alternate(
    workload: Workload,
    driver: Driver,
    targets: Mapping[str, Target],
    fleet: Fleet,
    say: Say = lambda label, number, progress, made: None,
    *,
    handicaps: Mapping[str, float] | None = None,
) -> Series:
    """Make ``workload.rounds`` rounds on each target (label -> target).

    When the hypervisor gave more than ``ROBBED`` of the processors to other machines during one, it is made again on all
    of them, as often as there are rounds at most: that choice knows nothing of what came out.

    ``handicaps`` are the planted defects of a control, by label. Raises ``ClientError`` when a message was lost: such a
    run is no result.
    """
    made: dict[str, list[Round]] = {label: [] for label in targets}
    order = list(targets)
    number = repeated = 0
    while number < workload.rounds:
        new: dict[str, Round] = {}
        for labels in [order] if takes_turns(workload, driver) else [[label] for label in order]:
            plans = [
                plan(workload, driver, targets[label], handicap=(handicaps or {}).get(label, 0.0))
                for label in labels
            ]
            together = " and ".join(labels)
            tell = lambda progress: say(together, number, progress, None)  # noqa: B023 - it is called at once
            played = play_in_turns(
                fleet, plans, workload.warm_up, workload.duration, workload.turn, tell
            )
            for label, one in zip(labels, played, strict=True):
                if not one.ok:
                    raise ClientError(
                        f"{label}: not all messages came out, which is no result: {one.account if one.account and not one.account.ok else one.sample}"
                    )
                say(label, number, None, one)
                new[label] = one
        order.reverse()
        if repeated < workload.rounds and any(one.stolen > ROBBED for one in new.values()):
            repeated += 1
            continue
        for label, one in new.items():
            made[label].append(one)
        number += 1
    sides = tuple(
        Side(
            label,
            targets[label].encryption,
            targets[label].running,
            route(targets[label]),
            tuple(rounds),
        )
        for label, rounds in made.items()
    )
    return Series(workload, driver, sides, repeated)
