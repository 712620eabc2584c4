"""Brokers are stored whole and read back equal; a damaged document is reported."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.broker.configurations import Configurations, CustomerConfiguration
from testbed.broker.lifecycle import Lifecycle
from testbed.broker.model import Broker, Grant, LoadBalancer, Pending
from testbed.broker.nodes import Nodes
from testbed.broker.requests import Configuration
from testbed.broker.service import Brokers
from testbed.broker.store import BrokerStore, from_document, to_document
from testbed.documented.engines import ActionRequired
from testbed.documented.tls import PROFILES
from testbed.engines.base import Defects, NetworkConnector, User
from testbed.errors import ConflictException, NotFoundException, StateBroken
from testbed.kms.base import USER, Caller
from testbed.runtime.tasks import run_concurrently
from testbed.testbed import Testbed
from tests.support.brokers_offline import add, offline, request


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    with offline(tmp_path / "state", key_state="Enabled") as testbed:
        yield testbed


def full(broker: Broker) -> Broker:
    """Return the broker with a value in every member."""
    chosen = Configuration("c-1", 2, "consumer_timeout = 1")
    return replace(
        broker,
        load_balancer=LoadBalancer("b-1.mq.us-east-1.amazonaws.com", broker.endpoints, "i", "c"),
        grants=(Grant("mq_grant", "g-1"), Grant("ebs_grant", "g-2", "vol-1")),
        actions_required=(ActionRequired("INVALID_KMS_KEY", "It is disabled."),),
        checked=12.5,
        tags={"team": "orders"},
        settings={"Logs": {"General": True}, "SecurityGroups": ["sg-1"]},
        configuration=chosen,
        configuration_history=(replace(chosen, revision=1),),
        pending=Pending((User("new", "correct-horse-2", groups=("a",)),), "4.3", chosen, {"a": 1}),
        network_connectors=(NetworkConnector("n", "static:(ssl://h:1)", "u", True, (("k", "v"),)),),
        inter_node_tls=True,
        defects=Defects(tls=PROFILES["RABBITMQ"], certificate="expired"),
        cookie="c",
    )


def test_a_broker_with_everything_comes_back_equal(testbed: Testbed) -> None:
    broker = full(add(testbed, request()))
    assert from_document(json.loads(json.dumps(to_document(broker)))) == broker


@pytest.mark.parametrize("damage", [{"nodes": 1}, {"users": [{}]}, {"key_ownership": "MINE"}])
def test_a_damaged_document_breaks_the_state(testbed: Testbed, damage: dict[str, object]) -> None:
    document = to_document(add(testbed, request()))
    with pytest.raises(StateBroken, match="A stored broker cannot be read"):
        from_document({**document, **damage})


def test_a_change_of_a_broker_that_is_gone_is_refused(testbed: Testbed) -> None:
    broker = add(testbed, request())
    testbed.state.delete("broker", broker.broker_id)
    with pytest.raises(NotFoundException, match="Make sure your broker exists"):
        testbed.brokers.amend(broker.broker_id, lambda stored: stored)


def test_the_lock_of_a_broker_goes_with_it(testbed: Testbed) -> None:
    broker = add(testbed, request())
    folder, stopping = testbed.state.folder, threading.Event()
    store = BrokerStore(testbed.state, stopping)
    with store.locked(broker):
        pass
    assert [path.name for path in folder.glob("b-*")] == [f"{broker.broker_id}.lock"], "control"
    with store.locked(broker):
        store.remove(broker)
    assert list(folder.glob("b-*")) == []
    with store.locked(broker):  # by another, who had waited for it
        pass
    assert list(folder.glob("b-*")) == []


def test_a_broker_that_is_held_by_name_is_the_one_that_is_locked(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BrokerStore(testbed.state, threading.Event())
    first = add(testbed, request())

    @contextmanager
    def locked_late(broker: Broker) -> Iterator[None]:
        """Another thread deletes the broker and creates one of its name before the lock is free."""
        store.remove(broker)
        add(testbed, request())
        yield

    monkeypatch.setattr(store, "locked", locked_late)
    with pytest.raises(NotFoundException), store.holding(first.broker_name):
        pass


def test_of_two_brokers_of_one_name_at_once_there_is_one(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_checked = threading.Barrier(2)

    def image(*_: object) -> str:
        both_checked.wait(20)
        return "an-image"

    def create() -> str:
        try:
            return testbed.brokers.create(request()).broker_id
        except ConflictException as error:
            return error.message

    monkeypatch.setattr(Nodes, "image", image)
    monkeypatch.setattr(Brokers, "_begun", lambda _, broker, __: broker)
    monkeypatch.setattr(Lifecycle, "bring_up", lambda _, broker: broker)
    answers = run_concurrently([create, create])
    [broker_id] = testbed.brokers.ids()
    assert sorted(answers) == ["A broker named offline already exists.", broker_id]


def test_of_two_configurations_of_one_name_at_once_there_is_one(testbed: Testbed) -> None:
    both = threading.Barrier(2)

    class Slow(Configurations):
        """Sees no other configuration until both have looked, or the other one waits."""

        def of(self, caller: Caller) -> list[CustomerConfiguration]:
            known = super().of(caller)
            with suppress(threading.BrokenBarrierError):
                both.wait(0.5)
            return known

    def create() -> str:
        try:
            slow = Slow(testbed.state, testbed.clock)
            return slow.create(USER, "one-name", "RABBITMQ", "4.2", {}).name
        except ConflictException as error:
            return error.code

    assert sorted(run_concurrently([create, create])) == ["ConflictException", "one-name"]
