"""A campaign's result made by hand."""

from dataclasses import replace
from datetime import UTC, datetime

from testbed.campaign.growth import Sample, growths
from testbed.campaign.plan import TOPOLOGIES, schedule
from testbed.campaign.results import Campaign, Played, State
from testbed.campaign.soak import Soak
from testbed.checker import check
from testbed.history import Event, Kind
from testbed.timeline import Rate

[ROUND] = schedule(1, TOPOLOGIES["rabbitmq-single"], 1, faults=["kill"])
SOUND = [Event(Kind.ATTEMPTED, "1", 1.0), Event(Kind.CONFIRMED, "1", 2.0)]
RECEIVED = Event(Kind.RECEIVED, "1", 3.0)


def played(*, lost: bool = False, control: str = "", recovery: float | None = 4.0) -> Played:
    """Return a round of a single message."""
    return Played(
        round=replace(ROUND, control=control),
        description="Killed <the> node.",
        seconds=9.0,
        injected=2.0,
        ended=2.0,
        recovery=recovery,
        pause=4.0,
        account=check(SOUND if lost else [*SOUND, RECEIVED]),
        rates=(Rate(0.0, 40.0, 30.0), Rate(0.5, 0.0, 0.0)),
        states=(State(0.0, "RUNNING", 1, 1), State(2.0, "RUNNING", 0, 1)),
        history="rabbitmq-single-001.jsonl",
    )


def a_campaign(*rounds: Played) -> Campaign:
    return Campaign(
        started=datetime(2026, 1, 31, 12, tzinfo=UTC),
        seconds=60.0,
        command="testbed campaign run --seed 1",
        seed=1,
        environment={"machine": "x86_64, 2 CPUs"},
        played=rounds or (played(),),
    )


def samples(**more: float) -> tuple[Sample, ...]:
    """Return 12 samples, a minute apart; what is named grows by so much in each."""
    held = {
        "memory": 90.0,
        "descriptors": 30.0,
        "threads": 9.0,
        "containers": 3,
        "volumes": 3,
        "mounts": 40,
        "disk": 1.0,
    }
    return tuple(
        Sample(at=60.0 * n, **{name: held[name] + n * more.get(name, 0) for name in held})
        for n in range(12)
    )


def soaked(*rounds: Played, **more: float) -> Soak:
    taken = samples(**more)
    return Soak(a_campaign(*rounds), taken, growths(taken), 1200, 4)
