"""The schedule: the same from the same seed, and every fault where it applies."""

from collections import Counter

import pytest

from testbed.campaign.plan import (
    CONTROLS,
    KINDS,
    LEFT_OUT,
    TOPOLOGIES,
    applies,
    find,
    schedule,
)
from testbed.errors import TestbedError
from testbed.faults.all import FAULTS
from testbed.faults.base import parse

SINGLE = TOPOLOGIES["rabbitmq-single"]


def test_a_seed_is_a_schedule_and_another_seed_another() -> None:
    assert schedule(7, SINGLE, 20) == schedule(7, SINGLE, 20)
    assert schedule(7, SINGLE, 20) != schedule(8, SINGLE, 20)


def test_a_round_does_not_depend_on_how_many_there_are() -> None:
    assert schedule(7, SINGLE, 3) == schedule(7, SINGLE, 20)[:3]
    assert find(schedule(7, SINGLE, 20), 3) == schedule(7, SINGLE, 3)[2]


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_all_faults_and_flows_of_a_topology_have_their_turns(name: str) -> None:
    topology = TOPOLOGIES[name]
    kinds = {kind.name for kind in KINDS.values() if applies(kind, topology)}
    planned = schedule(1, topology, 2 * len(kinds))
    assert Counter(each.fault for each in planned) == dict.fromkeys(kinds, 2)
    streams = {
        (stream.protocol, stream.destination.kind, stream.destination.queue_type)
        for each in planned
        for stream in each.streams
    }
    assert streams == {(flow.protocol, flow.kind, flow.queue_type) for flow in topology.flows}
    assert {each.broker for each in planned} == set(range(topology.brokers))


def test_every_node_of_a_cluster_is_hit_and_of_a_pair_the_active_one() -> None:
    cluster = schedule(1, TOPOLOGIES["rabbitmq-cluster"], 40)
    assert {each.node for each in cluster} == {"1", "2", "3"}
    pair = schedule(1, TOPOLOGIES["activemq-standby"], 40)
    assert {each.node for each in pair} == {""}


def test_what_an_engine_does_not_promise_is_not_asked_of_it() -> None:
    for each in schedule(1, SINGLE, 40, faults=["kill-mount"]):
        assert {stream.destination.queue_type for stream in each.streams} == {"quorum"}
    for name in TOPOLOGIES:
        for each in schedule(1, TOPOLOGIES[name], 40):
            assert each.before >= 1


def test_controls_come_last_and_are_told_apart() -> None:
    planned = schedule(1, SINGLE, 2, controls=2)
    assert [each.control for each in planned] == ["", "", *CONTROLS, *CONTROLS]
    assert [each.number for each in planned] == [1, 2, 3, 4, 5, 6]
    assert "control: transient" in str(planned[2])


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_a_control_leaves_no_node_that_has_what_the_others_had(name: str) -> None:
    controls = schedule(1, TOPOLOGIES[name], 0, controls=1)
    single = name.endswith("-single")
    assert [each.control for each in controls] == [*(CONTROLS if single else CONTROLS[:1])]
    assert {each.node for each in controls} == {"all" if name == "rabbitmq-cluster" else ""}
    assert {each.broker for each in controls} == {0}, "to which they are sent"


def test_a_round_says_what_it_is() -> None:
    text = str(schedule(1, TOPOLOGIES["rabbitmq-cluster"], 1, faults=["pause"])[0])
    assert text.startswith("rabbitmq-cluster 1: pause of node ")
    assert " for " in text
    assert "amqp" in text


def test_every_fault_has_its_turn_or_a_reason() -> None:
    assert set(FAULTS) == {*KINDS, *LEFT_OUT}
    assert all((kind.lasts > (0, 0)) == FAULTS[kind.name].lasts for kind in KINDS.values())
    for kind in KINDS.values():
        for name, choices in kind.parameters.items():
            assert all(parse(FAULTS[kind.name], {name: choice}) for choice in choices)


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(TestbedError, match="have no fault 'flood'"):
        schedule(1, SINGLE, 1, faults=["flood"])
    with pytest.raises(TestbedError, match="no round 9"):
        find(schedule(1, SINGLE, 1), 9)
