"""CloudWatch in CBOR and in queries, as other SDKs speak to it; botocore has the other end."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import cbor2
import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from testbed import api_models
from tests.support.aws_endpoint import Answer, Served
from tests.support.identities import served

CBOR, QUERY = "smithy-rpc-v2-cbor", "query"
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def aws(tmp_path: Any) -> Iterator[Served]:
    with served(tmp_path / "state") as served_testbed:
        yield served_testbed


def send(aws: Served, protocol: str, operation: str, **sent: Any) -> Answer:
    """Send a request as botocore writes it."""
    model = api_models.operations("cloudwatch")[operation]
    request = create_serializer(protocol).serialize_to_request(sent, model)
    body = request["body"]
    return aws.send(
        "POST",
        request["url_path"],
        body if isinstance(body, bytes) else urlencode(body).encode(),
        service="monitoring",
        headers={name: str(value) for name, value in request["headers"].items()},
    )


def read(protocol: str, operation: str, answer: Answer) -> dict[str, Any]:
    model = api_models.operations("cloudwatch")[operation]
    response = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
    parsed: dict[str, Any] = create_parser(protocol).parse(response, model.output_shape)
    return parsed


@pytest.mark.parametrize("protocol", [CBOR, QUERY])
def test_what_was_put_is_read(aws: Served, protocol: str) -> None:
    data = [{"MetricName": "Sent", "Value": 2.5, "Timestamp": NOW}]
    put = send(aws, protocol, "PutMetricData", Namespace="App", MetricData=data)
    assert put.status == 200
    assert put.headers.get("smithy-protocol") == ("rpc-v2-cbor" if protocol == CBOR else None)
    answer = send(
        aws,
        protocol,
        "GetMetricStatistics",
        Namespace="App",
        MetricName="Sent",
        StartTime=NOW - timedelta(minutes=5),
        EndTime=NOW + timedelta(minutes=1),
        Period=600,
        Statistics=["Sum"],
    )
    [point] = read(protocol, "GetMetricStatistics", answer)["Datapoints"]
    assert point["Sum"] == 2.5
    assert NOW - timedelta(minutes=6) <= point["Timestamp"] <= NOW
    listed = read(protocol, "ListMetrics", send(aws, protocol, "ListMetrics", Namespace="App"))
    assert [metric["MetricName"] for metric in listed["Metrics"]] == ["Sent"]


@pytest.mark.parametrize("protocol", [CBOR, QUERY])
def test_a_refusal_has_its_code(aws: Served, protocol: str) -> None:
    data = [{"MetricName": "Sent", "Value": 1}]
    answer = send(aws, protocol, "PutMetricData", Namespace="AWS/AmazonMQ", MetricData=data)
    error = read(protocol, "PutMetricData", answer)["Error"]
    assert (answer.status, error["Code"]) == (400, "InvalidParameterValue")
    assert error["Message"] == "The value AWS/ for parameter Namespace is invalid."


@pytest.mark.parametrize("body", [b"\xff", cbor2.dumps("text"), cbor2.dumps({"a": b"b"})])
def test_what_is_no_map_is_refused(aws: Served, body: bytes) -> None:
    path = "/service/GraniteServiceVersion20100801/operation/ListMetrics"
    headers = {"smithy-protocol": "rpc-v2-cbor"}
    answer = aws.send("POST", path, body, service="monitoring", headers=headers)
    assert answer.status == 400
    assert read(CBOR, "ListMetrics", answer)["Error"]["Code"] == "SerializationException"
