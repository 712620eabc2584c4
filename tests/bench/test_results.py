"""Limits of rounds, curves, and the document that a result is written as."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.bench.analysis import caveats
from testbed.bench.results import Round, encode, limit, read
from testbed.bench.spec import load_driver
from testbed.errors import TestbedError
from tests.support.bench_results import WORK, a_curve, a_result, a_round, a_series

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


@pytest.mark.parametrize(("measured", "rate", "expected"), LIMITS)
def test_which_side_was_the_limit(measured: Round, rate: float, expected: str) -> None:
    measured = replace(measured, cores=2)
    assert limit(replace(WORK, rate=rate), load_driver("rabbitmq"), measured) == expected


def test_the_limit_is_that_of_the_machine_that_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """``bench show`` may run anywhere."""
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    measured = replace(a_round(1000, cores=1.0), generator_cores=0.9, cores=2)
    assert limit(WORK, load_driver("rabbitmq"), measured) == "machine"
    assert limit(WORK, load_driver("rabbitmq"), replace(measured, cores=16)) == "broker"


def test_the_highest_rate_sustained_is_below_the_first_that_was_not() -> None:
    assert a_curve().highest == 900.0
    assert replace(a_curve(), points=()).highest == 0.0


def test_a_result_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    result = a_result(a_series(1000, 940, 700), a_series(500, 450, by="activemq"))
    file = tmp_path / "result.json"
    file.write_text(encode(result))
    assert read(file) == result


def test_the_document_says_what_it_is_and_has_no_password() -> None:
    result = a_result()
    document = json.loads(encode(result, caveats(result)))
    assert document["schema"] == 4
    assert document["caveats"]
    side = document["series"][0]["sides"][0]
    assert "password" not in json.dumps(document)
    assert side["rounds"][0]["end_to_end"]["histogram"].startswith("HIST")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "cannot be read"),
        ("{}", "is not a benchmark's result"),
        ('{"kind": "amazonmq-testbed benchmark", "schema": 99}', "has schema 99"),
        ('{"kind": "amazonmq-testbed benchmark", "schema": 3}', "has schema 3"),
        ('{"kind": "amazonmq-testbed benchmark", "schema": 4}', "damaged"),
    ],
)
def test_what_is_no_result_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "result.json"
    file.write_text(text)
    with pytest.raises(TestbedError, match=message):
        read(file)
