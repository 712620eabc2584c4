"""What people have named in running brokers, and what is said when one cannot be asked."""

import secrets
from dataclasses import replace

import pytest

from testbed import clients
from testbed.advice.advise import Name, Text, Url, advise
from testbed.clients import Destination
from testbed.clients.console import Console
from testbed.errors import NotAuthorized
from testbed.inventory import take
from testbed.library import MqBroker
from testbed.testbed import Testbed

pytestmark = pytest.mark.containers


def test_destinations_of_a_running_activemq_broker_are_found(
    testbed: Testbed, activemq_broker: MqBroker
) -> None:
    name = f"invoices.jane.{secrets.token_hex(4)}@example.com"
    with clients.connect(activemq_broker.address("stomp")) as client:
        client.subscribe(Destination.queue(name))
        client.publish(Destination.topic("orders"), b"")
        inventory = take(testbed)
    found = {item.value for item in inventory.items if isinstance(item, Text)}
    assert {name, "orders"} <= found
    [advice] = [each for each in advise(inventory.items) if "queue" in each.what]
    assert activemq_broker.broker_id in advice.resource
    assert name not in str(advice)
    assert not any(value.startswith("ActiveMQ.Advisory") for value in found)
    assert not [said for said in inventory.unread if activemq_broker.broker_id in said]


def test_what_is_in_a_running_rabbitmq_broker_is_found(
    testbed: Testbed, rabbitmq_broker: MqBroker
) -> None:
    console = Console(rabbitmq_broker.address("management"))
    made: dict[str, object] = {
        "/api/vhosts/inventory": {},
        "/api/users/inventory-user": {"password": "correct-horse-1", "tags": ""},
        "/api/queues/inventory/inventory-queue": {"durable": True},
        "/api/exchanges/inventory/inventory-exchange": {"type": "topic"},
        "/api/parameters/federation-upstream/inventory/up": {
            "value": {"uri": ["amqps://one.example.com", "amqps://two.example.com"]}
        },
    }
    try:
        permissions = {"configure": ".*", "write": ".*", "read": ".*"}
        for path, body in made.items():
            console.request("PUT", path, body)
            if path == "/api/vhosts/inventory":
                name = rabbitmq_broker.username
                console.request("PUT", f"/api/permissions/inventory/{name}", permissions)
        items = take(testbed).items
    finally:
        console.request("DELETE", "/api/users/inventory-user")
        console.request("DELETE", "/api/vhosts/inventory")
    texts = {item.value for item in items if isinstance(item, Text)}
    assert {"inventory", "inventory-queue", "inventory-exchange", "up"} <= texts
    assert "amq.topic" not in texts
    assert "inventory-user" in {item.value for item in items if isinstance(item, Name)}
    urls = {item.value for item in items if isinstance(item, Url)}
    assert {"amqps://one.example.com", "amqps://two.example.com"} <= urls


def test_a_broker_that_cannot_be_asked_is_named(
    testbed: Testbed, rabbitmq_broker: MqBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = testbed.brokers.addresses
    monkeypatch.setattr(
        testbed.brokers,
        "addresses",
        lambda *arguments, **options: tuple(
            replace(address, password="wrong") for address in addresses(*arguments, **options)
        ),
    )
    unread = take(testbed).unread
    [sentence] = [said for said in unread if rabbitmq_broker.broker_id in said]
    assert "the console refuses the login of" in sentence


def test_a_refused_login_is_said_in_a_sentence(rabbitmq_broker: MqBroker) -> None:
    address = replace(rabbitmq_broker.address("management"), password="wrong")
    with pytest.raises(NotAuthorized, match="the console refuses the login of testbed"):
        Console(address).get("/api/vhosts")
