"""The events that CloudTrail has recorded since a moment."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from testbed.errors import NotFoundException
from testbed.key import Key
from testbed.kms.base import MQ, USER
from testbed.testbed import Testbed
from testbed.testing.events import Events

pytestmark = pytest.mark.containers


@pytest.fixture
def key(testbed: Testbed) -> Iterator[Key]:
    key = Key(testbed, testbed.new_key("Of one test"))
    yield key
    key.schedule_deletion()


def test_only_what_came_since(testbed: Testbed, key: Key) -> None:
    key.disable()
    events = Events(testbed)
    assert events.names() == []
    key.enable()
    key.disable()
    assert events.names() == ["EnableKey", "DisableKey"]
    assert [record["eventName"] for record in Events(testbed).records()] == []


def test_looking_at_a_key_is_not_among_them(testbed: Testbed, key: Key) -> None:
    events = Events(testbed)
    assert key.state == "Enabled"
    assert events.names(services=True) == []
    key.call("DescribeKey")
    assert events.names() == ["DescribeKey"], "control"


def test_filters(testbed: Testbed, key: Key) -> None:
    events = Events(testbed)
    key.disable()
    service = replace(MQ, account=USER.account)
    testbed.kms.call(service, "ListRetirableGrants", {"RetiringPrincipal": MQ.principal})
    with pytest.raises(NotFoundException):
        testbed.brokers.describe("b-1")
    assert events.names() == ["DisableKey", "DescribeBroker"]
    assert "ListRetirableGrants" in events.names(services=True)
    assert events.names(key=key.arn) == ["DisableKey"]
    assert events.names(broker="b-1", error="NotFoundException") == ["DescribeBroker"]
    assert events.names(actor=USER.principal, error="any") == ["DescribeBroker"]


def test_more_than_one_page(testbed: Testbed, key: Key) -> None:
    events = Events(testbed)
    records = testbed.trail
    key.disable()
    [disabled] = events.records()
    records.append(*[disabled] * 2500)
    assert len(events.names()) == 2501
