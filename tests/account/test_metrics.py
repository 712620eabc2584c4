"""Statistics of CloudWatch, and the values of brokers among them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from testbed.account.neighbours import neighbour
from testbed.account.store import Place
from tests.support.aws_endpoint import Served, refusal
from tests.support.identities import ACCOUNT, served

PLACE = Place("cloudwatch", ACCOUNT, "us-east-1")
NAMESPACE = "AWS/AmazonMQ"
BROKER = {"Name": "Broker", "Value": "orders-1"}
QUEUE = {"Name": "Queue", "Value": "in"}
OF_QUEUE = (("Queue", "in"), ("Broker", "orders-1"))
START = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "state") as served_testbed:
        yield served_testbed


def put(aws: Served, minute: int, *values: tuple[str, float], broker: str = "b-1") -> None:
    """Put a broker's values of a minute after ``START``."""
    at = int((START + minute * MINUTE).timestamp())
    measured = [(name, OF_QUEUE, value) for name, value in values]
    aws.testbed.services.backends.change(
        neighbour("cloudwatch"), PLACE, lambda moto: moto.put_values(broker, at, measured)
    )


def points(aws: Served, name: str, stat: str = "Maximum", **asked: Any) -> list[tuple[int, float]]:
    """Return the minute and the statistic of each period of ten minutes, or as ``asked``."""
    request: dict[str, Any] = {
        "Namespace": NAMESPACE,
        "MetricName": name,
        "Dimensions": [BROKER, QUEUE],
        "StartTime": START,
        "EndTime": START + 10 * MINUTE,
        "Period": 60,
        "Statistics": [stat],
    }
    answer = aws.client("cloudwatch").get_metric_statistics(**{**request, **asked})
    return sorted(
        ((point["Timestamp"] - START) // MINUTE, point[stat]) for point in answer["Datapoints"]
    )


def test_a_value_of_a_minute_is_there_once_and_replaced(aws: Served) -> None:
    put(aws, 0, ("QueueSize", 1))
    put(aws, 1, ("QueueSize", 4))
    put(aws, 1, ("QueueSize", 5))
    assert points(aws, "QueueSize") == [(0, 1), (1, 5)]
    assert points(aws, "QueueSize", "SampleCount", Period=300) == [(0, 2)]
    assert points(aws, "QueueSize", "Average", Period=300) == [(0, 3)]


@pytest.mark.parametrize(
    "changed",
    [
        {"Dimensions": [BROKER]},
        {"Dimensions": []},
        {"Dimensions": [BROKER, {"Name": "Queue", "Value": "out"}]},
        {"Dimensions": [BROKER, QUEUE, {"Name": "More", "Value": "x"}]},
        {"Namespace": "Other"},
        {"MetricName": "ConsumerCount"},
        {"Unit": "Percent"},
        {"StartTime": START + MINUTE},
        {"StartTime": START - MINUTE, "EndTime": START},
    ],
    ids=str,
)
def test_a_metric_is_found_by_all_that_it_is_named_by(aws: Served, changed: dict[str, Any]) -> None:
    put(aws, 0, ("QueueSize", 1))
    assert points(aws, "QueueSize", Unit="Count") == [(0, 1)]
    assert points(aws, "QueueSize", **changed) == []


def test_what_is_counted_per_minute_is_what_was_added(aws: Served) -> None:
    for minute, total in enumerate((3, 10, 10, 4)):  # at last the broker was started again
        put(aws, minute, ("EnqueueCount", total))
    assert points(aws, "EnqueueCount") == [(0, 3), (1, 7), (2, 0), (3, 4)]
    assert points(aws, "EnqueueCount", "Sum", Period=600) == [(0, 14)]


def test_values_end_after_three_hours(aws: Served) -> None:
    put(aws, 0, ("QueueSize", 1))
    put(aws, 179, ("QueueSize", 2))
    asked: dict[str, Any] = {"EndTime": START + 200 * MINUTE}
    assert points(aws, "QueueSize", **asked) == [(0, 1), (179, 2)]
    put(aws, 180, ("QueueSize", 3))
    assert points(aws, "QueueSize", **asked) == [(179, 2), (180, 3)]
    put(aws, 400, ("QueueSize", 4), broker="b-2")
    assert points(aws, "QueueSize", **asked) == [], "those of a broker that is gone, too"


def test_what_is_counted_per_minute_begins_with_what_was_forgotten(aws: Served) -> None:
    for minute, total in ((0, 1000), (1, 1001), (181, 1003), (182, 1004), (183, 1004)):
        put(aws, minute, ("EnqueueCount", total))
    asked: dict[str, Any] = {"EndTime": START + 200 * MINUTE}
    assert points(aws, "EnqueueCount", **asked) == [(181, 2), (182, 1), (183, 0)]


def test_periods_begin_with_the_first_minute(aws: Served) -> None:
    put(aws, 3, ("QueueSize", 1))
    asked: dict[str, Any] = {"StartTime": START + timedelta(seconds=130), "Period": 300}
    assert points(aws, "QueueSize", **asked) == [(2, 1)]


def test_every_query_of_get_metric_data_has_its_own_metric(aws: Served) -> None:
    put(aws, 0, ("QueueSize", 1), ("ConsumerCount", 7))
    put(aws, 1, ("QueueSize", 2), ("ConsumerCount", 7))
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_data(
        Namespace="App",
        MetricData=[{"MetricName": "QueueSize", "Dimensions": [BROKER, QUEUE], "Value": 99}],
    )

    def query(name: str, dimensions: list[dict[str, str]], stat: str = "Sum") -> dict[str, Any]:
        metric = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}
        return {"Id": name.lower(), "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}

    asked = {"StartTime": START, "EndTime": START + 10 * MINUTE}
    queries = [query("QueueSize", [QUEUE, BROKER]), query("ConsumerCount", [QUEUE])]
    answer = cloudwatch.get_metric_data(MetricDataQueries=queries, **asked)["MetricDataResults"]
    assert [result["Values"] for result in answer] == [[2, 1], []]
    assert answer[0]["Timestamps"] == [START + MINUTE, START]
    for refused_query, sentence in (
        ({"Id": "e", "Expression": "queuesize * 2"}, "computes no metric math"),
        (query("QueueSize", [QUEUE, BROKER], "p99"), "no other statistics"),
    ):
        refused = refusal(
            cloudwatch.get_metric_data, MetricDataQueries=[queries[0], refused_query], **asked
        )
        assert refused["Code"] == "InvalidParameterValue"
        assert sentence in refused["Message"]


def test_every_metric_is_listed_once(aws: Served) -> None:
    for minute in range(3):
        put(aws, minute, ("QueueSize", minute), ("ConsumerCount", 7))
    cloudwatch = aws.client("cloudwatch")
    listed = cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert sorted(metric["MetricName"] for metric in listed) == ["ConsumerCount", "QueueSize"]
    assert cloudwatch.list_metrics(Dimensions=[{"Name": "Queue"}])["Metrics"] == listed
    for _ in range(2):
        cloudwatch.put_metric_data(Namespace="App", MetricData=[{"MetricName": "N", "Value": 1}])
    assert len(cloudwatch.list_metrics(Namespace="App")["Metrics"]) == 1


def test_what_was_put_is_found_by_its_time(aws: Served) -> None:
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_data(
        Namespace="App",
        MetricData=[
            {"MetricName": "N", "Timestamp": START + minute * MINUTE, "Values": [1, 3]}
            for minute in (1, 2)
        ],
    )
    cloudwatch.put_metric_data(Namespace="App", MetricData=[{"MetricName": "Now", "Value": 1}])
    asked: dict[str, Any] = {"Namespace": "App", "Dimensions": []}
    assert points(aws, "N", "Average", **asked) == [(1, 2), (2, 2)]
    now = datetime.now(UTC)
    of_now: dict[str, Any] = {"StartTime": now - MINUTE, "EndTime": now + MINUTE, "Period": 120}
    assert [value for _, value in points(aws, "Now", **asked, **of_now)] == [1]


def test_nobody_puts_values_for_a_broker(aws: Served) -> None:
    cloudwatch = aws.client("cloudwatch")
    data = [{"MetricName": "QueueSize", "Value": 1}]
    refused = refusal(cloudwatch.put_metric_data, Namespace=NAMESPACE, MetricData=data)
    assert refused["Code"] == "InvalidParameterValue"
    assert refused["Message"] == "The value AWS/ for parameter Namespace is invalid."


def test_alarms_are_refused_in_plain_words(aws: Served) -> None:
    refused = refusal(
        aws.client("cloudwatch").put_metric_alarm,
        AlarmName="full",
        Namespace=NAMESPACE,
        MetricName="QueueSize",
        EvaluationPeriods=1,
        Period=60,
        Threshold=1,
        Statistic="Maximum",
        ComparisonOperator="GreaterThanThreshold",
    )
    assert refused["Message"] == "The testbed does not have PutMetricAlarm of CloudWatch."


def test_a_query_has_an_id_of_its_own_a_period_and_data_if_it_wants(aws: Served) -> None:
    put(aws, 0, ("QueueSize", 1))
    cloudwatch, asked = aws.client("cloudwatch"), {"StartTime": START, "EndTime": START + MINUTE}
    metric: dict[str, Any] = {"Namespace": NAMESPACE, "MetricName": "QueueSize"}
    metric["Dimensions"] = [BROKER, QUEUE]
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    query = {"Id": "one", "MetricStat": stat}
    silent = {**query, "Id": "two", "ReturnData": False}
    results = cloudwatch.get_metric_data(MetricDataQueries=[query, silent], **asked)
    assert [result["Id"] for result in results["MetricDataResults"]] == ["one"]
    odd = {**query, "Id": "two", "MetricStat": {**stat, "Period": 45}}
    for queries in ([query, query], [{**query, "Id": "One"}], [query, odd]):
        refused = refusal(cloudwatch.get_metric_data, MetricDataQueries=queries, **asked)
        assert refused["Code"] == "InvalidParameterValue", queries
    asked_for = {**metric, "Period": 45, "Statistics": ["Sum"]}
    refused = refusal(cloudwatch.get_metric_statistics, **asked_for, **asked)
    assert refused["Code"] == "InvalidParameterValue"
