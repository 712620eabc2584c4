"""Which records a reader of the trail wants."""

from typing import Any

import pytest

from testbed.errors import KmsError, NotFoundException
from testbed.kms.base import MQ, USER, USER_ACCOUNT, Caller
from testbed.trail.broker_names import created_in, synonyms
from testbed.trail.filters import Filter, newest_of
from testbed.trail.identity import access_key_id
from testbed.trail.record import Call, Setting, kms_record, mq_record, service_event_record

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/{KEY_ID}"
OTHER = KEY.replace("1234abcd", "abcd1234")
ALIAS = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:alias/orders"
ALICE = Caller(f"arn:aws:iam::{USER_ACCOUNT}:user/team/Alice", USER_ACCOUNT, "IAMUser")
SESSION = Caller(f"arn:aws:sts::{USER_ACCOUNT}:assumed-role/Admin/bob", USER_ACCOUNT, "AssumedRole")
BROKER_ARN = f"arn:aws:mq:us-east-1:{USER_ACCOUNT}:broker:orders:b-1"


def kms(
    operation: str, caller: Caller, *resources: str, error: KmsError | None = None
) -> dict[str, Any]:
    call = Call(caller, operation, {"KeyId": KEY}, 0, "r", error=error)
    return kms_record(call, Setting(), event_id="e", recipient=USER_ACCOUNT, resources=resources)


def mq(
    operation: str, answer: dict[str, str], error: NotFoundException | None = None, **sent: Any
) -> dict[str, Any]:
    call = Call(USER, operation, sent, 0, "r", answer, error)
    return mq_record(call, Setting(), event_id="e")


RECORDS = {
    "created": kms("CreateKey", USER, KEY),
    "named": kms("CreateAlias", ALICE, ALIAS, KEY),
    "broker": mq(
        "CreateBroker",
        {"BrokerId": "b-1", "BrokerArn": BROKER_ARN},
        BrokerName="orders",
        EncryptionOptions={"KmsKeyId": KEY, "UseAwsOwnedKey": False},
    ),
    "grant": kms("CreateGrant", SESSION.through("mq.amazonaws.com"), KEY),
    "opened": kms("Decrypt", MQ, KEY),
    "denied": kms("Decrypt", SESSION, KEY, error=KmsError("no", code="AccessDeniedException")),
    "disabled": kms("DisableKey", SESSION, OTHER),
    "missing": mq("DescribeBroker", {}, NotFoundException("no"), BrokerId="b-2"),
    "rebooted": mq("RebootBroker", {}, BrokerId="b-1"),
    "tagged": mq("CreateTags", {}, ResourceArn=BROKER_ARN, Tags={"a": "b"}),
    "deleted": service_event_record("DeleteKey", OTHER, 0, Setting(), event_id="e", details={}),
}
NAMES = created_in(RECORDS["broker"])


def shown(wanted: Filter) -> set[str]:
    return {
        name
        for name, record in RECORDS.items()
        if wanted.is_met(record) and not wanted.is_hidden(record)
    }


BY_SERVICES = {"grant", "opened", "deleted"}


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Filter(), RECORDS.keys() - BY_SERVICES),
        (Filter(services=True), {*RECORDS}),
        (Filter(actor="Alice"), {"named"}),
        (Filter(actor=ALICE.principal), {"named"}),
        (Filter(actor="bob"), {"grant", "denied", "disabled"}),
        (Filter(actor="Admin"), {"grant", "denied", "disabled"}),
        (Filter(actor=SESSION.principal), {"grant", "denied", "disabled"}),
        (Filter(actor=access_key_id(SESSION)), {"grant", "denied", "disabled"}),
        (Filter(actor="mq.amazonaws.com"), {"grant", "opened"}),
        (Filter(actor="AWS Internal"), {"deleted"}),
        (Filter(actor="Ali"), set()),
        (Filter(key=KEY), {"created", "named", "broker", "denied"}),
        (Filter(key=KEY_ID), {"created", "named", "broker", "denied"}),
        (Filter(key=OTHER, services=True), {"disabled", "deleted"}),
        (Filter(key="alias/orders"), {"named"}),
        (Filter(key=KEY_ID[1:]), set()),
        (Filter(brokers=synonyms("orders", NAMES)), {"broker", "rebooted", "tagged"}),
        (Filter(brokers=synonyms("b-1", NAMES)), {"broker", "rebooted", "tagged"}),
        (Filter(brokers=synonyms("b-2", NAMES)), {"missing"}),
        (Filter(brokers=synonyms("order", NAMES)), set()),
        (Filter(error="any"), {"denied", "missing"}),
        (Filter(error="AccessDenied"), {"denied"}),
        (Filter(error="AccessDenied", actor="Alice"), set()),
    ],
)
def test_what_is_shown(wanted: Filter, names: set[str]) -> None:
    assert shown(wanted) == names


def test_the_newest_that_match_and_how_many_are_hidden() -> None:
    polls = [RECORDS["opened"]] * 934
    records = [*polls, RECORDS["disabled"], RECORDS["denied"], RECORDS["created"]]
    found, hidden = newest_of(records, Filter(), 2)
    assert [record["eventName"] for record in found] == ["DisableKey", "Decrypt"]
    assert hidden == 934
    assert newest_of(records, Filter(services=True), 2) == (records[:2], 0)
    assert newest_of(records, Filter(key=OTHER), 2) == ([RECORDS["disabled"]], 0)


def test_a_name_that_was_used_again_stands_for_all_its_brokers() -> None:
    again = mq("CreateBroker", {"BrokerId": "b-3"}, BrokerName="orders")
    refused = mq("CreateBroker", {}, NotFoundException("no"), BrokerName="orders")
    names = {**NAMES, **created_in(again), **created_in(refused)}
    assert synonyms("orders", names) == {"orders", "b-1", "b-3"}
    assert synonyms("b-3", names) == {"orders", "b-3"}
    assert synonyms("", names) == frozenset()
