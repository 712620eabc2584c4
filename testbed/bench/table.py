"""The cost table: what is measured for it, and the orders that its numbers have to follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from testbed.bench.results import Result, Series
from testbed.bench.spec import Case, load_driver, load_workload
from testbed.bench.statistics import Ratio, Verdict, ratio
from testbed.bench.target import Encryption

LAYERS = ("plaintext+plain", "tls+plain", "tls")
# What an encrypted volume should leave of a plain one's throughput, for durable confirmed messages
# of 1 KB.
VOLUME_TARGET = 0.9
_GCM = ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384")
_CBC = ("ECDHE-RSA-AES128-SHA256", "ECDHE-RSA-AES256-SHA384", "AES256-SHA")
_KEY_EXCHANGES = (
    "AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "DHE-RSA-AES256-GCM-SHA384",
)
_CLIENTS = (
    "rabbitmq-pika",
    "rabbitmq-amqp10",
    "activemq-java",
    "activemq-amqp10",
    "activemq-stomp",
    "activemq-stomp-ws",
    "activemq-mqtt",
    "activemq-mqtt-ws",
)


@dataclass(frozen=True)
class Section:
    """A heading, a line about it, and what is measured for it."""

    title: str
    about: str
    cases: tuple[Case, ...]


def sections(*, rounds: int, warm_up: float, duration: float) -> tuple[Section, ...]:
    """Return the whole table."""

    def section(title: str, about: str, *rows: tuple[str, str, Sequence[str]]) -> Section:
        cases = (
            Case(
                load_workload(workload).shortened(warm_up, duration, rounds),
                load_driver(driver),
                tuple(map(Encryption.parse, encryptions)),
                sweep=workload == "durable-1k" and driver in ("rabbitmq", "activemq"),
                section=title,
            )
            for workload, driver, encryptions in rows
        )
        return Section(title, about, tuple(cases))

    sizes = ("durable-100b", "durable-1k", "durable-64k", "durable-1m")
    engines = ("rabbitmq", "activemq")
    return (
        section(
            "What each layer leaves",
            "Durable messages, confirmed and consumed as fast as the broker can. "
            "RabbitMQ: quorum queues unless it says classic.",
            *((size, "rabbitmq", LAYERS) for size in sizes),
            ("durable-1k", "rabbitmq-classic", LAYERS),
            *((size, "activemq", LAYERS) for size in sizes),
        ),
        section(
            "Latency below saturation",
            "1,000 messages a second, sent on time whatever the broker does.",
            *(("rate-1k", engine, LAYERS) for engine in engines),
        ),
        section(
            "Other patterns",
            "Requests with replies, ten in flight (on ActiveMQ 32, one on each connection); one "
            "message to five subscribers.",
            *(
                (workload, engine, LAYERS)
                for workload in ("request-reply", "fan-out")
                for engine in engines
            ),
        ),
        section(
            "Cipher suites",
            "Messages of 64 KB that never reach a disk, so that the cipher counts for most.",
            ("transient-64k", "rabbitmq", [_suite(name) for name in _GCM]),
            ("transient-64k", "activemq", [_suite(name) for name in (*_GCM, *_CBC)]),
        ),
        section(
            "Handshakes",
            "Connect, log in, leave, by two visitors at once.",
            ("connect", "rabbitmq", ("plaintext+plain", "tls+plain")),
            ("connect", "activemq", ["plaintext+plain", *map(_suite, _KEY_EXCHANGES)]),
        ),
        section(
            "Encrypted payloads",
            "The AWS Encryption SDK in the client, each message confirmed before the next.",
            ("confirm-each", "rabbitmq-pika", ("tls", "tls+envelope", "tls+envelope-cached")),
        ),
        section(
            "Every protocol, by the client that users have",
            "One connection, each message confirmed before the next.",
            *(("confirm-each", client, ("tls+plain", "tls")) for client in _CLIENTS),
        ),
    )


def _suite(name: str) -> str:
    return f"tls:{name}+plain"


@dataclass(frozen=True)
class Order:
    """``slower`` should not be faster than ``faster``; ``ratio`` is slower over faster."""

    about: str
    faster: str
    slower: str
    ratio: Ratio

    @property
    def holds(self) -> bool:
        """Whether the order is not contradicted. Noise contradicts nothing."""
        return self.ratio.verdict is not Verdict.HIGHER


def outcome(measured: Ratio, target: float) -> str:
    """Return whether a target was ``reached``, ``not reached``, or missed within the noise."""
    if measured.median >= target:
        return "reached"
    return "below by less than the noise" if measured.high >= target else "not reached"


@dataclass(frozen=True)
class VolumeCost:
    """``ratio`` is the encrypted volume's throughput over the plain one's, both over TLS."""

    driver: str
    ratio: Ratio

    @property
    def outcome(self) -> str:
        """See ``outcome``."""
        return outcome(self.ratio, VOLUME_TARGET)


def volume_costs(result: Result) -> tuple[VolumeCost, ...]:
    """Return the costs that ``VOLUME_TARGET`` is about, as far as ``result`` has them."""
    plain, encrypted = _labels(*LAYERS[1:])
    return tuple(
        VolumeCost(series.driver.heading, compared)
        for series in result.series
        if series.workload.name == "durable-1k"
        and (compared := _ratio(series, plain, encrypted)) is not None
    )


def orders(result: Result) -> tuple[Order, ...]:
    """Return the expected orders, as far as ``result`` has both sides."""
    return tuple(
        Order(
            f"{series.workload.heading}, {series.driver.heading}",
            faster,
            slower,
            compared,
        )
        for series in result.series
        for faster, slower in _expected(series)
        if (compared := _ratio(series, faster, slower)) is not None
    )


def _ratio(series: Series, baseline: str, other: str) -> Ratio | None:
    """Compare two sides by their labels; None if one is missing or a round delivered nothing."""
    rates = {side.label: series.rates(side) for side in series.sides}
    if not all(all(rates.get(label, (0.0,))) for label in (baseline, other)):
        return None
    return ratio(rates[baseline], rates[other])


def _expected(series: Series) -> list[tuple[str, str]]:
    """Return pairs of labels, the faster first.

    A suite with a shorter key, or with GCM instead of CBC, costs no more.
    """
    layers = _labels(*LAYERS)
    pairs = list(pairwise(layers))
    if series.connecting:
        static, ecdhe, dhe = _labels(*map(_suite, _KEY_EXCHANGES))
        pairs += [(layers[0], suite) for suite in (static, ecdhe, dhe)]
        pairs += [(ecdhe, dhe)]
    else:
        gcm_128, gcm_256 = _labels(*map(_suite, _GCM))
        _, ecdhe_cbc, cbc = _labels(*map(_suite, _CBC))
        pairs += [(gcm_128, cbc), (gcm_128, ecdhe_cbc), (gcm_256, cbc)]
    return [*pairs, *pairwise(_labels("tls", "tls+envelope-cached", "tls+envelope"))]


def _labels(*encryptions: str) -> list[str]:
    return [Encryption.parse(text).label for text in encryptions]
