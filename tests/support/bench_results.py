"""Invented results of a benchmark."""

from datetime import UTC, datetime
from random import Random

from testbed.bench.host import Usage
from testbed.bench.results import Curve, Point, Result, Round, Series, Side
from testbed.bench.spec import load_driver, load_workload
from testbed.bench.statistics import Latencies, distribution
from testbed.bench.target import Encryption
from testbed.checker import Account

OK = Account(1000, 1000, 1000, 0, (), (), (), (), ())


WORK = load_workload("durable-1k")


LAYERS = [Encryption.parse(text) for text in ("plaintext+plain", "tls+plain", "tls")]


def a_round(
    rate: float,
    milliseconds: float = 2.0,
    *,
    cores: float = 1.5,
    busiest: float = 0.2,
    stolen: float = 0.0,
    usage: bool = True,
) -> Round:
    times = Latencies()
    times.add(int(milliseconds * 1e6), 100)
    took = distribution([times.encoded()])
    used = (
        Usage(10.0, cores, int(rate * 10 * 1100), int(rate * 10 * 1200), int(rate * 2))
        if usage
        else None
    )
    return Round(10.0, rate, rate, 0.0, took, took, took, 0.3, busiest, stolen, 0, used, OK, OK)


def a_series(
    *rates: float, by: str = "rabbitmq", noise: float = 0.005, rounds: int = 8, seed: int = 0
) -> Series:
    rng = Random(seed)
    sides = [
        Side(
            layer.label,
            layer,
            "4.0.5",
            "container",
            tuple(a_round(rate * rng.lognormvariate(0, noise)) for _ in range(rounds)),
        )
        for layer, rate in zip(LAYERS, rates, strict=False)
    ]
    return Series(WORK, load_driver(by), tuple(sides))


def a_curve() -> Curve:
    points = tuple(
        Point(rate, min(rate, 900), rate <= 900, a_round(min(rate, 900), 1 + rate / 100))
        for rate in (100.0, 500.0, 900.0, 1000.0)
    )
    return Curve(WORK, load_driver("rabbitmq"), LAYERS[2].label, LAYERS[2], points)


def a_result(*series: Series, load: str = "0.1") -> Result:
    environment = {"machine": "x86_64, 2 CPUs", "load before": load}
    return Result(
        datetime(2026, 11, 25, tzinfo=UTC),
        60.0,
        "testbed bench run",
        environment,
        series or (a_series(1000, 940, 700),),
        (a_curve(),),
    )
