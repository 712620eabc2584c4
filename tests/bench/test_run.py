"""Alternating rounds and the search for a rate, without a broker."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from testbed.bench import run
from testbed.bench.analysis import caveats
from testbed.bench.spec import Case, load_driver
from tests.support.bench_results import LAYERS, WORK, a_result, a_round


@pytest.mark.parametrize(
    ("stolen", "plays", "repeated"),
    [
        ([0.0] * 6, 6, 0),
        ([0.0, 0.0, 0.0, 0.3, 0.0, 0.0, 0.1, 0.1], 8, 1),  # the second turn, on both sides
        ([0.5] * 12, 12, 3),  # as it is, after as many again as were asked for
    ],
)
def test_a_round_that_the_hypervisor_robbed_is_repeated_on_all_sides(
    monkeypatch: pytest.MonkeyPatch, stolen: list[float], plays: int, repeated: int
) -> None:
    rounds = [a_round(1000.0 + number, stolen=share) for number, share in enumerate(stolen)]
    left = list(rounds)
    monkeypatch.setattr(run, "plan", lambda *_, **__: None)
    monkeypatch.setattr(run, "route_of", lambda _: "container")
    monkeypatch.setattr(
        run, "play_in_turns", lambda _, plans, *__, **___: [left.pop(0) for _ in plans]
    )
    target: Any = SimpleNamespace(encryption=LAYERS[0], running="4.0.5")
    fleet: Any = None
    series = run.alternate(
        Case(replace(WORK, rounds=3), load_driver("rabbitmq"), ()),
        {"A": target, "B": target},
        fleet,
    )
    assert (len(rounds) - len(left), series.repeated) == (plays, repeated)
    assert [len(side.rounds) for side in series.sides] == [3, 3]
    confirmed = max(measured.confirmed for side in series.sides for measured in side.rounds)
    assert confirmed == rounds[-1].confirmed
    assert ("repeated" in " ".join(caveats(a_result(series)))) is bool(repeated)


def test_the_search_closes_in_on_the_highest_rate() -> None:
    rate, low, high = 100.0, 0.0, 0.0
    for _ in range(30):
        rate, low, high = run.next_rate(rate, low, high, sustained=rate <= 12_345)
    assert low <= 12_345 <= high
    assert high - low < 1
