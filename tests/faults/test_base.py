"""Parameters, and what holds for every fault; no container."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from testbed.cli.fault import app
from testbed.errors import TestbedError
from testbed.faults import base
from testbed.faults.all import FAULTS, find
from testbed.faults.base import Fault, Target
from testbed.faults.running import Faults
from testbed.state import holds
from tests.support.brokers_offline import offline

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "faults.md").read_text()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("200ms", 0.2), ("30s", 30), ("1.5", 1.5), ("5m", 300), ("1h", 3600), ("7d", 604800)],
)
def test_durations(text: str, seconds: float) -> None:
    assert base.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-1s", "0s", "5 years", "1s2", "nan", "inf"])
def test_control_what_is_no_duration(text: str) -> None:
    with pytest.raises(TestbedError, match="is no"):
        base.duration(text)


def test_rates_and_percentages() -> None:
    assert base.bytes_per_second("64kB/s") == 64_000
    assert base.bytes_per_second("1.5M") == 1_500_000
    assert base.share("25%") == 0.25
    for parse, text in ((base.bytes_per_second, "fast"), (base.share, "101%")):
        with pytest.raises(ValueError, match="a "):
            parse(text)


def test_an_unknown_fault_is_answered_with_those_that_exist() -> None:
    with pytest.raises(TestbedError, match="no fault 'flood'") as refused:
        find("flood")
    assert all(name in refused.value.hint for name in FAULTS)


def test_an_unknown_parameter_and_a_wrong_value_are_refused() -> None:
    with pytest.raises(TestbedError, match="kill has no parameter 'hard'"):
        base.parse(find("kill"), {"hard": "yes"})


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_says_what_it_is(fault: Fault) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", fault.name)
    for sentence in (fault.summary, fault.in_aws):
        assert re.fullmatch(r"[A-Z].*\.", sentence)
    values = base.parse(fault, {})
    assert values.keys() == {parameter.name for parameter in fault.parameters}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_each_fault_has_its_row_in_the_page(fault: Fault) -> None:
    parameters = "<br>".join(
        f"`{parameter.name}={parameter.default}`: {parameter.meaning}"
        for parameter in fault.parameters
    )
    name = f"`{fault.name}`" + ("" if fault.lasts else ", at once")
    assert f"\n| {name} | {fault.summary} | {fault.in_aws} | {parameters} |\n" in PAGE


def test_the_page_has_no_other_rows() -> None:
    assert re.findall(r"^\| `([a-z-]+)`", PAGE, re.MULTILINE) == list(FAULTS)


def test_each_fault_has_its_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    called = set(re.findall(r'"([a-z-]+)"', tests))
    called |= {name.replace("_", "-") for name in re.findall(r"faults\.(\w+)\(", tests)}
    assert set(FAULTS) <= called


def test_a_target_is_named_in_the_singular_and_in_the_plural() -> None:
    nodes: Any = [SimpleNamespace(name=name, container_id="") for name in "123"]
    broker: Any = SimpleNamespace(broker_name="orders", nodes=nodes)
    state = SimpleNamespace(status="exited")
    testbed: Any = SimpleNamespace(containers=SimpleNamespace(state=lambda _: state))
    one, more = (Target(testbed, broker, tuple(nodes[:count])) for count in (1, 3))
    assert [one.subject, more.subject] == ["node 1 of orders", "nodes 1, 2, 3 of orders"]
    refusals = [find("cut").refusal(target) for target in (one, more)]
    assert refusals == ["Node 1 is not running.", "Nodes 1, 2, 3 are not running."]


def test_a_fault_that_lasts_holds_what_it_hits_even_when_it_is_not_asked_to(tmp_path: Path) -> None:
    with offline(tmp_path / "state") as testbed:
        Faults(testbed).inject("kms-down", hold=False)
        assert holds.is_held(testbed.state, holds.KMS), "or maintenance would undo it at once"


def test_a_part_of_a_percent_is_said() -> None:
    lost = {"subject": "it", "order": {"loss": base.share("0.5%")}}
    assert "Let 0.5% of" in find("lossy-link").describe(lost)
    assert "7% of" in find("kms-throttle").describe({"kms": {"throttled": base.share("7%")}})


@pytest.mark.parametrize("by", ["4000000d", "9" * 12 + "d"])
def test_the_clock_is_not_turned_beyond_all_dates(tmp_path: Path, by: str) -> None:
    with offline(tmp_path / "state") as testbed:
        before = testbed.clock.datetime()
        with pytest.raises(TestbedError, match="cannot be turned forward by"):
            Faults(testbed).turn_clock(by=by)
        assert Faults(testbed).turn_clock(by="3650d")
        assert testbed.clock.datetime().year in (before.year + 9, before.year + 10), "control"


@pytest.mark.parametrize(
    ("fault", "name"), [("turn-clock", "by"), ("disk-full", "free"), ("slow-link", "rate")]
)
def test_a_number_without_end_is_refused(fault: str, name: str) -> None:
    with pytest.raises(TestbedError, match=f"{name}='9+' is not a "):
        base.parse(find(fault), {name: "9" * 400})


@pytest.mark.parametrize("name", ["node", "broker", "hold", "seconds", "name"])
def test_what_the_command_has_options_for_is_no_parameter(tmp_path: Path, name: str) -> None:
    command = ["run", "pause", "--broker", "x", "--param", f"{name}=1", "--state", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert f"The fault pause has no parameter '{name}'" in result.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("turn-clock", "is over at once"),
        ("rotate-certificate", "is over at once"),
        ("kill", "There is no testbed"),  # control: what it hit can be left as it is for a while
        ("expire-certificate", "There is no testbed"),
    ],
)
def test_a_time_for_what_is_not_undone_is_refused(tmp_path: Path, name: str, message: str) -> None:
    result = CliRunner().invoke(app, ["run", name, "--for", "1s", "--state", str(tmp_path)])
    assert result.exit_code == 1
    assert message in result.stderr
