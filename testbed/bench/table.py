"""The cost table: what is measured for it, and the orders in which its numbers have to stand if they are to be believed."""

from collections.abc import Sequence
from dataclasses import dataclass

from testbed.bench import driver as drivers
from testbed.bench import workload as workloads
from testbed.bench.compare import Series
from testbed.bench.encryption import Encryption
from testbed.bench.result import Result
from testbed.bench.session import Case
from testbed.bench.statistics import Ratio, Verdict, ratio

_LAYERS = ("plaintext+plain", "tls+plain", "tls")
_GCM, _CBC = (
    ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"),
    ("ECDHE-RSA-AES128-SHA256", "ECDHE-RSA-AES256-SHA384", "AES256-SHA"),
)
_KEY_EXCHANGES = ("AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES256-GCM-SHA384")
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
    """A heading, what it is about, and what is measured for it."""

    title: str
    about: str
    cases: tuple[Case, ...]


def sections(*, rounds: int, warm_up: float, duration: float) -> tuple[Section, ...]:
    """The whole table."""

    def case(workload: str, driver: str, *encryptions: str, sweep: bool = False) -> Case:
        chosen = tuple(map(Encryption.parse, encryptions))
        return Case(
            workloads.load(workload).shortened(warm_up, duration, rounds),
            drivers.load(driver),
            chosen,
            sweep,
        )

    def suites(names: Sequence[str]) -> list[str]:
        return [f"tls:{name}+plain" for name in names]

    sizes = ("durable-100b", "durable-1k", "durable-64k", "durable-1m")
    return (
        Section(
            "What each layer leaves",
            "Durable messages, confirmed and consumed as fast as the broker can. RabbitMQ: quorum queues unless it says classic.",
            (
                *(case(size, "rabbitmq", *_LAYERS, sweep=size == "durable-1k") for size in sizes),
                case("durable-1k", "rabbitmq-classic", *_LAYERS),
                *(case(size, "activemq", *_LAYERS, sweep=size == "durable-1k") for size in sizes),
            ),
        ),
        Section(
            "Latency below saturation",
            "1,000 messages a second, sent on time whatever the broker does.",
            tuple(case("rate-1k", name, *_LAYERS) for name in ("rabbitmq", "activemq")),
        ),
        Section(
            "Other patterns",
            "Requests with replies, ten under way; one message to five subscribers.",
            tuple(
                case(workload, name, *_LAYERS)
                for workload in ("request-reply", "fan-out")
                for name in ("rabbitmq", "activemq")
            ),
        ),
        Section(
            "Cipher suites",
            "Messages of 64 KB that never reach a disk, so that the cipher counts for most.",
            (
                case("transient-64k", "rabbitmq", *suites(_GCM)),
                case("transient-64k", "activemq", *suites((*_GCM, *_CBC))),
            ),
        ),
        Section(
            "Handshakes",
            "Connect, log in, leave, by two visitors at once.",
            (
                case("connect", "rabbitmq", "plaintext+plain", "tls+plain"),
                case("connect", "activemq", "plaintext+plain", *suites(_KEY_EXCHANGES)),
            ),
        ),
        Section(
            "Encrypted payloads",
            "The AWS Encryption SDK in the client, each message confirmed before the next.",
            (case("confirm-each", "rabbitmq-pika", "tls", "tls+envelope", "tls+envelope-cached"),),
        ),
        Section(
            "Every protocol, by the client that users have",
            "One connection, each message confirmed before the next.",
            tuple(case("confirm-each", name, "tls+plain", "tls") for name in _CLIENTS),
        ),
    )


@dataclass(frozen=True)
class Order:
    """``slower`` should not be faster than ``faster``. ``ratio`` is the slower's throughput over the faster's."""

    about: str
    faster: str
    slower: str
    ratio: Ratio

    @property
    def holds(self) -> bool:
        """Noise contradicts nothing."""
        return self.ratio.verdict is not Verdict.HIGHER


# What an encrypted volume should leave of a plain one's throughput, for durable confirmed messages of 1 KB.
VOLUME_AIM = 0.9


def outcome(found: Ratio, aim: float) -> str:
    """Whether an aim was ``reached``, ``not reached``, or missed by less than the noise."""
    if found.median >= aim:
        return "reached"
    return "below by less than the noise" if found.high >= aim else "not reached"


@dataclass(frozen=True)
class VolumeCost:
    """``ratio`` is the encrypted volume's throughput over the plain one's, both over TLS."""

    driver: str
    ratio: Ratio

    @property
    def outcome(self) -> str:
        return outcome(self.ratio, VOLUME_AIM)


def volume_costs(result: Result) -> tuple[VolumeCost, ...]:
    """What the aim is about, as far as ``result`` has it."""
    plain, encrypted = (Encryption.parse(each).label for each in _LAYERS[1:])
    found = []
    for series in result.series:
        rates = {side.label: series.rates(side) for side in series.sides}
        if series.workload.name == "durable-1k" and all(
            all(rates.get(each, (0,))) for each in (plain, encrypted)
        ):
            found.append(
                VolumeCost(
                    series.driver.title or series.driver.name, ratio(rates[plain], rates[encrypted])
                )
            )
    return tuple(found)


def orders(result: Result) -> tuple[Order, ...]:
    """The orders that are expected of ``result``, as far as it has what they are about."""
    found = []
    for series in result.series:
        for faster, slower in _expected(series):
            rates = {side.label: series.rates(side) for side in series.sides}
            if faster in rates and slower in rates and all(rates[faster]) and all(rates[slower]):
                about = f"{series.workload.title or series.workload.name}, {series.driver.title or series.driver.name}"
                found.append(Order(about, faster, slower, ratio(rates[faster], rates[slower])))
    return tuple(found)


def _expected(series: Series) -> list[tuple[str, str]]:
    """Pairs of labels, the faster first. A suite with a shorter key, or GCM instead of CBC, costs no more."""
    labels = [(Encryption.parse(each).label) for each in _LAYERS]
    pairs = list(zip(labels, labels[1:], strict=False))

    def suite(name: str) -> str:
        return Encryption.parse(f"tls:{name}+plain").label

    if series.workload.pattern == "connect":
        pairs += [(labels[0], suite(name)) for name in _KEY_EXCHANGES]
        pairs += [(suite("ECDHE-RSA-AES256-GCM-SHA384"), suite("DHE-RSA-AES256-GCM-SHA384"))]
    else:
        pairs += [
            (suite(_GCM[0]), suite("AES256-SHA")),
            (suite(_GCM[0]), suite("ECDHE-RSA-AES256-SHA384")),
            (suite(_GCM[1]), suite("AES256-SHA")),
        ]
    envelope = [
        Encryption.parse(each).label for each in ("tls", "tls+envelope-cached", "tls+envelope")
    ]
    return [*pairs, *zip(envelope, envelope[1:], strict=False)]
