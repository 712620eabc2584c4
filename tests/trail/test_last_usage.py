"""When a key was last used, as KMS answers it from the trail."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import KmsError
from testbed.kms.base import USER, USER_ACCOUNT, root
from testbed.state.clock import Clock
from testbed.state.store import State
from testbed.trail.lookup import events
from testbed.trail.record import Call
from testbed.trail.recording import Recorder
from testbed.trail.store import Trail

KEY, OTHER = (
    f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/{number}234abcd-12ab-34cd-56ef-1234567890ab"
    for number in (1, 2)
)
RE_ENCRYPT = {"SourceKeyId": KEY, "DestinationKeyId": OTHER}


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    state = State(tmp_path / "state")
    return Recorder(Trail(state.folder), Clock(state))


def call(
    operation: str,
    at: float,
    parameters: dict[str, Any] | None = None,
    error: KmsError | None = None,
) -> Call:
    named = {"KeyId": KEY} if parameters is None else parameters
    answer = {} if error else {**named, "KeyId": named.get("KeyId", OTHER)}
    return Call(USER, operation, named, at, f"request at {at}", answer, error=error)


def test_the_last_successful_use_is_told_with_its_record(recorder: Recorder) -> None:
    assert recorder.last_usage(KEY) == {}, "never used"
    for used in (call("Encrypt", 100), call("GenerateDataKey", 200)):
        recorder.kms_call(used)
    usage = recorder.last_usage(KEY)
    records = {record["requestID"]: record for record in events(recorder.trail, USER_ACCOUNT)}
    assert usage == {
        "Operation": "GenerateDataKey",
        "Timestamp": datetime.fromtimestamp(200, UTC),
        "CloudTrailEventId": records["request at 200"]["eventID"],
        "KmsRequestId": "request at 200",
    }


def test_what_is_refused_and_what_uses_no_key_do_not_count(recorder: Recorder) -> None:
    recorder.kms_call(call("Encrypt", 100))
    recorder.kms_call(call("Decrypt", 200, error=KmsError("", code="DisabledException")))
    recorder.kms_call(call("DescribeKey", 300))
    assert recorder.last_usage(KEY)["KmsRequestId"] == "request at 100"


def test_a_key_is_used_in_its_own_region(recorder: Recorder) -> None:
    region = "eu-central-1"
    key = KEY.replace("us-east-1", region)
    used = call("Encrypt", 100, {"KeyId": key})
    recorder.kms_call(replace(used, caller=root(USER_ACCOUNT, region)))
    assert recorder.last_usage(key)["KmsRequestId"] == "request at 100"
    assert recorder.last_usage(KEY) == {}


def test_re_encryption_uses_both_keys(recorder: Recorder) -> None:
    recorder.kms_call(call("ReEncrypt", 100, RE_ENCRYPT))
    for key in (KEY, OTHER):
        assert recorder.last_usage(key)["Operation"] == "ReEncrypt"
