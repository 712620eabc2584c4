"""A short answer to "what does encryption cost": plaintext against TLS, and a plain volume against an encrypted one.

Durable 1 KB messages, confirmed and consumed, in a few short rounds that take turns. It is a demonstration with an
interval, not a measurement to quote: see docs/measuring.md for that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from testbed.bench import driver as drivers
from testbed.bench import workload as workloads
from testbed.bench.compare import Series, alternate
from testbed.bench.encryption import Encryption
from testbed.bench.fleet import Fleet, Progress
from testbed.bench.reach import by
from testbed.bench.rounds import Round
from testbed.bench.statistics import Ratio
from testbed.bench.target import Target
from testbed.clients.base import Address

WORKLOAD = "durable-1k"
DRIVERS = {"RABBITMQ": "rabbitmq", "ACTIVEMQ": "activemq"}
PROTOCOLS = {"RABBITMQ": "amqp", "ACTIVEMQ": "openwire"}  # for which the addresses have to be
_PLAINTEXT, _TLS, _ENCRYPTED = (
    Encryption("plaintext", "plain"),
    Encryption("tls", "plain"),
    Encryption(),
)


@dataclass(frozen=True)
class Addresses:
    """Where one engine is reached, by the protocol of ``PROTOCOLS``.

    ``plaintext`` and ``control`` (over TLS) are listeners of a control broker with a plain volume; ``broker`` is the
    broker as it should be. ``beside`` of each is its container.
    """

    engine_type: str
    plaintext: Address
    control: Address
    broker: Address


@dataclass(frozen=True)
class Cost:
    """What one layer of encryption leaves of the throughput, ``ratio``, and both rates (messages a second, medians)."""

    engine_type: str
    layer: str  # "TLS" or "volume"
    without: float
    with_it: float
    ratio: Ratio

    def __str__(self) -> str:
        what = "plaintext and TLS" if self.layer == "TLS" else "plain and encrypted volume"
        confidence = f"{self.ratio.confidence:.0%} interval of {len(self.ratio.pairs)} rounds"
        return f"{self.engine_type} 1 KB durable, {what}: {self.without:,.0f} and {self.with_it:,.0f} msg/s, ratio {self.ratio} ({confidence})"


@dataclass(frozen=True)
class Quick:
    """The costs, and the series they are from, by engine."""

    costs: tuple[Cost, ...]
    series: Mapping[str, Series]


def quick(
    addresses: list[Addresses],
    say: Callable[[str], None] = lambda line: None,
    *,
    rounds: int = 5,
    warm_up: float = 0.4,
    duration: float = 0.6,
) -> Quick:
    """Measure every engine of ``addresses``: about 12 s each.

    Raises ``ClientError`` when a broker is not there, or lost a message.
    """
    # A small window, so that little is left to wait for at the end of each round.
    workload = replace(workloads.load(WORKLOAD).shortened(warm_up, duration, rounds), window=500)
    series: dict[str, Series] = {}
    with Fleet() as fleet:
        for each in addresses:
            fleet_say = _progress(each.engine_type, rounds, say)
            series[each.engine_type] = alternate(
                workload, drivers.load(DRIVERS[each.engine_type]), _targets(each), fleet, fleet_say
            )
    return Quick(
        tuple(cost for name, made in series.items() for cost in _costs(name, made)), series
    )


def _targets(addresses: Addresses) -> dict[str, Target]:
    wanted = {
        _PLAINTEXT: addresses.plaintext,
        _TLS: addresses.control,
        _ENCRYPTED: addresses.broker,
    }
    return {
        encryption.label: by(
            "direct", Target(addresses.engine_type, address, encryption, container=address.beside)
        )
        for encryption, address in wanted.items()
    }


def _costs(engine_type: str, series: Series) -> tuple[Cost, Cost]:
    plaintext, tls, encrypted = series.sides
    return (
        Cost(
            engine_type,
            "TLS",
            series.median(plaintext),
            series.median(tls),
            series.ratio(tls, plaintext),
        ),
        Cost(
            engine_type,
            "volume",
            series.median(tls),
            series.median(encrypted),
            series.ratio(encrypted, tls),
        ),
    )


def _progress(
    engine_type: str, rounds: int, say: Callable[[str], None]
) -> Callable[[str, int, Progress | None, Round | None], None]:
    def show(label: str, number: int, progress: Progress | None, made: Round | None) -> None:
        if made:
            say(
                f"{engine_type} round {number + 1}/{rounds}, {label}: {min(made.confirmed, made.received):,.0f} msg/s"
            )

    return show
