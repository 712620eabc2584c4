import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from testbed.campaign.results import encode
from testbed.cli.campaign import _command, app
from tests.support.campaign import a_campaign, played


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_the_plan_is_printed_and_is_the_same_for_a_seed() -> None:
    first, second = (invoke("plan", "--seed", "7", "--rounds", "2") for _ in range(2))
    assert first.exit_code == 0, first.output
    assert first.output == second.output
    assert first.output.startswith("seed 7\nrabbitmq-single 1: ")
    document = json.loads(invoke("plan", "--seed", "7", "--rounds", "2", "--json").stdout)
    assert document["seed"] == 7
    assert len(document["rounds"]) == len(first.output.splitlines()) - 1


def test_a_topology_that_is_named_twice_has_its_rounds_once() -> None:
    once = ("plan", "--seed", "7", "--rounds", "2", "-t", "rabbitmq-single")
    assert invoke(*once, "-t", "rabbitmq-single").output == invoke(*once).output
    assert invoke(*once, "-t", "activemq-single").output != invoke(*once).output, "control"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan", "--topology", "star"), "no topology 'star'"),
        (("plan", "--fault", "flood"), "no fault 'flood'"),
        (
            ("plan", "-t", "activemq-single", "-f", "kill", "-f", "disk-full"),
            "The fault disk-full does not apply to ActiveMQ, single instance.",
        ),
        (("run", "--round", "1"), "--round needs one --topology"),
    ],
)
def test_what_makes_no_sense_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output


def test_histories_of_an_earlier_run_are_kept_and_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "rabbitmq-single-001.jsonl").write_text("kept")
    result = invoke("run", "--folder", str(tmp_path))
    assert result.exit_code == 1
    assert "histories of an earlier run, such as rabbitmq-single-001.jsonl" in result.output
    assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"]


def test_one_round_is_repeated_by_its_number() -> None:
    assert _command(7, ["rabbitmq-single"], [], 10, 1, 3).endswith("--round 3")
    assert "--round " not in _command(7, ["rabbitmq-single"], [], 10, 1, None), "control"


@pytest.mark.parametrize("lost", [False, True])
def test_results_are_shown_again_with_their_verdict(tmp_path: Path, lost: bool) -> None:
    path = tmp_path / "run.json"
    path.write_text(encode(a_campaign(played(lost=lost))))
    result = invoke("show", str(path), "--folder", str(tmp_path))
    assert result.exit_code == int(lost), result.output
    assert ("NOT OK" in result.output) == lost
    assert (tmp_path / "faults.html").read_text().startswith("<!doctype html>")
    assert "RabbitMQ, single instance" in (tmp_path / "faults.md").read_text()
    assert json.loads((tmp_path / "faults.json").read_text())["schema"] == 1
