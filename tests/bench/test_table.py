"""The cost table: its expected orders, its target, and the page. No broker needed."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from testbed.bench import results
from testbed.bench.render import markdown
from testbed.bench.results import Series, Settings, Side, Yardstick
from testbed.bench.rounds import plan
from testbed.bench.spec import DRIVERS, load_driver, load_workload
from testbed.bench.statistics import Ratio, ratio
from testbed.bench.table import Section, orders, outcome, sections, volume_costs
from testbed.bench.target import Encryption, Target
from testbed.cli.root import app
from testbed.clients import PROTOCOLS
from testbed.clients.base import Address
from testbed.errors import TestbedError
from tests.support.bench_results import a_result, a_series

TABLE = sections(rounds=8, warm_up=0.1, duration=0.1)


def under(workload: str, *texts: str, rates: tuple[float, ...]) -> Series:
    """Return a series of the table, with these encryptions and rates."""
    series = a_series(*(1000.0,) * 3)
    sides = []
    for number, (text, rate) in enumerate(zip(texts, rates, strict=True)):
        encryption = Encryption.parse(text)
        rounds = a_series(rate, seed=number).sides[0].rounds
        sides.append(Side(encryption.label, encryption, "5.19", "container", rounds))
    return replace(
        series, workload=load_workload(workload), driver=load_driver("activemq"), sides=tuple(sides)
    )


def test_the_table_has_every_protocol_and_size() -> None:
    cases = [case for section in TABLE for case in section.cases]
    assert {case.driver.name for case in cases} == {path.stem for path in DRIVERS.glob("*.toml")}
    assert {case.driver.protocol for case in cases} == set(PROTOCOLS)
    assert {case.workload.size for case in cases if case.workload.pattern == "queue"} >= {
        100,
        1024,
        65536,
        1048576,
    }


def test_what_the_table_says_of_requests_in_flight_is_what_is_planned() -> None:
    [about] = [section.about for section in TABLE if "patterns" in section.title]
    assert "ten in flight (on ActiveMQ 32" in about
    address = Address("amqp", "127.0.0.1", 5671, "user", "secret")
    for name, expected in (("rabbitmq", 10), ("activemq", 32)):
        planned = plan(load_workload("request-reply"), load_driver(name), Target("", address))
        requests = [job for job in planned.jobs if job.role == "request"]
        assert sum(job.window * len(job.assignments) for job in requests) == expected


ORDERS = [
    ("durable-1k", ("plaintext+plain", "tls+plain", "tls"), (1000.0, 900.0, 700.0), 2, 0),
    ("durable-1k", ("plaintext+plain", "tls+plain", "tls"), (1000.0, 900.0, 950.0), 2, 1),
    ("durable-1k", ("plaintext+plain", "tls+plain", "tls"), (1000.0, 1000.0, 1000.0), 2, 0),
    (
        "transient-64k",
        ("tls:ECDHE-RSA-AES128-GCM-SHA256+plain", "tls:AES256-SHA+plain"),
        (1000.0, 500.0),
        1,
        0,
    ),
    (
        "transient-64k",
        ("tls:ECDHE-RSA-AES128-GCM-SHA256+plain", "tls:AES256-SHA+plain"),
        (500.0, 1000.0),
        1,
        1,
    ),
    ("confirm-each", ("tls", "tls+envelope", "tls+envelope-cached"), (1000.0, 100.0, 500.0), 2, 0),
    ("confirm-each", ("tls", "tls+envelope", "tls+envelope-cached"), (1000.0, 500.0, 100.0), 2, 1),
]


@pytest.mark.parametrize(("workload", "texts", "rates", "count", "broken"), ORDERS)
def test_a_broken_order_is_found(
    workload: str, texts: tuple[str, ...], rates: tuple[float, ...], count: int, broken: int
) -> None:
    checked = orders(a_result(under(workload, *texts, rates=rates)))
    assert len(checked) == count
    assert sum(not order.holds for order in checked) == broken


AIMED = [
    (700.0, "not reached"),
    (870.0, "not reached"),
    (900.0, "below by less than the noise"),
    (910.0, "reached"),
    (990.0, "reached"),
]


@pytest.mark.parametrize(("rate", "expected"), AIMED)
def test_the_volume_is_compared_with_its_target(rate: float, expected: str) -> None:
    [cost] = volume_costs(a_result(a_series(1100, 1000, rate)))
    assert cost.ratio.median == pytest.approx(rate / 1000, rel=0.02)
    assert cost.outcome == expected


def test_a_target_inside_the_noise_is_not_called_reached() -> None:
    assert outcome(Ratio(0.86, 0.67, 0.93, 0.99, ()), 0.9) == "below by less than the noise"


def test_the_target_is_about_durable_messages_of_1_kb_alone() -> None:
    assert (
        volume_costs(a_result(under("durable-64k", "tls+plain", "tls", rates=(1000.0, 500.0))))
        == ()
    )
    assert (
        volume_costs(a_result(under("durable-1k", "plaintext+plain", "tls", rates=(1000.0, 500.0))))
        == ()
    )


def test_the_page_has_every_number_and_what_is_missing() -> None:
    series = a_series(1000, 940, 700)
    section = Section("What each layer leaves", "Durable.", TABLE[0].cases[:1])
    series = replace(series, section=section.title)
    theirs, ours = (1000.0,) * 8, (900.0,) * 8
    tool = Yardstick(
        "RABBITMQ",
        "PerfTest",
        Settings(1, 1, 500),
        Settings(1, 1, 2000),
        "inside",
        theirs,
        ours,
        ratio(theirs, ours),
    )
    page = markdown.render(replace(a_result(series), yardsticks=(tool,)), [section])
    assert "- brokers: RABBITMQ 4.0.5\n" in page
    assert "| TLS, encrypted volume |" in page
    assert "2 of 2 expected orders hold" in page
    assert "PerfTest (1 producer, 1 consumer, 500 in flight) | 1,000 | 900 " in page
    assert page.count("not reached") == 2
    assert "does not say what encryption costs" in page
    short = markdown.render(
        a_result(under("transient-64k", "tls:AES256-SHA+plain", rates=(1000.0,))), [section]
    )
    assert "target" not in short
    assert "brokers' own" not in short


def test_the_result_is_kept_when_there_is_no_comparison_with_the_brokers_own_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> Yardstick:
        raise TestbedError("not all messages came out")

    measured = a_result(replace(a_series(1000, 940, 700), section=TABLE[0].title))
    monkeypatch.setattr("testbed.cli.bench_table.open_testbed", lambda **_: nullcontext())
    monkeypatch.setattr("testbed.bench.run.run_cases", lambda *_: measured)
    monkeypatch.setattr("testbed.bench.yardstick.compare_generators", fails)
    page, result = tmp_path / "costs.md", tmp_path / "costs.json"
    with caplog.at_level("INFO", logger="testbed"):
        done = CliRunner().invoke(
            app, ["bench", "table", "--docs", str(page), "--json", str(result)]
        )
    assert done.exit_code == 0, done.output
    warning = "RABBITMQ: not compared with its own generator: not all messages came out"
    assert warning in caplog.messages
    assert results.read(result) == measured
    assert "What each layer leaves" in page.read_text()
