"""The metrics of ``AWS/AmazonMQ`` that the testbed has, with their units (MQMETRICS).

Not here is what only AWS's machines have (BurstBalance, CpuCreditBalance, VolumeReadOps,
VolumeWriteOps), what no management interface tells (JournalFilesForFastRecovery,
JournalFilesForFullRecovery, OpenTransactionCount, RabbitMQIOReadAverageTime,
RabbitMQIOWriteAverageTime), what never changes (AmqpMaximumConnections and its like), and the
metrics of network connectors.
"""

from collections.abc import Mapping

Dimensions = tuple[tuple[str, str], ...]
Value = tuple[str, Dimensions, float]
"""A metric's name and dimensions, and a value; of those per minute, the sum since the start."""

NAMESPACE = "AWS/AmazonMQ"
PERIOD = 60  # seconds between two values

# Of how many queues and topics there are metrics, those with most consumers first.
DESTINATIONS: Mapping[str, int] = {"ACTIVEMQ": 1000, "RABBITMQ": 500}


def _each(names: str, unit: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), unit)


UNITS: Mapping[str, str] = {
    # RabbitMQ: of brokers, nodes and queues
    **_each("ExchangeCount QueueCount ConnectionCount ChannelCount ConsumerCount", "Count"),
    **_each("MessageCount MessageReadyCount MessageUnacknowledgedCount", "Count"),
    **_each("PublishRate ConfirmRate AckRate RabbitMQFdUsed", "Count"),
    **_each("RabbitMQMemLimit RabbitMQMemUsed RabbitMQDiskFreeLimit RabbitMQDiskFree", "Bytes"),
    "SystemCpuUtilization": "Percent",
    # ActiveMQ: of brokers, and of queues and topics
    **_each("CpuUtilization HeapUsage StorePercentUsage TempPercentUsage", "Percent"),
    **_each("JobSchedulerStorePercentUsage MemoryUsage", "Percent"),
    **_each("CurrentConnectionsCount EstablishedConnectionsCount", "Count"),
    **_each("InactiveDurableTopicSubscribersCount TotalConsumerCount", "Count"),
    **_each("TotalMessageCount TotalProducerCount TotalEnqueueCount TotalDequeueCount", "Count"),
    **_each("NetworkIn NetworkOut", "Bytes"),
    **_each("ProducerCount EnqueueCount DequeueCount DispatchCount ExpiredCount", "Count"),
    **_each("InFlightCount QueueSize", "Count"),
    "EnqueueTime": "Milliseconds",
}

# "per-minute counts": what was added since the value before
PER_MINUTE = frozenset(
    ["DequeueCount", "DispatchCount", "EnqueueCount", "ExpiredCount", "NetworkIn", "NetworkOut"]
)
