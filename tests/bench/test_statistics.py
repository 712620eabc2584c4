"""Whether a difference is one: pure numbers with a planted truth; and merged latencies."""

from random import Random

import pytest

from testbed.bench.statistics import (
    Latencies,
    Verdict,
    distribution,
    interval,
    ratio,
    spread,
    unpaired,
)


def rounds(rng: Random, count: int, rate: float, noise: float) -> list[float]:
    """Return rates as on a shared machine: mostly near the truth, occasionally far below."""
    return [
        rate * rng.lognormvariate(0, noise) * (0.7 if rng.random() < 0.05 else 1)
        for _ in range(count)
    ]


# 1 - 2 * P(binomial(n, 1/2) < k), and which of n sorted values the interval ends with.
INTERVALS = [
    (1, 0, 0, 0.0),
    (3, 0, 2, 0.75),
    (5, 0, 4, 0.9375),
    (6, 0, 5, 0.96875),
    (8, 0, 7, 0.9921875),
    (9, 1, 7, 0.9609375),
    (10, 1, 8, 0.978515625),
    (12, 2, 9, 0.96142578125),
    (20, 5, 14, 0.958610534667969),
]


@pytest.mark.parametrize(("count", "low", "high", "confidence"), INTERVALS)
def test_interval_is_the_sign_tests(count: int, low: int, high: int, confidence: float) -> None:
    values = list(range(count))
    Random(count).shuffle(values)
    result = interval(values)
    assert result[:2] == (low, high)
    assert result[2] == pytest.approx(confidence)


def test_interval_holds_the_true_median_as_often_as_it_says() -> None:
    rng = Random(1)
    covered = 0
    for _ in range(2000):
        low, high, _ = interval([rng.expovariate(1) for _ in range(12)])
        covered += low <= 0.6931471805599453 <= high  # ln 2
    assert covered / 2000 == pytest.approx(0.9614, abs=0.02)


@pytest.mark.parametrize("noise", [0.005, 0.01, 0.02])
def test_a_slowdown_of_five_percent_is_found(noise: float) -> None:
    detected = 0
    for seed in range(200):
        rng = Random(seed)
        compared = ratio(rounds(rng, 20, 30_000, noise), rounds(rng, 20, 30_000 * 0.95, noise))
        detected += compared.verdict is Verdict.LOWER
    assert detected >= 190
    assert compared.median == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("count", [6, 10, 20])
def test_the_same_thing_twice_is_not_called_different(count: int) -> None:
    """More often than the stated confidence allows."""
    wrong = 0
    for seed in range(1000):
        rng = Random(seed)
        compared = ratio(rounds(rng, count, 30_000, 0.02), rounds(rng, count, 30_000, 0.02))
        wrong += compared.verdict is not Verdict.NOISE
    assert wrong / 1000 < 1 - compared.confidence + 0.02


def test_drift_that_touches_both_sides_does_not_show() -> None:
    rng = Random(3)
    drift = [1 - 0.04 * number for number in range(10)]
    first = [rate * slower for rate, slower in zip(rounds(rng, 10, 1000, 0.01), drift, strict=True)]
    second = [
        rate * slower for rate, slower in zip(rounds(rng, 10, 1000, 0.01), drift, strict=True)
    ]
    assert ratio(first, second).verdict is Verdict.NOISE


def test_too_few_rounds_find_nothing() -> None:
    assert ratio([100, 101, 99], [50, 51, 49]).verdict is Verdict.NOISE
    assert ratio([100, 101, 99, 100, 100], [50, 51, 49, 50, 50]).verdict is Verdict.LOWER
    assert ratio([50, 51, 49, 50, 50], [100, 101, 99, 100, 100]).verdict is Verdict.HIGHER


def test_noise_is_said_to_be_noise() -> None:
    assert str(ratio([100] * 6, [99, 101, 100, 102, 98, 100])) == "1.000 [0.980, 1.020] (noise)"
    assert str(ratio([100] * 6, [50] * 6)) == "0.500 [0.500, 0.500]"


@pytest.mark.parametrize(
    ("baseline", "other"),
    [([], []), ([1.0], [1.0, 2.0]), ([1.0, 0.0], [1.0, 1.0]), ([1.0], [float("nan")])],
)
def test_what_is_no_pair_of_rounds_is_refused(baseline: list[float], other: list[float]) -> None:
    with pytest.raises(ValueError, match=r"rounds come in pairs|cannot be compared"):
        ratio(baseline, other)


def test_spread_ignores_a_single_outlier() -> None:
    assert spread([100, 100, 100, 100, 10]) == 0
    assert spread([90, 100, 110, 100, 90, 110, 90, 110]) == pytest.approx(0.1)
    assert spread([]) == 0


def test_runs_at_different_times_compare_by_bootstrap() -> None:
    rng = Random(5)
    assert (
        unpaired(rounds(rng, 10, 1000, 0.01), rounds(rng, 10, 900, 0.01)).verdict is Verdict.LOWER
    )
    assert (
        unpaired(rounds(rng, 10, 1000, 0.01), rounds(rng, 10, 1000, 0.01)).verdict is Verdict.NOISE
    )
    assert unpaired([1000, 1001], [500, 501]).verdict is Verdict.NOISE  # two rounds say nothing
    with pytest.raises(ValueError, match="cannot be compared"):
        unpaired([1.0], [])


def test_histograms_are_merged_not_averaged() -> None:
    fast, slow = Latencies(), Latencies()
    fast.add(1_000_000, 99)
    slow.add(100_000_000, 101)
    together = distribution([fast.encoded(), slow.encoded(), Latencies().encoded()])
    assert together.count == 200
    assert together.at(49) == pytest.approx(1, rel=0.01)
    assert dict(together.percentiles)[50.0] == pytest.approx(100, rel=0.01)
    assert together.curve()[-1][0] == 100.0


def test_an_empty_histogram_is_no_error() -> None:
    empty = distribution([])
    assert (empty.count, empty.most, empty.curve()) == (0, 0.0, ())
