"""What `testbed trail --follow` shows of brokers that are created meanwhile."""

from typing import Any

from testbed.cli.trail import _wanted
from testbed.kms.base import USER
from testbed.trail.broker_names import synonyms
from testbed.trail.filters import Filter
from testbed.trail.record import Call, Setting, mq_record


def record(operation: str, answer: dict[str, str], **sent: Any) -> dict[str, Any]:
    return mq_record(Call(USER, operation, sent, 0, "r", answer, None), Setting(), event_id="e")


def test_a_broker_is_followed_by_its_name_from_its_creation_on() -> None:
    arn = f"arn:aws:mq:us-east-1:{USER.account}:broker:late"
    records = [
        record("CreateBroker", {"BrokerId": "b-1", "BrokerArn": f"{arn}:b-1"}, BrokerName="late"),
        record("RebootBroker", {}, BrokerId="b-2"),
        record("RebootBroker", {}, BrokerId="b-1"),
    ]
    wanted = Filter(brokers=synonyms("late", {}))
    assert list(_wanted(records, wanted, {}, "late")) == [records[0], records[2]]
