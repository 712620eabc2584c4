"""What the rounds of a benchmark add up to."""

from dataclasses import replace

import pytest

from testbed.bench.analysis import caveats, compare, steps, summaries
from testbed.bench.results import Side
from testbed.bench.statistics import Verdict
from tests.support.bench_results import LAYERS, a_result, a_round, a_series


def test_a_summary_is_in_the_units_that_people_ask_for() -> None:
    plaintext, tls, encrypted = summaries(a_series(1000, 940, 700, noise=0))
    assert plaintext.rate == 1000
    assert plaintext.ratio is None
    assert plaintext.broker_cpu == pytest.approx(1500)  # µs: 1.5 cores for 1,000 messages a second
    assert plaintext.generator_cpu == pytest.approx(300)
    assert (plaintext.bytes_in, plaintext.bytes_out, plaintext.syncs) == pytest.approx(
        (1100, 1200, 0.2)
    )
    assert tls.ratio
    assert tls.ratio.median == pytest.approx(0.94)
    assert encrypted.confirmation.count == 800  # all rounds' together


def test_each_layer_is_compared_with_the_one_before() -> None:
    tls, volume = steps(a_series(1000, 940, 700))
    assert tls
    assert tls.median == pytest.approx(0.94, abs=0.02)
    assert tls.verdict is Verdict.LOWER
    assert volume
    assert volume.median == pytest.approx(0.745, abs=0.02)


def test_a_side_that_did_nothing_is_not_compared() -> None:
    series = a_series(1000, 940, rounds=2)
    broken = replace(
        series, sides=(series.sides[0], replace(series.sides[1], rounds=(a_round(0), a_round(0))))
    )
    assert steps(broken) == (None,)
    assert summaries(broken)[1].ratio is None


def _measured_on(cores: int) -> Side:
    return Side("tls", LAYERS[2], "4.0.5", "container", (replace(a_round(1000), cores=cores),))


def test_caveats_say_what_the_numbers_call_for() -> None:
    busy = " ".join(caveats(a_result(load="9.0")))
    assert "busy with something else" in busy
    many = replace(a_series(1000), sides=(_measured_on(64),))
    assert "busy" not in " ".join(caveats(replace(a_result(many, load="9.0"), curves=())))
    noisy = " ".join(caveats(a_result(a_series(1000, 940, noise=0.5))))
    assert "more than 10 % apart" in noisy
    calm = " ".join(caveats(a_result()))
    assert "busy" not in calm
    assert "apart" not in calm
    assert "hypervisor" not in calm
    robbed = replace(
        a_series(1000),
        sides=(Side("tls", LAYERS[2], "4.0.5", "container", (a_round(1000, stolen=0.25),)),),
    )
    assert "hypervisor gave 5 % of" in " ".join(
        caveats(a_result(robbed))
    )  # one of five rounds, with those of the curve
    series = a_series(1000, 940)
    bound = replace(
        series,
        sides=tuple(
            replace(side, rounds=tuple(a_round(1000, busiest=0.99) for _ in range(8)))
            for side in series.sides
        ),
    )
    assert "the generator was the limit" in " ".join(caveats(a_result(bound)))
    assert "share this machine's processors" in calm
    remote = replace(series, sides=tuple(replace(side, route="remote") for side in series.sides))
    assert "share this machine's processors" not in " ".join(caveats(a_result(remote)))


def test_results_of_different_runs_are_compared() -> None:
    slower = replace(
        a_result(a_series(500, 470, 350, seed=1)),
        environment={"machine": "another", "load before": "0.1"},
    )
    [comparison] = compare([("first", a_result()), ("second", slower)])
    assert [row.ratio.verdict for row in comparison.rows] == [Verdict.LOWER] * 3
    assert comparison.changed == ("machine: x86_64, 2 CPUs and another",)
    [same] = compare(
        [("first", a_result()), ("second", a_result(a_series(1000, 940, 700, seed=2)))]
    )
    assert [row.ratio.verdict for row in same.rows] == [Verdict.NOISE] * 3
    assert same.changed == ()


def test_a_comparison_says_what_was_measured_otherwise_under_the_same_name() -> None:
    series = a_series(1000)
    larger = replace(series.workload, size=65536, title="Another", rounds=3)
    [side] = series.sides
    other = replace(series, workload=larger, sides=(replace(side, running="4.3.0"),))
    [comparison] = compare([("first", a_result(series)), ("second", a_result(other))])
    label = "durable-1k, rabbitmq, plaintext, plain volume"
    assert comparison.changed == (
        f"{label}, workload's size: 1024 and 65536",
        f"{label}, broker: 4.0.5 and 4.3.0",
    )
