"""Limits of rounds, and curves."""

from dataclasses import replace

import pytest

from testbed.bench.results import Round, limit
from testbed.bench.spec import load_driver
from tests.support.bench_results import WORK, a_curve, a_round

LIMITS = [
    (a_round(1000, busiest=0.95), 0.0, "generator"),
    (a_round(1000, cores=1.4), 0.0, "broker"),
    (replace(a_round(1000, cores=1.0), generator_cores=0.9), 0.0, "machine"),
    (a_round(1000, busiest=0.5), 0.0, "broker"),
    (a_round(1000, busiest=0.5, stolen=0.45), 0.0, "generator"),
    (replace(a_round(1000, cores=0.7, stolen=0.3), generator_cores=0.5), 0.0, "machine"),
    (a_round(1000, busiest=0.95), 1000.0, "rate"),
    (a_round(979.95), 1000.0, "rate"),  # the last message may fall just beyond the end of 10 s
    (a_round(979.85), 1000.0, "broker"),
    (a_round(1000, busiest=0.95), 2000.0, "generator"),
    (a_round(1000, usage=False), 0.0, "broker"),
]


@pytest.mark.parametrize(("made", "rate", "expected"), LIMITS)
def test_which_side_was_the_limit(made: Round, rate: float, expected: str) -> None:
    assert limit(replace(WORK, rate=rate), load_driver("rabbitmq"), made, cores=2) == expected


def test_the_highest_rate_sustained_is_below_the_first_that_was_not() -> None:
    assert a_curve().highest == 900.0
    assert replace(a_curve(), points=()).highest == 0.0
