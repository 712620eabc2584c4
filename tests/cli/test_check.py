import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from testbed.cli.check import app
from testbed.history import Event, Kind
from testbed.history_file import Writer

SOUND = [
    Event(Kind.ATTEMPTED, "1", 1.0, "p", "q"),
    Event(Kind.CONFIRMED, "1", 2.0),
    Event(Kind.RECEIVED, "1", 3.0, "c", "q"),
]


def check(path: Path, events: list[Event], *options: str, ordered: bool = True) -> Result:
    with Writer(path, ordered=ordered) as writer:
        for event in events:
            writer.write(event)
    return CliRunner().invoke(app, [str(path), *options])


def test_a_sound_history_is_ok(tmp_path: Path) -> None:
    result = check(tmp_path / "run.jsonl", SOUND)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("ok: 1 attempted, 1 confirmed, 1 received, 0 lost")


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ([Event(Kind.ATTEMPTED, "2", 4.0), Event(Kind.CONFIRMED, "2", 5.0)], "lost: 2"),
        ([Event(Kind.RECEIVED, "foreign:2", 4.0)], "unexpected: foreign:2"),
        (
            [
                *(Event(Kind.ATTEMPTED, name, 4.0, "p", "q") for name in "23"),
                *(Event(Kind.RECEIVED, name, 4.0, "c", "q") for name in "32"),
            ],
            "disordered: 2",
        ),
        (
            [
                Event(kind, str(number), 5.0)
                for number in range(2, 14)
                for kind in (Kind.ATTEMPTED, Kind.CONFIRMED)
            ],
            "lost: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more",
        ),
    ],
)
def test_a_defect_is_named_and_is_status_1(tmp_path: Path, more: list[Event], line: str) -> None:
    result = check(tmp_path / "run.jsonl", SOUND + more)
    assert result.exit_code == 1
    assert result.output.startswith("NOT OK: ")
    assert result.output.splitlines()[-1] == line
    document = json.loads(check(tmp_path / "as.jsonl", SOUND + more, "--json").stdout)
    assert not document["ok"]
    assert document[line.partition(":")[0]]


def test_disorder_counts_where_order_is_promised(tmp_path: Path) -> None:
    events = [
        *(Event(Kind.ATTEMPTED, name, 1.0, "p", "q") for name in "12"),
        *(Event(Kind.CONFIRMED, name, 2.0) for name in "12"),
        *(Event(Kind.RECEIVED, name, 3.0, "c", "q") for name in "21"),
    ]
    assert check(tmp_path / "queue.jsonl", events).exit_code == 1
    assert check(tmp_path / "network.jsonl", events, ordered=False).exit_code == 0


def test_nothing_confirmed_proves_nothing(tmp_path: Path) -> None:
    result = check(tmp_path / "run.jsonl", [])
    assert result.exit_code == 1
    assert "proves nothing" in result.output


def test_a_file_that_breaks_off_is_said_to(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    check(path, SOUND)
    path.write_bytes(path.read_bytes()[:-20])
    result = CliRunner().invoke(app, [str(path)])
    assert result.exit_code == 1
    assert "The file breaks off" in result.output
    assert "lost: 1" in result.output


def test_an_impossible_history_is_an_error(tmp_path: Path) -> None:
    result = check(tmp_path / "run.jsonl", [Event(Kind.CONFIRMED, "1", 1.0)])
    assert result.exit_code == 1
    assert "is an impossible history: 1 is confirmed, but it was not attempted" in result.stderr
