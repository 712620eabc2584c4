"""The endpoint's health, for those who have no signature."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.aws.health import Health
from testbed.https.server import Request
from testbed.kms.base import USER_ACCOUNT
from testbed.trail.lookup import events
from tests.support.aws_endpoint import Served
from tests.support.brokers_offline import add, offline, request


@pytest.mark.parametrize("path", ["/health", "/_localstack/health"])
def test_it_names_services_and_brokers(tmp_path: Path, path: str) -> None:
    with offline(tmp_path / "state") as testbed:
        broker = add(testbed, request())
        status = "running"
        health = Health(["kms", "mq"], lambda: status, testbed.brokers)
        response = health.answer(Request("GET", path))
        assert response is not None
        document = json.loads(response.body)
        assert (response.status, document["status"]) == (200, "ok")
        assert document["services"] == {"kms": "running", "mq": "running"}
        assert document["brokers"] == {
            broker.broker_id: {"name": "offline", "region": "us-east-1", "state": "RUNNING"}
        }
        assert "correct-horse-1" not in str(document)
        status = "exited"
        without = health.answer(Request("GET", path))
        assert without is not None
        assert without.status == 503
        assert json.loads(without.body)["services"] == {"kms": "error", "mq": "running"}
        assert list(events(testbed.trail, USER_ACCOUNT)) == []


@pytest.mark.parametrize(
    "other", [Request("POST", "/health"), Request("GET", "/"), Request("GET", "/health/x")]
)
def test_other_requests_are_not_its_own(tmp_path: Path, other: Request) -> None:
    with offline(tmp_path / "state") as testbed:
        assert Health([], lambda: "running", testbed.brokers).answer(replace(other)) is None


@pytest.mark.containers
def test_the_endpoint_answers_without_a_signature(aws: Served) -> None:
    connection = aws.connect()
    for path, status in (("/health", 200), ("/", 403)):
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        assert response.status == status
        if status == 200:
            services = json.loads(body)["services"]
            assert {"kms", "mq", "cloudtrail", "iam", "sts"} <= services.keys()
            assert set(services.values()) == {"running"}
    connection.close()
    assert aws.log == []
