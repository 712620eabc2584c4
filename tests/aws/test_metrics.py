"""What CloudWatch has of real brokers, over the wire, and that it follows them."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from botocore.client import BaseClient

from testbed import clients
from testbed.clients import Destination
from testbed.library import ActiveMqBroker, MqBroker, RabbitMqBroker
from testbed.testing.isolation import unique
from tests.support.aws_endpoint import OTHER_ACCOUNT, Served
from tests.support.aws_tools import Cli
from tests.support.messages import receive

pytestmark = pytest.mark.containers
NAMESPACE = "AWS/AmazonMQ"
PATIENCE = 60.0  # seconds; RabbitMQ's own statistics are five seconds old
Dimensions = Mapping[str, str]


def named(dimensions: Dimensions) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]


def statistic(
    cloudwatch: BaseClient, name: str, dimensions: Dimensions, stat: str = "Maximum"
) -> float | None:
    """Return the newest statistic of a minute; None without a value."""
    now = datetime.now(UTC)
    points = cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=name,
        Dimensions=named(dimensions),
        StartTime=now - timedelta(minutes=10),
        EndTime=now,
        Period=60,
        Statistics=[stat],
    )["Datapoints"]
    newest = max(points, key=lambda point: point["Timestamp"], default=None)
    return newest[stat] if newest else None


def wait(read: Callable[[], float | None], expected: float) -> None:
    deadline = time.monotonic() + PATIENCE
    while (value := read()) != expected:
        assert time.monotonic() < deadline, f"{value}, and not {expected}"
        time.sleep(0.2)


def names(cloudwatch: BaseClient, dimensions: Dimensions) -> set[str]:
    """Return the names of the metrics with exactly these dimensions."""
    pages = cloudwatch.get_paginator("list_metrics").paginate(
        Namespace=NAMESPACE, Dimensions=named(dimensions)
    )
    return {
        metric["MetricName"]
        for page in pages
        for metric in page["Metrics"]
        if {each["Name"]: each["Value"] for each in metric["Dimensions"]} == dimensions
    }


def publish(broker: MqBroker, queue: str, count: int) -> None:
    protocol = clients.QUEUE_PROTOCOL[broker.engine_type]
    with clients.connect(broker.address(protocol)) as client:
        for number in range(count):
            client.publish(Destination.queue(queue), str(number).encode())


def test_rabbitmqs_metrics_follow_the_broker(aws: Served, rabbitmq_broker: RabbitMqBroker) -> None:
    cloudwatch = aws.client("cloudwatch")
    queue, of_broker = unique("metrics"), {"Broker": rabbitmq_broker.describe()["BrokerName"]}
    of_queue = {"VirtualHost": "/", "Queue": queue, **of_broker}
    assert statistic(cloudwatch, "MessageCount", of_queue) is None
    publish(rabbitmq_broker, queue, 3)
    wait(lambda: statistic(cloudwatch, "MessageReadyCount", of_queue), 3)
    assert statistic(cloudwatch, "ConsumerCount", of_queue) == 0
    assert names(cloudwatch, of_queue) == {
        "ConsumerCount",
        "MessageCount",
        "MessageReadyCount",
        "MessageUnacknowledgedCount",
    }
    assert names(cloudwatch, of_broker) >= {
        "AckRate",
        "ChannelCount",
        "ConfirmRate",
        "ConnectionCount",
        "ConsumerCount",
        "ExchangeCount",
        "MessageCount",
        "MessageReadyCount",
        "MessageUnacknowledgedCount",
        "PublishRate",
        "QueueCount",
    }
    [node] = {
        each["Value"]
        for metric in cloudwatch.list_metrics(Namespace=NAMESPACE, MetricName="RabbitMQFdUsed")[
            "Metrics"
        ]
        for each in metric["Dimensions"]
        if each["Name"] == "Node" and named(of_broker)[0] in metric["Dimensions"]
    }
    of_node = {"Node": node, **of_broker}
    assert names(cloudwatch, of_node) == {
        "RabbitMQDiskFree",
        "RabbitMQDiskFreeLimit",
        "RabbitMQFdUsed",
        "RabbitMQMemLimit",
        "RabbitMQMemUsed",
        "SystemCpuUtilization",
    }
    used, limit = (
        statistic(cloudwatch, name, of_node) for name in ("RabbitMQMemUsed", "RabbitMQMemLimit")
    )
    assert used
    assert limit
    assert 0 < used < limit
    assert statistic(cloudwatch, "RabbitMQMemUsed", of_broker) is None, "without the node"


@pytest.mark.nightly("the other engine")
def test_activemqs_metrics_follow_the_broker(aws: Served, activemq_broker: ActiveMqBroker) -> None:
    cloudwatch = aws.client("cloudwatch")
    queue, of_broker = (
        unique("metrics"),
        {"Broker": activemq_broker.describe()["BrokerName"] + "-1"},
    )
    of_queue = {"Queue": queue, **of_broker}
    assert statistic(cloudwatch, "QueueSize", of_queue) is None
    publish(activemq_broker, queue, 3)
    wait(lambda: statistic(cloudwatch, "QueueSize", of_queue), 3)
    assert statistic(cloudwatch, "EnqueueCount", of_queue, "Sum") == 3
    with clients.connect(activemq_broker.address("stomp")) as client:
        client.subscribe(Destination.queue(queue))
        receive(client, 3)
    wait(lambda: statistic(cloudwatch, "QueueSize", of_queue), 0)
    assert names(cloudwatch, of_queue) == {
        "ConsumerCount",
        "DequeueCount",
        "DispatchCount",
        "EnqueueCount",
        "EnqueueTime",
        "ExpiredCount",
        "InFlightCount",
        "MemoryUsage",
        "ProducerCount",
        "QueueSize",
    }
    assert names(cloudwatch, of_broker) == {
        "CpuUtilization",
        "CurrentConnectionsCount",
        "EstablishedConnectionsCount",
        "HeapUsage",
        "InactiveDurableTopicSubscribersCount",
        "JobSchedulerStorePercentUsage",
        "NetworkIn",
        "NetworkOut",
        "StorePercentUsage",
        "TempPercentUsage",
        "TotalConsumerCount",
        "TotalDequeueCount",
        "TotalEnqueueCount",
        "TotalMessageCount",
        "TotalProducerCount",
    }
    heap = statistic(cloudwatch, "HeapUsage", of_broker)
    assert heap
    assert 0 < heap < 100


@pytest.mark.nightly("the AWS CLI; every push has boto3")
def test_the_aws_cli_reads_them(aws: Served, rabbitmq_broker: RabbitMqBroker) -> None:
    cli, of_broker = (
        Cli(aws.endpoint, aws.testbed.region),
        {"Broker": rabbitmq_broker.describe()["BrokerName"]},
    )
    listed = cli.call("cloudwatch", "ListMetrics", Namespace=NAMESPACE, MetricName="QueueCount")
    assert named(of_broker) in [metric["Dimensions"] for metric in listed["Metrics"]]
    now = datetime.now(UTC)
    metric = {
        "Namespace": NAMESPACE,
        "MetricName": "ExchangeCount",
        "Dimensions": named(of_broker),
    }
    query = {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}
    [result] = cli.call(
        "cloudwatch",
        "GetMetricData",
        MetricDataQueries=[query],
        StartTime=(now - timedelta(minutes=10)).isoformat(),
        EndTime=now.isoformat(),
    )["MetricDataResults"]
    assert result["Values"][0] >= 7  # those that every virtual host has


def test_another_account_has_none_of_them(aws: Served, rabbitmq_broker: RabbitMqBroker) -> None:
    of_broker = {"Broker": rabbitmq_broker.describe()["BrokerName"]}
    assert names(aws.client("cloudwatch"), of_broker)
    assert names(aws.client("cloudwatch", OTHER_ACCOUNT), of_broker) == set()
