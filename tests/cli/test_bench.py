"""`testbed bench` as a user types it."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from testbed.bench import results
from testbed.cli.root import app

runner = CliRunner()


def test_what_is_shipped_is_listed() -> None:
    done = runner.invoke(app, ["bench", "list"])
    assert done.exit_code == 0
    assert "durable-1k" in done.output
    assert "activemq-java" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-w", "nonsense"], "Unknown workload 'nonsense'"),
        (["-d", "nonsense"], "Unknown driver 'nonsense'"),
        (["-e", "nonsense"], "Unknown encryption"),
        (["--rounds", "0"], "rounds should be from 1"),
        (["--turn", "0.1"], "turn needs confirmation each, or pattern connect"),
        (["-w", "confirm-each", "--turn", "0.1"], "activemq sends more than 2 messages at once"),
        (
            ["-w", "confirm-each", "-d", "rabbitmq", "--turn", "0.1", "--rate", "5"],
            "--turn needs whole rounds without a rate",
        ),
        (["--search"], "search needs a rate"),
        (["--endpoint", "amqps://b-1.mq.us-east-1.amazonaws.com"], "one --driver"),
        (
            ["-d", "rabbitmq", "--endpoint", "amqps://b-1.mq.us-east-1.amazonaws.com"],
            "--password-file",
        ),
        (
            ["-d", "rabbitmq", "--endpoint", "amqps://b-1:5671", "--password-file", sys.executable],
            "cannot be read: it is not in UTF-8",
        ),
        (["-e", "tls:TLSv1.1"], "version should be one of TLSv1.2, TLSv1.3, not 'TLSv1.1'"),
    ],
)
def test_a_wrong_argument_is_one_line_and_starts_nothing(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    done = runner.invoke(app, ["bench", "run", *arguments, "--state", str(tmp_path / "state")])
    assert done.exit_code == 1
    assert message in done.output
    assert not (tmp_path / "state").exists()


def test_a_file_that_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    for option in ("--json", "--html"):
        done = runner.invoke(
            app, ["bench", "run", option, "/proc/none/a", "--state", str(tmp_path)]
        )
        assert done.exit_code == 1
        assert "Nothing can be written into /proc/none" in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_password_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b"caf\xe9\n")
    remote = ("--endpoint", "amqps://b-1.mq.us-east-1.amazonaws.com", "--username", "alice")
    arguments = ("-d", "rabbitmq", *remote, "--password-file", str(tmp_path / "password"))
    done = runner.invoke(app, ["bench", "run", *arguments])
    assert done.exit_code == 1
    assert "it is not in UTF-8" in done.output


def test_a_yardstick_has_a_known_engine(tmp_path: Path) -> None:
    arguments = ["bench", "yardstick", "--engine", "kafka", "--state", str(tmp_path / "state")]
    done = runner.invoke(app, arguments)
    assert done.exit_code == 1
    assert "Unknown engine 'kafka'" in done.output
    assert not (tmp_path / "state").exists()


def test_one_result_compares_with_nothing(tmp_path: Path) -> None:
    assert runner.invoke(app, ["bench", "compare", str(tmp_path / "a.json")]).exit_code == 1


@pytest.mark.nightly("a whole run by the command; every push has test_load.py")
@pytest.mark.containers
def test_a_run_from_its_brokers_to_its_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, page = tmp_path / "result.json", tmp_path / "result.html"
    short = ["--rounds", "2", "--warm-up", "0.1", "--duration", "0.4"]
    options = [
        *short,
        "-w",
        "confirm-each",
        "-d",
        "rabbitmq-pika",
        "--fresh",
        "--json",
        str(result),
        "--html",
        str(page),
    ]
    encryptions = [
        word
        for encryption in (
            "plaintext+plain",
            "tls+plain",
            "tls",
            "tls+envelope",
            "tls+envelope-cached",
        )
        for word in ("-e", encryption)
    ]
    typed = ["bench", "run", *options, *encryptions]
    monkeypatch.setattr("sys.argv", ["/a/path/to/testbed", *typed])
    done = runner.invoke(app, typed)
    assert done.exit_code == 0, done.output
    [series] = results.read(result).series
    assert [str(side.encryption) for side in series.sides] == [
        "plaintext+plain",
        "tls+plain",
        "tls",
        "tls+envelope",
        "tls+envelope-cached",
    ]
    assert all(measured.ok for side in series.sides for measured in side.rounds)
    calls = [sum(measured.kms_calls for measured in side.rounds) for side in series.sides]
    messages = [
        sum(measured.confirmed * measured.seconds for measured in side.rounds)
        for side in series.sides
    ]
    assert calls[:3] == [0, 0, 0]
    assert calls[3] == pytest.approx(2 * messages[3], rel=0.3, abs=10)  # one to seal, one to open
    assert calls[4] < calls[3]
    assert "<script" not in page.read_text()
    again = runner.invoke(app, ["bench", "compare", str(result), str(result), "--html", str(page)])
    assert again.exit_code == 0, again.output
    assert "1.000" in again.output
    assert json.loads(result.read_text())["command"] == shlex.join(["testbed", *typed])
