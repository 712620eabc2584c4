"""A broker comes back although its users are not, or not yet, those that the service knows."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import pytest

from testbed.broker import maintenance, node_container, topology, users
from testbed.broker.health import Health
from testbed.broker.model import Broker
from testbed.clients import connect
from testbed.clients.console import Console
from testbed.engines.all import ENGINES
from testbed.engines.base import User
from testbed.errors import ClientError, ConnectionRefused, ContainerFailed, NotAuthorized
from testbed.kms.base import USER
from testbed.library import MqBroker
from testbed.runtime.containers import ContainerState
from testbed.testbed import Testbed
from tests.support.broker_queues import current
from tests.support.brokers_offline import add, offline, request

LISTENING = b"  0: 00000000:%04X 00000000:0000 0A\n"


def ports(*numbers: int) -> bytes:
    """Return what ``/proc/net/tcp`` says of a container that listens on these ports."""
    return b"sl local_address\n" + b"".join(LISTENING % number for number in numbers)


def planned(engine_type: str, deployment_mode: str = "SINGLE_INSTANCE") -> Broker:
    wanted = replace(request(engine_type), deployment_mode=deployment_mode, storage_type="")
    return topology.plan(wanted, USER, "an-image", None, datetime.now(UTC))


def wait(broker: Broker, attached: int = 1, listening: bytes = ports()) -> None:
    """Wait for the first node, which refuses the login."""

    def refuse(*_: object) -> None:
        raise NotAuthorized("The broker refused the login.")

    containers = SimpleNamespace(
        execute=lambda *_: (0, listening),
        state=lambda _: ContainerState("running"),
        logs=lambda *_: [],
    )
    node = broker.nodes[0]
    node_container.wait(
        cast("Any", containers),
        cast("Any", SimpleNamespace(login=refuse)),
        broker,
        replace(node, volume=replace(node.volume, attached=attached)),
        rendered=cast("Any", None),
        cancelled=threading.Event(),
    )


def test_a_refused_login_is_an_answer_of_a_broker_that_has_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_container, "READY_WITHIN", 0.0)
    inside = [listener.container_port for listener in ENGINES["RABBITMQ"].listeners("4.2")]
    wait(planned("RABBITMQ"), 1, ports(*inside))
    for engine_type, attached, listening in (
        ("RABBITMQ", 0, ports(*inside)),  # its users come with the first start
        ("RABBITMQ", 1, ports(*inside[:1])),  # another node of a cluster may answer
        ("ACTIVEMQ", 1, ports(*range(1, 65535))),  # its users are the service's
    ):
        with pytest.raises(ContainerFailed, match="was not ready after 0 s"):
            wait(planned(engine_type), attached, listening)


def test_a_standby_is_ready_while_the_active_node_has_the_users_from_before_the_reboot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_container, "READY_WITHIN", 0.0)
    pair = planned("ACTIVEMQ", "ACTIVE_STANDBY_MULTI_AZ")
    wait(pair.with_node(replace(pair.nodes[1], restart_due=True)))
    with pytest.raises(ContainerFailed, match="was not ready after 0 s"):
        wait(pair)


@pytest.mark.parametrize(
    ("error", "state"),
    [(NotAuthorized, "RUNNING"), (ConnectionRefused, "CRITICAL_ACTION_REQUIRED")],
)
def test_an_alarm_does_not_outlive_the_user_who_was_told_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[ClientError], state: str
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise error("No alarms are told.")

    monkeypatch.setattr(Health, "alarms", refuse)
    with offline(tmp_path / "state") as testbed:
        broker = add(testbed, request())
        testbed.brokers.amend(
            broker.broker_id, partial(maintenance.with_alarms, alarms=("RABBITMQ_DISK_ALARM",))
        )
        assert testbed.upkeep.look_for_alarms(broker.broker_id).broker_state == state


@pytest.mark.containers
def test_a_broker_comes_back_whose_user_got_another_password(rabbitmq_broker: MqBroker) -> None:
    brokers, before = rabbitmq_broker.testbed.brokers, current(rabbitmq_broker)
    [user] = before.users
    changed = User(user.username, "changed-in-rabbitmq-1")

    def change(known: User, new: User) -> None:
        console = Console(brokers.address(before, "management", user=known))
        body = {"password": new.password, "tags": "administrator"}
        console.request("PUT", f"/api/users/{new.username}", body)

    change(user, changed)
    try:
        rabbitmq_broker.reboot()
        after = current(rabbitmq_broker)
        assert after.broker_state == "RUNNING"
        assert after.nodes[0].container_id != before.nodes[0].container_id
        brokers.log_in(before.broker_id)
    finally:
        change(changed, user)


@pytest.mark.nightly("a pair by itself; the wait for it is in every push")
@pytest.mark.containers
def test_a_pair_comes_back_from_a_reboot_with_another_password(testbed: Testbed) -> None:
    wanted = testbed.request(
        "ACTIVEMQ", "password", deployment_mode="ACTIVE_STANDBY_MULTI_AZ", storage_type="EFS"
    )
    with testbed.temporary_broker(wanted) as broker:
        [user] = broker.users
        changed = replace(user, password="changed-by-the-service-1")
        testbed.brokers.amend(broker.broker_id, lambda stored: users.update(stored, changed))
        after = testbed.brokers.reboot(broker.broker_id)
        assert (after.broker_state, after.users) == ("RUNNING", (changed,))
        assert not any(node.restart_due or node.failure for node in after.nodes)
        testbed.brokers.log_in(broker.broker_id)
        with pytest.raises(NotAuthorized):
            connect(testbed.brokers.address(broker, "stomp", user=user))
