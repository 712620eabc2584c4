"""Results of different runs side by side."""

from dataclasses import replace

from testbed.bench.compare import compare
from testbed.bench.statistics import Verdict
from tests.support.bench_results import a_result, a_series


def test_results_of_different_runs_are_compared() -> None:
    slower = replace(
        a_result(a_series(500, 470, 350, seed=1)),
        environment={"machine": "another", "load before": "0.1"},
    )
    [found] = compare([("first", a_result()), ("second", slower)])
    assert [row.ratio.verdict for row in found.rows] == [Verdict.LOWER] * 3
    assert found.changed == ("machine: x86_64, 2 CPUs and another",)
    [same] = compare(
        [("first", a_result()), ("second", a_result(a_series(1000, 940, 700, seed=2)))]
    )
    assert [row.ratio.verdict for row in same.rows] == [Verdict.NOISE] * 3
