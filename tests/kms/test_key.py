"""What a key's state allows, without any KMS: the key-state table and the delay."""

import re
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import KmsError
from testbed.kms.base import USER_ACCOUNT
from testbed.kms.key import DAY, Key, check_state
from testbed.kms.material import Material
from tests.support.models import operations_on_a_key

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


def test_imported_material_decides_what_state_and_due_time_a_key_has() -> None:
    key = replace(KEY, origin="EXTERNAL").with_materials((), 0)
    assert (key.state, key.usable(0), key.due) == ("PendingImport", False, None)
    first, second = Material("1", expires=50), Material("2", expires=40)
    key = replace(key, first_material="1").with_materials((first,), 10)
    assert (key.state, key.due, key.current_material) == ("Enabled", 50, "1")
    key = key.with_materials((first, second), 20)
    assert (key.pending_rotation, key.due) == (second, 40)
    assert key.with_materials((first,), 40).state == "Enabled", "what waits is not needed"
    gone = replace(first, imported=False)
    doomed = key.scheduled(20, DELAY, 7).with_materials((gone,), 25)
    assert (doomed.state, doomed.usable(24), doomed.usable(25)) == ("PendingDeletion", True, False)
    assert doomed.cancelled().state == "PendingImport"
    assert key.scheduled(20, DELAY, 7).cancelled().state == "Disabled"


# KEYSTATE, row by row: what is refused in the states of STATES, "-" for nothing.
# D: DisabledException; I: KMSInvalidStateException of the state; N: "is not pending deletion".
STATES = (
    "Enabled",
    "Disabled",
    "PendingImport",
    "PendingDeletion",
    "PendingReplicaDeletion",
    "Unavailable",
    "Creating",
    "Updating",
)
ROWS = {
    "-DIIIII-": """Encrypt Decrypt ReEncrypt GenerateDataKey GenerateDataKeyWithoutPlaintext
        GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext Sign Verify GenerateMac VerifyMac
        DeriveSharedSecret Encapsulate Decapsulate""",
    "-DIII-I-": "CreateGrant",
    "--IIIII-": "GetPublicKey",
    "---II-I-": "CreateAlias UpdateAlias TagResource UntagResource UpdateKeyDescription",
    "--III-II": "EnableKey DisableKey",
    "---II-II": "ScheduleKeyDeletion",
    "NNN--NNN": "CancelKeyDeletion",
    "-D-II-II": "EnableKeyRotation DisableKeyRotation",
    "-DIIIIII": "RotateKeyOnDemand ReplicateKey UpdatePrimaryRegion",
    "---IIIII": "GetParametersForImport ImportKeyMaterial",
    "----IIII": "DeleteImportedKeyMaterial",
    "--------": """DescribeKey DeleteAlias GetKeyPolicy GetKeyRotationStatus ListAliases ListGrants
        ListKeyPolicies ListKeyRotations ListResourceTags PutKeyPolicy RetireGrant RevokeGrant
        GetKeyLastUsage""",
}
OUTCOMES = [
    (operation, state, letter)
    for row, operations in ROWS.items()
    for operation in operations.split()
    for state, letter in zip(STATES, row, strict=True)
]


@pytest.mark.parametrize(("operation", "state", "letter"), OUTCOMES)
def test_the_key_state_table(operation: str, state: str, letter: str) -> None:
    words = re.sub("(?<!^)([A-Z])", r" \1", state).lower()
    assert (
        refused(replace(KEY, state=state, unusable=0), operation, 100)
        == {
            "-": "",
            "D": f"DisabledException: {ARN} is disabled.",
            "I": f"KMSInvalidStateException: {ARN} is {words}.",
            "N": f"KMSInvalidStateException: {ARN} is not pending deletion.",
        }[letter]
    )


def test_the_table_has_every_operation_on_a_key() -> None:
    assert {operation for operation, _, _ in OUTCOMES} == operations_on_a_key()


@pytest.mark.parametrize(
    ("operation", "before", "after"),
    [("Decrypt", "", "DisabledException"), ("RotateKeyOnDemand", *["DisabledException"] * 2)],
)
def test_what_uses_a_key_goes_on_within_the_delay(operation: str, before: str, after: str) -> None:
    key = KEY.disabled(0, DELAY)
    assert refused(key, operation, 5).partition(":")[0] == before
    assert refused(key, operation, 100).partition(":")[0] == after


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
