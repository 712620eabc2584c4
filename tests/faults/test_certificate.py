import ssl

import pytest

from testbed import Faults, RabbitMqBroker, Testbed
from testbed.checker import check
from testbed.clients import QUEUE_PROTOCOL
from testbed.errors import ClientError
from testbed.library import MqBroker
from testbed.traffic import Traffic, drain
from tests.support.faults import connected, new_queue, serves
from tests.support.nightly import first_then_nightly

pytestmark = pytest.mark.containers

each_engine = pytest.mark.parametrize(
    "broker",
    first_then_nightly(["RABBITMQ", "ACTIVEMQ"], "nodes of another engine restart"),
    indirect=True,
)


def certificate(broker: MqBroker) -> str:
    address = broker.address(QUEUE_PROTOCOL[broker.engine_type])
    return ssl.get_server_certificate((address.host, address.port), timeout=30)


@each_engine
def test_a_certificate_is_rotated_under_traffic(broker: MqBroker, faults: Faults) -> None:
    address, queue = broker.address(QUEUE_PROTOCOL[broker.engine_type]), new_queue()
    before = certificate(broker)
    with Traffic(address, queue, rate=20) as flow:
        flow.wait_confirmed(20, 60)
        with faults.rotate_certificate(broker) as rotated:
            assert "new certificate" in rotated.description
            flow.wait_confirmed(20, 120)
    after = certificate(broker)
    assert after != before
    account = check(drain(address, queue, flow.recorder))
    assert account.ok, account
    broker.testbed.upkeep.revive(broker.broker_id)
    assert certificate(broker) == after, "control: it changes no more"


@pytest.mark.nightly("nodes restart; every push has a rotation")
@pytest.mark.parametrize("broker", ["RABBITMQ", "ACTIVEMQ"], indirect=True)
def test_an_expired_certificate_is_refused_until_the_end_of_the_block(
    broker: MqBroker, faults: Faults
) -> None:
    assert serves(broker), "control: without the fault"
    with faults.expire_certificate(broker), pytest.raises(ClientError, match="expired"):
        connected(broker)
    assert serves(broker)


@pytest.mark.nightly("a cluster")
@pytest.mark.timeout(600)
def test_the_nodes_of_a_cluster_get_it_one_after_the_other(
    testbed: Testbed, faults: Faults
) -> None:
    """Meanwhile whoever connects meets nodes that have the former one."""
    with RabbitMqBroker(deployment="CLUSTER_MULTI_AZ", testbed=testbed) as cluster:
        address, queue = cluster.address("amqp"), new_queue()
        with Traffic(address, queue, rate=20) as flow:
            flow.wait_confirmed(20, 60)
            faults.rotate_certificate(cluster)
            flow.wait_confirmed(20, 120)
            with faults.expire_certificate(cluster), pytest.raises(ClientError, match="expired"):
                connected(cluster)
            flow.wait_confirmed(20, 120)
        account = check(drain(address, queue, flow.recorder))
        assert account.ok, account
