"""Settings of clients: every listener of every instance, and credentials only on request."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from testbed.client_setup.settings import settings, with_credentials
from testbed.errors import TestbedError
from testbed.testbed import Testbed
from tests.support.brokers_offline import add, offline, request


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    with offline(tmp_path / "state") as testbed:
        testbed.containers = SimpleNamespace(network="testbed-1")  # type: ignore[assignment]
        yield testbed


def test_brokers_with_the_same_variables_are_refused(testbed: Testbed) -> None:
    add(testbed, request("RABBITMQ", "orders-eu"))
    assert settings(testbed, {}).variables()["TESTBED_ORDERS_EU_USERNAME"], "control"
    add(testbed, request("ACTIVEMQ", "orders_EU"))
    with pytest.raises(TestbedError, match="orders-eu and orders_EU have the same variables"):
        settings(testbed, {}).variables()


def test_each_instance_of_a_standby_has_its_variables(testbed: Testbed) -> None:
    pair = add(
        testbed,
        replace(
            request("ACTIVEMQ", "my-pair"),
            deployment_mode="ACTIVE_STANDBY_MULTI_AZ",
            storage_type="EFS",
        ),
    )
    variables = settings(testbed, {"AWS_REGION": "us-east-1"}).variables()
    openwire = [end.url for end in pair.endpoints if end.name == "openwire"]
    assert len(set(openwire)) == 2
    assert variables["TESTBED_MY_PAIR_OPENWIRE"] == openwire[0]
    assert variables["TESTBED_MY_PAIR_OPENWIRE_2"] == openwire[1]
    assert variables["TESTBED_MY_PAIR_PASSWORD"] == "correct-horse-1"
    assert variables["TESTBED_CA_FILE"] == str(testbed.ca_file)
    assert variables["AWS_REGION"] == "us-east-1"


@pytest.mark.parametrize("credentials", [False, True])
def test_a_url_has_credentials_on_request_only(testbed: Testbed, credentials: bool) -> None:
    add(testbed, request("RABBITMQ"))
    values = settings(testbed, {}, credentials=credentials)
    url = values.variables()["TESTBED_OFFLINE_AMQPS"]
    assert ("admin:correct-horse-1@localhost:" in url) == credentials
    assert "correct-horse-1" not in repr(values)


def test_a_password_is_percent_encoded() -> None:
    url = with_credentials("amqps://localhost:1", "a@b", "p:/?#[ ü%")
    assert url == "amqps://a%40b:p%3A%2F%3F%23%5B%20%C3%BC%25@localhost:1"


def test_inside_addresses_are_the_services_names_and_ports(testbed: Testbed) -> None:
    broker = add(testbed, request("RABBITMQ"))
    variables = settings(testbed, {"AWS_REGION": "us-east-1"}, inside=True).variables()
    host = f"{broker.broker_id}.mq.us-east-1.amazonaws.com"
    assert variables["TESTBED_OFFLINE_AMQPS"] == f"amqps://{host}:5671"
    assert "AWS_REGION" not in variables, "the endpoint cannot be reached from a container"
