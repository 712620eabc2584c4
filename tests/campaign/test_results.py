"""The verdict on rounds, their sums, and the document."""

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.campaign.results import encode, read, row
from testbed.errors import TestbedError
from tests.support.campaign import a_campaign, played


def test_a_round_is_ok_when_nothing_is_lost_and_all_streams_come_back() -> None:
    assert played().ok
    assert not played(lost=True).ok
    assert not played(recovery=None).ok
    assert not replace(played(), error="A node was still missing.").ok
    assert not replace(played(), account=None).ok


def test_a_control_is_ok_when_something_is_lost() -> None:
    assert played(control="transient", lost=True).ok
    assert not played(control="transient").ok


def test_a_campaign_without_rounds_proves_nothing() -> None:
    assert a_campaign(played()).ok
    assert not replace(a_campaign(), played=()).ok
    assert not a_campaign(played(), played(lost=True)).ok


def test_a_campaign_that_broke_off_is_not_ok(tmp_path: Path) -> None:
    broken_off = replace(a_campaign(), broken_off="It was interrupted.")
    assert broken_off.rounds_ok
    assert not broken_off.ok
    file = tmp_path / "faults.json"
    file.write_text(encode(broken_off))
    assert read([file, file]).broken_off == "It was interrupted. It was interrupted."


def test_rounds_are_added_up_and_controls_are_apart() -> None:
    campaign = a_campaign(
        played(recovery=1.0), played(recovery=5.0), played(control="transient", lost=True)
    )
    [(topology, [kills, control])] = campaign.rows()
    assert topology == "rabbitmq-single"
    assert (kills.title, kills.rounds, kills.confirmed, kills.lost) == ("kill", 2, 2, 0)
    assert (kills.median, kills.worst) == (3.0, 5.0)
    assert (control.title, control.lost) == ("kill, control: transient", 1)
    assert campaign.total() == replace(kills, title="all")
    assert row("none", []).worst is None


def test_a_document_is_read_again_and_several_are_put_together(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    first.write_text(encode(a_campaign()))
    second.write_text(encode(a_campaign(played(lost=True))))
    assert read([first]) == a_campaign()
    both = read([first, second])
    assert both.played == (played(), played(lost=True))
    assert both.seconds == 120
    elsewhere = replace(a_campaign(), command="another", environment={"machine": "aarch64"})
    second.write_text(encode(elsewhere))
    both = read([first, second])
    assert both.environment == {"machine": "x86_64, 2 CPUs; aarch64"}
    assert both.command == "testbed campaign run --seed 1; another"


def test_a_document_of_an_unknown_topology_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text(encode(a_campaign()).replace('"rabbitmq-single"', '"rabbitmq-triple"'))
    with pytest.raises(TestbedError, match=r"unknown topology, 'rabbitmq-triple'"):
        read([path])


@pytest.mark.parametrize("content", ["", "{}", '{"kind": "amazonmq-testbed campaign"}', "[1"])
def test_anything_else_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(TestbedError, match=r"other\.json"):
        read([path])
