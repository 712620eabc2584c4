"""Each test's own virtual host, queues and usable key, on brokers that others share."""

import secrets
from contextlib import suppress

import pytest

from testbed.clients import connect
from testbed.clients.base import Destination
from testbed.clients.console import Console
from testbed.library import ActiveMqBroker, MqBroker, RabbitMqBroker
from testbed.testing.isolation import queue_prefix, unique, usable_keys, virtual_host

pytestmark = pytest.mark.containers


def virtual_hosts(broker: MqBroker) -> set[str]:
    return {host["name"] for host in Console(broker.address("management")).get("/api/vhosts")}


def destinations(broker: MqBroker, part: str) -> set[str]:
    """Return the queues and topics whose names have ``part``, advisory topics included."""
    mbeans = "org.apache.activemq:type=Broker,brokerName=*,destinationType=*,destinationName=*"
    found = Console(broker.address("console")).jolokia(type="read", mbean=mbeans, attribute="Name")
    return {row["Name"] for row in (found or {}).values() if part in row["Name"]}


def test_a_virtual_host_is_empty_usable_and_then_gone(rabbitmq_broker: RabbitMqBroker) -> None:
    console = Console(rabbitmq_broker.address("management"))
    with suppress(RuntimeError), virtual_host(rabbitmq_broker, "a test[é/1]") as name:
        assert name.startswith("a-test-1-")
        assert console.get(f"/api/queues/{name}") == []
        console.request("PUT", f"/api/queues/{name}/orders", {"durable": True})
        assert [queue["name"] for queue in console.get(f"/api/queues/{name}")] == ["orders"]
        raise RuntimeError
    assert name not in virtual_hosts(rabbitmq_broker)


def test_queues_and_topics_with_the_prefix_go_and_no_others(
    activemq_broker: ActiveMqBroker,
) -> None:
    other = f"other-{secrets.token_hex(4)}"
    with queue_prefix(activemq_broker) as prefix:
        with connect(activemq_broker.address("openwire")) as client:
            for name in (f"{prefix}orders", other):
                client.subscribe(Destination.queue(name))
                client.publish(Destination.queue(name), b"one")
            client.subscribe(Destination.topic(f"{prefix}news"))
        assert {f"{prefix}orders", f"{prefix}news"} <= destinations(activemq_broker, prefix)
    assert destinations(activemq_broker, prefix) == set()
    assert other in destinations(activemq_broker, other)


@pytest.mark.parametrize("change", ["disable", "schedule_deletion", "nothing"])
def test_a_key_is_put_back_and_the_broker_runs(
    rabbitmq_broker: RabbitMqBroker, change: str
) -> None:
    key = rabbitmq_broker.key
    with suppress(RuntimeError), usable_keys([rabbitmq_broker]):
        if change != "nothing":
            getattr(key, change)()
            rabbitmq_broker.testbed.wait_out_delay()
            assert rabbitmq_broker.state == "CRITICAL_ACTION_REQUIRED"
        raise RuntimeError
    assert key.state == "Enabled"
    assert rabbitmq_broker.state == "RUNNING"


def test_a_key_that_was_disabled_before_stays_so(rabbitmq_broker: RabbitMqBroker) -> None:
    key = rabbitmq_broker.key
    key.disable()
    try:
        with usable_keys([rabbitmq_broker]):
            assert key.state == "Disabled"
        assert key.state == "Disabled"
    finally:
        key.enable()


def test_names_are_unique() -> None:
    assert len({unique("test_orders[1]") for _ in range(100)}) == 100
