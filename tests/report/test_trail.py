"""A record in one line: time, event, caller, resources and result."""

import json
from dataclasses import replace

import pytest

from testbed.errors import BadRequestException, KmsError
from testbed.kms.base import MQ, USER, USER_ACCOUNT, Caller
from testbed.report.trail import json_line, line
from testbed.trail.record import Call, Setting, kms_record, mq_record, service_event_record

KEY = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SESSION = Caller(
    f"arn:aws:sts::{USER_ACCOUNT}:assumed-role/Admin/alice",
    USER_ACCOUNT,
    "AssumedRole",
    invoked_by="mq.amazonaws.com",
)
REFUSED = KmsError(f"{KEY} is disabled.", code="DisabledException")


def kms(operation: str, caller: Caller = USER, error: KmsError | None = None) -> dict[str, object]:
    call = Call(caller, operation, {"KeyId": KEY}, 1_700_000_000, "r", error=error)
    return kms_record(call, Setting(), event_id="e", recipient=USER_ACCOUNT, resources=(KEY,))


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (
            kms("EnableKey"),
            [
                "2023-11-14T22:13:20Z",
                "EnableKey",
                "root",
                "key/1234abcd-12ab-34cd-56ef-1234567890ab",
                "ok",
            ],
        ),
        (
            kms("Decrypt", MQ, REFUSED),
            ["Decrypt", "mq.amazonaws.com", f"DisabledException: {KEY} is disabled."],
        ),
        (
            kms("CreateGrant", SESSION),
            ["CreateGrant", "Admin/alice by mq.amazonaws.com", "ok"],
        ),
        (
            kms("Decrypt", error=KmsError("", code="InvalidCiphertextException")),
            ["InvalidCiphertextException"],
        ),
        (
            service_event_record("DeleteKey", KEY, 0, Setting(), event_id="e", details={}),
            ["1970-01-01", "DeleteKey", "AWS Internal", "key/1234abcd", "ok"],
        ),
        (
            mq_record(
                Call(USER, "CreateBroker", {"BrokerName": "orders"}, 0, "r", {"BrokerId": "b-1"}),
                Setting(),
                event_id="e",
            ),
            ["CreateBroker", "root", "orders b-1", "ok"],
        ),
        (
            mq_record(
                Call(
                    USER,
                    "RebootBroker",
                    {"BrokerId": "b-1"},
                    0,
                    "r",
                    error=BadRequestException("no"),
                ),
                Setting(),
                event_id="e",
            ),
            ["RebootBroker", "b-1", "BadRequestException: no"],
        ),
    ],
)
def test_a_line_tells_the_whole_story(record: dict[str, object], words: list[str]) -> None:
    shown = line(record)
    after = 0
    for word in words:
        after = shown.index(word, after) + len(word)
    assert after == len(shown)
    assert "\n" not in shown


BROKER_ID = "b-1234abcd-12ab-34cd-56ef-1234567890ab"


def mq(operation: str, error: BadRequestException | None = None) -> dict[str, object]:
    call = Call(USER, operation, {"BrokerId": BROKER_ID}, 1_700_000_000, "r", error=error)
    return mq_record(call, Setting(), event_id="e")


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (kms("DisableKey"), "11-14 22:13:20  DisableKey        root      key/1234abcd…  ok"),
        (mq("RebootBroker"), "11-14 22:13:20  RebootBroker      root      orders  ok"),
        (
            mq("RebootBroker", BadRequestException("The broker is in another state.")),
            "11-14 22:13:20  RebootBroker      root      orders  BadRequestException: The br…",
        ),
        (
            kms("GenerateDataKeyWithoutPlaintext", MQ, REFUSED),
            "11-14 22:13:20  GenerateDataKeyWithoutPlaintext  mq        key/1234abcd…  Disab…",
        ),
    ],
)
def test_on_a_terminal_a_line_is_as_long_as_it_is_wide(
    record: dict[str, object], text: str
) -> None:
    assert line(record, {BROKER_ID: "orders"}, 80) == text
    assert len(text) <= 80


def test_a_caller_of_another_account_has_its_account() -> None:
    stranger = replace(USER, principal="arn:aws:iam::111122223333:root", account="111122223333")
    assert "root of 111122223333" in line(kms("Decrypt", stranger))


def test_a_line_carries_nothing_that_a_terminal_would_obey() -> None:
    shown = line(
        kms("Decrypt", error=KmsError("\x1b[2Jgone\nDecrypt root ok", code="ValidationException"))
    )
    assert "\x1b" not in shown
    assert "\n" not in shown


def test_json_is_the_record_in_one_line_of_ascii() -> None:
    record = kms("Decrypt", error=KmsError("né\n", code="ValidationException"))
    assert json.loads(json_line(record)) == record
    assert json_line(record).isascii()
    assert "\n" not in json_line(record)
