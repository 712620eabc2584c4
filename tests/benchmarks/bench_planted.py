"""Small planted differences have to be found, and no others: for a quiet machine.

    pytest -s tests/benchmarks/bench_planted.py

Twice the same; a producer that wastes 5 % of its time, each message confirmed before the next;
three times the noise that was found; and a suite without AES-GCM. One connection each: where many
wait for one disk, the time that a client wastes costs next to nothing.
"""

import os
from dataclasses import replace

import pytest

from testbed.bench.load.fleet import Fleet
from testbed.bench.run import alternate
from testbed.bench.spec import Case, load_driver, load_workload
from testbed.bench.statistics import Ratio, Verdict
from testbed.bench.target import Encryption
from tests.support.bench_brokers import Broker

TURN = 0.05  # seconds: longer disturbances affect both sides alike

pytestmark = [
    pytest.mark.containers,
    pytest.mark.skipif(
        os.getloadavg()[0] > 0.75 * (os.cpu_count() or 1),
        reason="the machine is busy: small differences would be lost",
    ),
]


def compared(
    broker: Broker,
    by: str,
    work: str,
    encryptions: tuple[str, str],
    handicap: float = 0.0,
    rounds: int = 40,
) -> Ratio:
    chosen = replace(load_driver(by), connections=1) if work == "confirm-each" else load_driver(by)
    workload = load_workload(work).shortened(0.2, 0.8, rounds)
    if workload.confirmation == "each":
        workload = replace(workload, turn=TURN)
    targets = {
        f"{place}: {text}": broker.target(chosen, Encryption.parse(text))
        for place, text in zip("AB", encryptions, strict=True)
    }
    with Fleet() as fleet:
        # The JVM is slow in its first seconds.
        alternate(Case(replace(workload, rounds=2), chosen, ()), targets, fleet)
        case, handicaps = Case(workload, chosen, ()), {list(targets)[1]: handicap}
        series = alternate(case, targets, fleet, handicaps=handicaps)
    result = series.ratio(series.sides[1])
    print(f"\n{by}, {work}, {' / '.join(targets)}, handicap {handicap:.0%}: {result}")
    return result


@pytest.fixture(scope="module", params=["rabbitmq", "activemq"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def same(brokers: dict[str, Broker], engine: str) -> Ratio:
    return compared(brokers[engine], engine, "confirm-each", ("tls", "tls"))


def test_twice_the_same(same: Ratio) -> None:
    assert same.verdict is Verdict.NOISE


def test_a_slowdown_of_five_percent(brokers: dict[str, Broker], engine: str) -> None:
    assert (
        compared(brokers[engine], engine, "confirm-each", ("tls", "tls"), handicap=0.05).verdict
        is Verdict.LOWER
    )


def test_a_slowdown_of_three_times_the_noise(
    brokers: dict[str, Broker], engine: str, same: Ratio
) -> None:
    planted = min(3 * (same.high - same.low) / 2, 0.6)
    assert (
        compared(brokers[engine], engine, "confirm-each", ("tls", "tls"), handicap=planted).verdict
        is Verdict.LOWER
    )


def test_a_forced_cbc_suite(brokers: dict[str, Broker]) -> None:
    result = compared(
        brokers["activemq"],
        "activemq",
        "transient-64k",
        ("tls:ECDHE-RSA-AES128-GCM-SHA256", "tls:AES256-SHA"),
    )
    assert result.verdict is Verdict.LOWER
