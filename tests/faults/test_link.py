import base64
import json
import ssl
import time
from collections.abc import Callable
from http.client import HTTPException
from urllib.request import Request, urlopen

import pytest

from testbed import Faults, RabbitMqBroker, Testbed
from testbed.errors import TestbedError
from testbed.faults.running import Injection
from testbed.library import MqBroker
from tests.support.broker_node import wait_for
from tests.support.faults import confirms, connected, new_queue, serves

pytestmark = pytest.mark.containers


@pytest.mark.parametrize(
    "inject",
    [
        lambda faults, broker: faults.cut(broker),
        lambda faults, broker: faults.cut(broker, whom="clients"),
        lambda faults, broker: faults.lossy_link(broker, loss="100%"),
    ],
    ids=["cut", "cut-clients", "lossy-link"],
)
def test_nothing_is_confirmed_over_a_cut_link(
    rabbitmq_broker: MqBroker, faults: Faults, inject: Callable[[Faults, MqBroker], Injection]
) -> None:
    queue = new_queue()
    with connected(rabbitmq_broker) as client:
        assert confirms(client, queue), "control: without the fault"
        with inject(faults, rabbitmq_broker):
            assert not confirms(client, queue, timeout=2)
    assert serves(rabbitmq_broker)
    assert not rabbitmq_broker.testbed.containers.find("fault")


def test_a_cut_hits_either_engine(activemq_broker: MqBroker, faults: Faults) -> None:
    queue = new_queue()
    with connected(activemq_broker) as client:
        assert confirms(client, queue), "control: without the fault"
        with faults.cut(activemq_broker):
            assert not confirms(client, queue, timeout=2)
    assert serves(activemq_broker)


def test_a_slow_link_delays_each_way(rabbitmq_broker: MqBroker, faults: Faults) -> None:
    queue = new_queue()
    with connected(rabbitmq_broker) as client:

        def lasts() -> float:
            started = time.monotonic()
            assert confirms(client, queue, timeout=60)
            return time.monotonic() - started

        assert min(lasts() for _ in range(5)) < 1, "control: without the fault"
        with faults.slow_link(rabbitmq_broker, delay="500ms"):
            assert lasts() >= 1
        assert min(lasts() for _ in range(5)) < 1


def test_messages_pass_a_lossy_link(rabbitmq_broker: MqBroker, faults: Faults) -> None:
    queue = new_queue()
    with (
        connected(rabbitmq_broker) as client,
        faults.lossy_link(rabbitmq_broker, loss="10%") as fault,
    ):
        assert "10%" in fault.description
        assert confirms(client, queue, timeout=60)


@pytest.mark.nightly("a cluster")
@pytest.mark.timeout(700)
def test_a_cluster_serves_without_the_node_that_is_cut_from_its_peers(
    testbed: Testbed, faults: Faults
) -> None:
    with RabbitMqBroker(deployment="CLUSTER_MULTI_AZ", testbed=testbed) as cluster:
        assert running(cluster) == 3, "control: without the fault"
        with faults.cut(cluster, node="2", whom="peers"):
            # Erlang gives up a silent node after 45 to 75 seconds.
            wait_for("the others notice", lambda: running(cluster) == 2, 240)
            wait_for("they serve", lambda: serves(cluster), 120)
        wait_for("it is back", lambda: running(cluster) == 3, 240)
        assert serves(cluster)


def running(cluster: MqBroker) -> int:
    """Return how many nodes run, as the one that answers sees it; 0 if none answers."""
    at = cluster.address("management")
    credentials = base64.b64encode(f"{at.username}:{at.password}".encode()).decode()
    request = Request(
        f"https://{at.host}:{at.port}/api/nodes?columns=running",
        headers={"Authorization": f"Basic {credentials}"},
    )
    try:
        with urlopen(
            request, timeout=30, context=ssl.create_default_context(cafile=str(at.ca_file))
        ) as answer:
            return sum(node["running"] for node in json.load(answer))
    except (OSError, HTTPException, ValueError):
        return 0


def test_control_a_single_node_has_no_peers(rabbitmq_broker: MqBroker, faults: Faults) -> None:
    with pytest.raises(TestbedError, match="no peers"):
        faults.cut(rabbitmq_broker, whom="peers")
    assert faults.active() == ()
