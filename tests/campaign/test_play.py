"""Rounds on real brokers: nothing confirmed is lost, and the controls lose."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from testbed import Testbed
from testbed.campaign.plan import TOPOLOGIES, schedule
from testbed.campaign.play import play
from testbed.campaign.run import inject
from testbed.campaign.stage import Stage, stage
from testbed.checker import check
from testbed.clients.base import Address, Client
from testbed.errors import ClientError
from testbed.history_file import HistoryFile
from tests.support.nightly import first_then_nightly

SEED = 1


@pytest.fixture(scope="module", params=first_then_nightly(TOPOLOGIES, "the other topologies"))
def staged(request: pytest.FixtureRequest, testbed: Testbed) -> Iterator[Stage]:
    with stage(testbed, TOPOLOGIES[request.param]) as staged:
        yield staged


@pytest.mark.containers
@pytest.mark.parametrize("fault", first_then_nightly(["kill", "pause"], "the other faults"))
def test_nothing_confirmed_is_lost(staged: Stage, tmp_path: Path, fault: str) -> None:
    [planned] = schedule(SEED, staged.topology, 1, faults=[fault])
    result = play(staged, planned, inject, tmp_path)
    assert result.ok, (result.error, result.account)
    assert result.description
    assert result.account == check(
        HistoryFile(tmp_path / result.history), ordered=staged.topology.ordered
    )
    assert result.states[0].running == staged.topology.nodes
    if fault == "kill":
        assert any(state.running < state.nodes for state in result.states)


@pytest.mark.containers
def test_controls_lose(staged: Stage, tmp_path: Path) -> None:
    for planned in schedule(SEED, staged.topology, 0, controls=1):
        result = play(staged, planned, inject, tmp_path)
        assert result.ok, (planned, result.error, result.account)
        assert result.account
        assert result.account.lost


def test_a_round_that_breaks_off_counts_no_losses(tmp_path: Path) -> None:
    def refuse(_: Address) -> Client:
        raise ClientError("It does not answer.")

    topology = TOPOLOGIES["rabbitmq-single"]
    staged: Any = SimpleNamespace(
        topology=topology,
        peek=lambda _: SimpleNamespace(broker_state="RUNNING", nodes=()),
        runs=lambda _: True,
        address=lambda _: Address("amqp", "localhost", 1, "", ""),
        sender=lambda *_: refuse,
        receiver=lambda _: refuse,
    )
    [planned] = schedule(SEED, topology, 1, faults=["pause"])
    result = play(staged, planned, inject, tmp_path)
    assert (result.error, result.account, result.ok) == ("It does not answer.", None, False)
