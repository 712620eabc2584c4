"""What a key's state allows, without any KMS: the key-state table and the delay."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import KmsError
from testbed.kms.base import USER_ACCOUNT
from testbed.kms.key import (
    DAY,
    NEEDS_ENABLED,
    NEEDS_ENABLED_NOW,
    NOT_PENDING_DELETION,
    Key,
    check_state,
)

ARN = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = Key(ARN, "{}")
DELAY = 10.0


def refused(key: Key, operation: str, now: float) -> str:
    try:
        check_state(key, operation, now)
    except KmsError as error:
        return str(error)
    return ""


def test_a_disabled_key_is_used_until_the_delay_is_over_and_shown_disabled_at_once() -> None:
    key = KEY.disabled(100, DELAY)
    assert key.state == "Disabled"
    assert key.effective_state(109) == "Enabled"
    assert key.effective_state(110) == "Disabled"
    assert key.disabled(105, DELAY) is key, "a second request does not postpone it"


def test_what_is_taken_back_within_the_delay_never_was() -> None:
    assert KEY.disabled(100, DELAY).enabled() == KEY
    assert KEY.scheduled(100, DELAY, 7).cancelled().enabled() == KEY


def test_a_cancelled_deletion_leaves_it_disabled_when_it_would_have_been_unusable() -> None:
    key = KEY.scheduled(100, DELAY, 7).cancelled()
    assert key.state == "Disabled"
    assert key.usable(109)
    assert not key.usable(110)
    assert key.due is None


def test_scheduling_a_disabled_key_gives_it_no_new_delay() -> None:
    key = KEY.disabled(0, DELAY).scheduled(100, DELAY, 30)
    assert not key.usable(100)
    assert key.deletion == 100 + 30 * DAY == key.due


@pytest.mark.parametrize(
    "operation",
    sorted(
        NEEDS_ENABLED
        | NEEDS_ENABLED_NOW
        | NOT_PENDING_DELETION
        | {"CancelKeyDeletion", "DescribeKey", "RevokeGrant"}
    ),
)
def test_the_key_state_table(operation: str) -> None:
    disabled, pending = KEY.disabled(0, DELAY), KEY.scheduled(0, DELAY, 7)
    off, doomed = (
        f"DisabledException: {ARN} is disabled.",
        f"KMSInvalidStateException: {ARN} is pending deletion.",
    )
    enabled_only = operation in NEEDS_ENABLED | NEEDS_ENABLED_NOW
    not_doomed = enabled_only or operation in NOT_PENDING_DELETION
    unscheduled = (
        f"KMSInvalidStateException: {ARN} is not pending deletion."
        if operation == "CancelKeyDeletion"
        else ""
    )

    assert refused(KEY, operation, 100) == unscheduled
    assert refused(disabled, operation, 100) == (off if enabled_only else unscheduled)
    assert refused(pending, operation, 100) == (doomed if not_doomed else "")
    # Within the delay, what uses the key goes on; what administers it goes by the requested state.
    assert refused(disabled, operation, 5) == (
        off if operation in NEEDS_ENABLED_NOW else unscheduled
    )
    assert refused(pending, operation, 5) == (
        doomed if not_doomed and operation not in NEEDS_ENABLED else ""
    )


@given(
    st.lists(
        st.tuples(st.sampled_from(["disable", "enable", "schedule", "cancel"]), st.integers(0, 20)),
        max_size=12,
    )
)
def test_a_key_is_unusable_only_a_delay_after_someone_asked_for_it_and_never_while_enabled(
    steps: list[tuple[str, int]],
) -> None:
    key, now, requested = KEY, 0.0, None
    for step, pause in steps:
        now += pause
        if step == "disable" and key.state != "PendingDeletion":
            key = key.disabled(now, DELAY)
        elif step == "enable" and key.state != "PendingDeletion":
            key, requested = key.enabled(), None
        elif step == "schedule" and key.state != "PendingDeletion":
            key = key.scheduled(now, DELAY, 7)
        elif step == "cancel" and key.state == "PendingDeletion":
            key = key.cancelled()
        requested = now if requested is None and key.state != "Enabled" else requested
        assert key.usable(now) == (requested is None or now < requested + DELAY)
        assert (key.due is not None) == (key.state == "PendingDeletion")
        assert msgspec.json.decode(msgspec.json.encode(key), type=Key) == key
