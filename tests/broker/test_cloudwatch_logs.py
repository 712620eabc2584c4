"""What is delivered to CloudWatch Logs, by which permission, once; without containers."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from testbed.broker import node_container
from testbed.broker.cloudwatch_logs import LogDelivery
from testbed.broker.model import Broker, Pending
from testbed.broker.nodes import Nodes
from testbed.broker.requests import UpdateBroker
from testbed.broker.store import BrokerStore
from testbed.errors import BadRequestException, ContainerFailed
from testbed.kms.base import USER
from testbed.runtime.containers import ContainerState
from testbed.testbed import Testbed
from tests.support import brokers_offline
from tests.support.aws_endpoint import Served
from tests.support.brokers_offline import NO_CONTAINERS, Keys
from tests.support.identities import ACCOUNT, new_user, served
from tests.support.identities import allow as iam_allow

POLICY: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "mq.amazonaws.com"},
    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
    "Resource": "arn:aws:logs:*:*:log-group:/aws/amazonmq/*",
}
NOW = int(time.time()) * 10**9


@pytest.fixture
def aws(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(NO_CONTAINERS, "timed_lines", printed, raising=False)
    with served(tmp_path / "state") as served_testbed:
        yield served_testbed


def printed(_container: str, since: int) -> Iterator[tuple[int, str]]:
    lines = (
        "testbed-enter: standby: another node has the volume",
        "2026-11-29T10:00:00.000Z INFO BrokerService - started by correct-horse-1",
        "2026-11-29T10:00:01.000Z INFO audit - admin called addQueue",
    )
    yield from ((NOW + at, line) for at, line in enumerate(lines, 1) if NOW + at > since)


def broker(testbed: Testbed, engine_type: str = "ACTIVEMQ", **logs: bool) -> Broker:
    """Return a broker that runs, with these logs."""
    request = brokers_offline.request(engine_type)
    request = replace(request, settings={**request.settings, "Logs": logs})
    stored = brokers_offline.add(testbed, request)
    return stored.with_node(replace(stored.nodes[0], container_id="container"))


def delivered(aws: Served, own: Broker, group: str) -> list[str]:
    logs = aws.client("logs")
    name = f"/aws/amazonmq/broker/{own.broker_id}/{group}"
    if name not in {each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]}:
        return []
    return [event["message"] for event in logs.filter_log_events(logGroupName=name)["events"]]


def allow(aws: Served, **changed: Any) -> None:
    document = {"Version": "2012-10-17", "Statement": [{**POLICY, **changed}]}
    aws.client("logs").put_resource_policy(
        policyName="AmazonMQ-logs", policyDocument=json.dumps(document)
    )


def test_each_line_is_delivered_once_and_without_passwords(aws: Served) -> None:
    delivery, own = LogDelivery(aws.testbed.services), broker(aws.testbed, General=True, Audit=True)
    allow(aws)
    delivery.begin(own, USER)
    for _ in range(2):
        delivery.deliver(own)
    assert delivered(aws, own, "general") == [
        "2026-11-29T10:00:00.000Z INFO BrokerService - started by ***"
    ]
    assert delivered(aws, own, "audit") == [
        "2026-11-29T10:00:01.000Z INFO audit - admin called addQueue"
    ]
    [stream] = aws.client("logs").describe_log_streams(
        logGroupName=f"/aws/amazonmq/broker/{own.broker_id}/audit"
    )["logStreams"]
    assert stream["logStreamName"] == f"activemq-{own.broker_id}-1.log"


def test_only_what_is_turned_on_is_delivered(aws: Served) -> None:
    delivery, own = LogDelivery(aws.testbed.services), broker(aws.testbed, General=True)
    allow(aws)
    delivery.begin(own, USER)
    delivery.deliver(own)
    assert len(delivered(aws, own, "general")) == 1
    assert delivered(aws, own, "audit") == []


@pytest.mark.parametrize(
    "changed",
    [
        {"Effect": "Deny"},
        {"Principal": {"Service": "ec2.amazonaws.com"}},
        {"Action": ["logs:CreateLogStream"]},
        {"Resource": "arn:aws:logs:*:*:log-group:/aws/lambda/*"},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "222222222222"}}},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:mq:*:*:broker:other:*"}}},
    ],
    ids=str,
)
def test_activemq_needs_a_resource_policy(aws: Served, changed: dict[str, Any]) -> None:
    delivery, own = LogDelivery(aws.testbed.services), broker(aws.testbed, General=True)
    delivery.begin(own, USER)
    delivery.deliver(own)
    assert delivered(aws, own, "general") == [], "no policy"
    allow(aws, **changed)
    delivery.deliver(own)
    assert delivered(aws, own, "general") == []
    condition = {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:mq:us-east-1:{ACCOUNT}:broker:offline:*"},
    }
    allow(aws, Condition=condition)
    delivery.deliver(own)
    assert len(delivered(aws, own, "general")) == 1


def test_resource_policies_may_have_statements_of_the_same_sid(aws: Served) -> None:
    delivery, own = LogDelivery(aws.testbed.services), broker(aws.testbed, General=True)
    other = {**POLICY, "Sid": "Logs", "Principal": {"Service": "es.amazonaws.com"}}
    aws.client("logs").put_resource_policy(
        policyName="search",
        policyDocument=json.dumps({"Version": "2012-10-17", "Statement": other}),
    )
    allow(aws, Sid="Logs")
    delivery.begin(own, USER)
    delivery.deliver(own)
    assert len(delivered(aws, own, "general")) == 1


def test_activemq_needs_a_creator_who_may_create_log_groups(aws: Served) -> None:
    delivery, own = LogDelivery(aws.testbed.services), broker(aws.testbed, General=True)
    allow(aws)
    person = new_user(aws, "creator", iam_allow("mq:*"))
    known = aws.testbed.services.identities.known(person.access_key_id, "us-east-1")
    assert known
    delivery.begin(own, known.caller)
    assert aws.client("logs").describe_log_groups()["logGroups"] == []
    resource = f"arn:aws:logs:*:{ACCOUNT}:log-group:/aws/amazonmq/*"
    person = new_user(aws, "better", iam_allow("logs:CreateLogGroup", resource=resource))
    known = aws.testbed.services.identities.known(person.access_key_id, "us-east-1")
    assert known
    delivery.begin(own, known.caller)
    assert aws.client("logs").describe_log_groups()["logGroups"]


def test_rabbitmq_writes_by_the_role_of_amazon_mq(aws: Served) -> None:
    delivery, own = LogDelivery(aws.testbed.services), broker(aws.testbed, "RABBITMQ", General=True)
    delivery.begin(own, USER)
    delivery.deliver(own)
    assert len(delivered(aws, own, "general")) == 2


def test_a_group_that_was_deleted_stays_deleted(aws: Served) -> None:
    delivery, own = LogDelivery(aws.testbed.services), broker(aws.testbed, "RABBITMQ", General=True)
    delivery.begin(own, USER)
    name = f"/aws/amazonmq/broker/{own.broker_id}/general"
    aws.client("logs").delete_log_group(logGroupName=name)
    delivery.deliver(own)
    assert delivered(aws, own, "general") == []
    delivery.begin(own, USER)
    assert name in {
        each["logGroupName"] for each in aws.client("logs").describe_log_groups()["logGroups"]
    }


def test_a_node_that_does_not_start_has_its_last_lines_delivered(
    aws: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = broker(aws.testbed, "RABBITMQ", General=True)
    store = BrokerStore(aws.testbed.state, aws.testbed.services.stopping)
    LogDelivery(aws.testbed.services).begin(own, USER)
    removed: list[str] = []

    def stop(*_: object, **__: object) -> None:
        raise ContainerFailed("The broker stopped while starting.")

    monkeypatch.setattr(Nodes, "_data_key", lambda *_: None)
    monkeypatch.setattr(Nodes, "_launch", lambda _, broker, node, *__: node)
    monkeypatch.setattr(node_container, "wait", stop)
    monkeypatch.setattr(NO_CONTAINERS, "remove", removed.append, raising=False)
    monkeypatch.setattr(
        NO_CONTAINERS,
        "timed_lines",
        lambda container, since: iter(()) if container in removed else printed(container, since),
    )
    monkeypatch.setattr(NO_CONTAINERS, "state", lambda _: ContainerState("missing"), raising=False)
    with pytest.raises(ContainerFailed, match="stopped while starting"):
        Nodes(aws.testbed.services, store).start(store.put(own), own.nodes)
    assert removed == ["container"]
    assert len(delivered(aws, own, "general")) == 2


def test_a_refused_reboot_makes_no_log_group(aws: Served) -> None:
    own = broker(aws.testbed, "RABBITMQ")
    waiting = UpdateBroker(settings={"Logs": {"General": True}})
    aws.testbed.brokers.update(own.broker_id, waiting)
    with pytest.raises(BadRequestException, match="can't be rebooted"):
        aws.testbed.brokers.reboot(own.broker_id)
    assert aws.client("logs").describe_log_groups()["logGroups"] == []


def test_what_was_said_before_a_reboot_turned_the_log_on_is_not_delivered(
    aws: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery, own = LogDelivery(aws.testbed.services), broker(aws.testbed, "RABBITMQ")
    own = replace(own, pending=Pending(settings={"Logs": {"General": True}}))
    aws.testbed.brokers.amend(own.broker_id, lambda _: own)
    cast("Keys", aws.testbed.kms).state = "Enabled"
    aws.testbed.brokers.begin_reboot(own.broker_id)
    delivery.deliver(own.applied())
    assert delivered(aws, own, "general") == []

    def later(container: str, since: int) -> Iterator[tuple[int, str]]:
        yield from printed(container, since)
        yield NOW + 10, "the node stops"

    monkeypatch.setattr(NO_CONTAINERS, "timed_lines", later)
    delivery.skip(own.applied())
    delivery.deliver(own.applied())
    assert delivered(aws, own, "general") == ["the node stops"]
