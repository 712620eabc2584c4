"""What is shown of a request: no secret by its name, its place, or an error's sentence."""

import base64
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest

from testbed.documented.cloudtrail import KMS_EVENTS, MQ_EVENTS, Event, Shown
from testbed.errors import KmsError, MqError
from testbed.kms.base import USER, USER_ACCOUNT
from testbed.trail.record import Call, Setting, kms_record, mq_record

KEY = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def record(
    operation: str, parameters: dict[str, Any], error: KmsError | None = None
) -> dict[str, Any]:
    return kms_record(
        Call(USER, operation, parameters, 0, "request", error=error),
        Setting(),
        event_id="event",
        recipient=USER_ACCOUNT,
    )


def mq(operation: str, parameters: dict[str, Any], error: MqError | None = None) -> dict[str, Any]:
    return mq_record(
        Call(USER, operation, parameters, 0, "request", error=error), Setting(), event_id="event"
    )


# Secrets that a sentence repeats

SECRET = "hunter2hunter2-é"


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        (SECRET, SECRET),
        (SECRET, repr({"Password": SECRET})),
        ({"deep": [SECRET]}, SECRET),
        (b"\x00\x01binary", repr(b"\x00\x01binary")),
        (b"\x00\x01binary", base64.b64encode(b"\x00\x01binary").decode()),
        (b"\x00\x01binary", b"\x00\x01binary".hex()),
        (SECRET * 9, SECRET * 2 + "..."),
    ],
)
def test_a_sentence_that_repeats_what_is_not_recorded_is_not_recorded_either(
    value: Any, quoted: str
) -> None:
    error = KmsError(
        f"Invalid type for parameter Plaintext, value: {quoted}, type: x",
        code="ValidationException",
    )
    shown = record("Encrypt", {"KeyId": KEY, "Plaintext": value}, error=error)
    assert shown["errorCode"] == "ValidationException"
    assert "is not recorded" in shown["errorMessage"]
    assert quoted not in repr(shown)


def test_a_sentence_about_what_is_recorded_stays() -> None:
    error = KmsError(f"{KEY} is disabled.", code="DisabledException")
    assert (
        record("Encrypt", {"KeyId": KEY, "Plaintext": SECRET}, error=error)["errorMessage"]
        == error.message
    )
    hidden = MqError(f"The password {SECRET} is too short.", code="BadRequestException")
    assert (
        "is not recorded"
        in mq("CreateUser", {"BrokerId": "b-1", "Username": "u", "Password": SECRET}, error=hidden)[
            "errorMessage"
        ]
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"KeyId": b"secret"},
        {"KeyId": {"secret": "secret"}},
        {"KeyId": ["secret"]},
        {"EncryptionContext": "secret"},
        {"EncryptionContext": {"a": b"secret"}},
        {"EncryptionContext": {"a": ["secret"]}},
    ],
)
def test_a_value_of_a_type_that_its_member_cannot_have_is_not_shown_nor_is_a_sentence_about_it(
    parameters: dict[str, Any],
) -> None:
    error = KmsError(f"Invalid type for parameter, value: {parameters}", code="ValidationException")
    assert "secret" not in repr(record("Encrypt", parameters, error))


# botocore's model knows what is sensitive and what is binary

MODELS = {name: botocore.session.Session().get_service_model(name) for name in ("kms", "mq")}


def described(shape: Any, members: Any, operation: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield each member whose value a table shows, with its shape in the API."""
    for member, how in members.items():
        if how is Shown.HIDDEN:
            continue
        assert shape is not None
        assert member in shape.members, f"{operation} has no {member}"
        inner = shape.members[member]
        yield f"{operation}.{member}", inner, how
        if isinstance(how, dict):
            yield from described(inner, how, f"{operation}.{member}")
        elif isinstance(how, list):
            yield from described(inner.member, how[0], f"{operation}.{member}")


@pytest.mark.parametrize(("service", "table"), [("kms", KMS_EVENTS), ("mq", MQ_EVENTS)])
def test_the_tables_show_nothing_that_the_api_calls_sensitive_or_that_is_binary_or_a_token(
    service: str, table: dict[str, Event]
) -> None:
    checked = 0
    for operation, event in table.items():
        model = MODELS[service].operation_model(operation)
        for shape, members in (
            (model.input_shape, event.request),
            (model.output_shape, event.response),
        ):
            for name, inner, _ in described(shape, members, operation):
                leaking = re.search(r"\.[^.]*(Token|Password|Plaintext)[^.]*$|\.Data$", name)
                assert not leaking, f"{name} is shown"
                assert not inner.metadata.get("sensitive"), f"{name} is shown"
                assert inner.type_name != "blob", f"{name} is shown"
                checked += 1
    assert checked > 60


def test_every_operation_is_described() -> None:
    assert set(MODELS["kms"].operation_names) - KMS_EVENTS.keys() == set()
    assert {
        name
        for name in MODELS["mq"].operation_names
        if name not in MQ_EVENTS and not name.startswith(("Describe", "List"))
    } == set()
