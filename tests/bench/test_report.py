"""A benchmark's result: what is computed from its rounds, written, read back, shown and compared. No broker needed."""

import json
import os
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from testbed.bench import as_json, compare, driver, html, terminal, workload
from testbed.bench.compare import Series, Side
from testbed.bench.contrast import contrasts
from testbed.bench.encryption import Encryption
from testbed.bench.latencies import Latencies, distribution
from testbed.bench.meter import Usage, stolen
from testbed.bench.result import Result, caveats
from testbed.bench.rounds import Round, limit
from testbed.bench.statistics import Verdict
from testbed.bench.summary import steps, summaries
from testbed.bench.svg import Axis, Bar, Line, lines, waterfall
from testbed.bench.sweep import Curve, Point
from testbed.bench.yardstick import activemq_rate, perftest_rate
from testbed.checker import Account
from testbed.errors import ClientError, TestbedError

OK = Account(1000, 1000, 1000, 0, (), (), (), (), ())
WORK = workload.load("durable-1k")
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
    return Series(WORK, driver.load(by), tuple(sides))


def a_curve() -> Curve:
    points = tuple(
        Point(rate, min(rate, 900), rate <= 900, a_round(min(rate, 900), 1 + rate / 100))
        for rate in (100.0, 500.0, 900.0, 1000.0)
    )
    return Curve(WORK, driver.load("rabbitmq"), LAYERS[2].label, LAYERS[2], points)


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
    assert tls.median == pytest.approx(0.94, abs=0.02)
    assert tls.verdict is Verdict.LOWER
    assert volume.median == pytest.approx(0.745, abs=0.02)  # type: ignore[union-attr]


def test_a_side_that_did_nothing_is_not_compared() -> None:
    series = a_series(1000, 940, rounds=2)
    broken = replace(
        series, sides=(series.sides[0], replace(series.sides[1], rounds=(a_round(0), a_round(0))))
    )
    assert steps(broken) == ("not comparable",)
    assert summaries(broken)[1].ratio is None


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


def test_what_the_hypervisor_took_is_read_from_the_kernel(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 50 9000 10 0 5 700 0 0\ncpu0 50 0 25 4500 5 0 2 350 0 0\n")
    assert stolen(stat) == 700 / os.sysconf("SC_CLK_TCK")
    stat.write_text("cpu  100 0 50 9000\n")
    assert stolen(stat) == stolen(tmp_path / "none") == 0.0


@pytest.mark.parametrize(
    ("stolen", "plays", "repeated"),
    [
        ([0.0] * 6, 6, 0),
        ([0.0, 0.0, 0.0, 0.3, 0.0, 0.0, 0.1, 0.1], 8, 1),  # the second turn, on both sides
        ([0.5] * 12, 12, 3),  # as it is, after as many again as were asked for
    ],
)
def test_a_round_that_the_hypervisor_robbed_is_made_again_on_all_sides(
    monkeypatch: pytest.MonkeyPatch, stolen: list[float], plays: int, repeated: int
) -> None:
    made = [a_round(1000.0 + number, stolen=share) for number, share in enumerate(stolen)]
    left = list(made)
    monkeypatch.setattr(compare, "plan", lambda *_, **__: None)
    monkeypatch.setattr(compare, "route", lambda _: "container")
    monkeypatch.setattr(
        compare, "play_in_turns", lambda _, plans, *__: [left.pop(0) for _ in plans]
    )
    target: Any = SimpleNamespace(encryption=LAYERS[0], running="4.0.5")
    fleet: Any = None
    series = compare.alternate(
        replace(WORK, rounds=3), driver.load("rabbitmq"), {"A": target, "B": target}, fleet
    )
    assert (len(made) - len(left), series.repeated) == (plays, repeated)
    assert [len(side.rounds) for side in series.sides] == [3, 3]
    assert (
        sorted(each.confirmed for side in series.sides for each in side.rounds)[-1]
        == made[-1].confirmed
    )
    assert ("made again" in " ".join(caveats(a_result(series)))) is bool(repeated)


@pytest.mark.parametrize(("made", "rate", "expected"), LIMITS)
def test_which_side_was_the_limit(made: Round, rate: float, expected: str) -> None:
    assert limit(replace(WORK, rate=rate), driver.load("rabbitmq"), made, cores=2) == expected


def test_a_result_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    result = a_result(a_series(1000, 940, 700), a_series(500, 450, by="activemq"))
    file = tmp_path / "result.json"
    file.write_text(as_json.render(result))
    assert as_json.read(file) == result


def test_the_document_says_what_it_is_and_has_no_password(tmp_path: Path) -> None:
    document = json.loads(as_json.render(a_result()))
    assert document["schema"] == 3
    assert document["caveats"]
    side = document["series"][0]["sides"][0]
    assert "password" not in json.dumps(document)
    assert side["rounds"][0]["end_to_end"]["histogram"].startswith("HIST")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "cannot be read"),
        ("{}", "is not a benchmark's result"),
        ('{"kind": "amazonmq-testbed benchmark", "schema": 99}', "has schema 99"),
        ('{"kind": "amazonmq-testbed benchmark", "schema": 2}', "has schema 2"),
        ('{"kind": "amazonmq-testbed benchmark", "schema": 3}', "damaged"),
    ],
)
def test_what_is_no_result_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "result.json"
    file.write_text(text)
    with pytest.raises(TestbedError, match=said):
        as_json.read(file)


def test_the_page_needs_nothing_else() -> None:
    page = html.render(a_result(), contrasts([("a.json", a_result()), ("b.json", a_result())]))
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert (
        page.count('class="chart"') == 4
    )  # waterfall, percentiles, throughput and latency against rate
    assert "ratio" in page
    assert "Generators and broker share" in page


def test_what_comes_from_outside_is_escaped() -> None:
    series = a_series(1000, 940)
    evil = replace(
        series,
        sides=tuple(replace(side, label="<script>alert(1)</script>") for side in series.sides),
    )
    page = html.render(a_result(evil))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_result_shows_on_eighty_columns() -> None:
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    terminal.show(a_result(), console)
    text = console.export_text()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "TLS, plain volume" in text
    assert "sustained" in text
    terminal.show_contrasts(contrasts([("a", a_result()), ("b", a_result())]), console)


def test_caveats_say_what_the_numbers_call_for() -> None:
    busy = " ".join(caveats(a_result(load="9.0")))
    assert "busy with something else" in busy
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


def test_results_of_different_runs_are_compared() -> None:
    slower = replace(
        a_result(a_series(500, 470, 350, seed=1)),
        environment={"machine": "another", "load before": "0.1"},
    )
    [found] = contrasts([("first", a_result()), ("second", slower)])
    assert [row.ratio.verdict for row in found.rows] == [Verdict.LOWER] * 3
    assert found.changed == ("machine: x86_64, 2 CPUs and another",)
    [same] = contrasts(
        [("first", a_result()), ("second", a_result(a_series(1000, 940, 700, seed=2)))]
    )
    assert [row.ratio.verdict for row in same.rows] == [Verdict.NOISE] * 3


def test_the_highest_rate_sustained_is_below_the_first_that_was_not() -> None:
    assert a_curve().highest == 900.0
    assert replace(a_curve(), points=()).highest == 0.0


def drawn(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture.partition("</svg>")[0] + "</svg>")


def test_pictures_are_well_formed_and_inside_their_frame() -> None:
    picture = lines(
        "Title",
        Axis("x", True),
        Axis("y", True),
        [Line("a", ((1, 5), (10, 50), (1e5, 7))), Line("b", ((1, 1),))],
    )
    root = drawn(picture)
    points = [
        float(number)
        for each in root.iter("polyline")
        for pair in each.get("points", "").split()
        for number in pair.split(",")
    ]
    assert points
    assert min(points) >= 0
    assert max(points) <= 640
    bars = drawn(
        waterfall("Title", "msg/s", [Bar("a & b", 100, 90, 110), Bar("c", 50, 40, 60, "half")])
    )
    assert all(float(each.get("width", "0")) <= 640 for each in bars.iter("rect"))
    assert any("a & b" in (each.text or "") for each in bars.iter("text"))


def test_nothing_to_draw_is_no_picture() -> None:
    assert lines("Title", Axis("x", True), Axis("y", True), [Line("a", ((0, 0),))]) == ""
    assert waterfall("Title", "msg/s", []) == ""


PERFTEST = """\
id: test-114030-123, starting consumer #0
id: test-114030-123, starting producer #0
id: test-114030-123, time 1.000 s, sent: 9,000 msg/s, returned: 0 msg/s, confirmed: 1,000 msg/s, nacked: 0 msg/s, received: 500 msg/s, min/median/75th/95th/99th consumer latency: 1/2/3/4/5 µs
id: test-114030-123, time 6.000 s, sent: 9000 msg/s, returned: 0 msg/s, confirmed: 8000 msg/s, nacked: 0 msg/s, received: 7,000 msg/s, min/median/75th/95th/99th consumer latency: 1/2/3/4/5 µs
id: test-114030-123, time 7.000 s, sent: 9000 msg/s, returned: 0 msg/s, confirmed: 8200 msg/s, nacked: 0 msg/s, received: 9000 msg/s, min/median/75th/95th/99th consumer latency: 1/2/3/4/5 µs
id: test-114030-123, sending rate avg: 7000 msg/s
"""


def test_perftest_is_read_after_its_warm_up() -> None:
    assert perftest_rate(PERFTEST, warm_up=5.0) == 8000  # received; confirmed is 8,100
    with pytest.raises(ClientError, match="sending rate avg"):
        perftest_rate(PERFTEST, warm_up=50.0)


def test_activemqs_tool_is_read() -> None:
    assert activemq_rate("measured 4000 3000 2000\n") == 1500
    with pytest.raises(ClientError, match="it said nothing"):
        activemq_rate("")
