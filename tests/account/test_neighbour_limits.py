"""What moto would accept and is refused, in AWS's words where there are any."""

import json
from typing import Any

import pytest

from testbed.account.neighbour_limits import check
from testbed.errors import ApiError

ALLOWING = {"Effect": "Allow", "Principal": "*", "Action": "logs:*", "Resource": "*"}
HARMLESS = {
    "Name": "a",
    "policyDocument": json.dumps({"Version": "2012-10-17", "Statement": ALLOWING}),
}
REFUSED = [
    ("cloudwatch", "PutMetricData", {"Namespace": "AWS/AmazonMQ"}, "Namespace is invalid"),
    ("cloudwatch", "PutMetricData", {"EntityMetricData": [{}]}, "keeps no metrics of entities"),
    ("cloudwatch", "GetMetricStatistics", {"ExtendedStatistics": ["p99"]}, "no other statistics"),
    ("events", "CreateEventBus", {"KmsKeyIdentifier": "k"}, "encrypts no event buses"),
    ("events", "PutTargets", {"Targets": [{"Arn": "arn:aws:sqs:r:1:q"}]}, "to log groups alone"),
    ("events", "PutRule", {"ScheduleExpression": "rate(1 day)"}, "has no schedules"),
    ("logs", "PutResourcePolicy", {"policyDocument": "{"}, "Invalid policy document"),
    ("logs", "CreateLogGroup", {"kmsKeyId": "k"}, "encrypts no log groups"),
    ("secretsmanager", "CreateSecret", {"AddReplicaRegions": [{}]}, "replicates no secrets"),
    ("ssm", "PutParameter", {"Policies": "[]"}, "has no parameter policies"),
]


@pytest.mark.parametrize(("service", "operation", "sent", "words"), REFUSED)
def test_what_would_have_no_effect_is_refused(
    service: str, operation: str, sent: dict[str, Any], words: str
) -> None:
    check(service, operation, HARMLESS)
    with pytest.raises(ApiError, match=words):
        check(service, operation, HARMLESS | sent)


@pytest.mark.parametrize(
    ("sent", "size"),
    [
        ({}, 4096),
        ({"Tier": "Standard"}, 4096),
        ({"Tier": "Advanced"}, 8192),
        ({"Tier": "Intelligent-Tiering"}, 8192),
        ({"Overwrite": True}, 8192),  # of an advanced one
        ({"Overwrite": True, "Tier": "Standard"}, 4096),
    ],
)
def test_a_parameter_has_the_size_of_its_tier(sent: dict[str, Any], size: int) -> None:
    check("ssm", "PutParameter", {**sent, "Value": "v" * size})
    with pytest.raises(ApiError, match=f"value of {size} characters") as refused:
        check("ssm", "PutParameter", {**sent, "Value": "v" * (size + 1)})
    assert (refused.value.code, refused.value.status) == ("ValidationException", 400)
