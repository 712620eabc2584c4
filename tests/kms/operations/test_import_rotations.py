"""Several imported materials in one key: which is current, and what the key needs."""

import math
import secrets
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.kms.base import USER
from testbed.kms.material import wrap
from tests.support.imports import (
    FOREVER,
    MATERIAL,
    OAEP,
    OTHER,
    agreed,
    delete,
    external,
    imported,
    in_seconds,
    listed,
    metadata,
    refused,
    request,
)
from tests.support.kms_authority import DAY, VOLUME, Authority

pytestmark = pytest.mark.containers


def test_new_material_waits_for_its_rotation(aws: Authority) -> None:
    key = external(aws)
    assert aws.code(USER, "RotateKeyOnDemand", KeyId=key) == "KMSInvalidStateException"
    first = imported(aws, key, MATERIAL)
    before = aws.encrypt(key, b"before")
    assert str(aws.refusal(USER, "RotateKeyOnDemand", KeyId=key)) == (
        f"KMSInvalidStateException: No available key material pending rotation for the key: {key}."
    )
    second = imported(aws, key, OTHER, ImportType="NEW_KEY_MATERIAL")
    assert metadata(aws, key)["CurrentKeyMaterialId"] == first
    assert [entry["KeyMaterialState"] for entry in listed(aws, key)] == [
        "CURRENT",
        "PENDING_ROTATION",
    ]
    third = secrets.token_bytes(32)
    refusal = aws.refusal(
        USER,
        "ImportKeyMaterial",
        **request(aws, key, third, ImportType="NEW_KEY_MATERIAL"),
    )
    assert refusal
    assert refusal.code == "KMSInvalidStateException"
    assert second in refusal.message
    assert imported(aws, key, OTHER) == second, "its expiry can be changed"

    aws.call(USER, "RotateKeyOnDemand", KeyId=key)
    assert metadata(aws, key)["CurrentKeyMaterialId"] == second
    after = aws.encrypt(key, b"after")
    for blob, plaintext, identity in ((before, b"before", first), (after, b"after", second)):
        opened = aws.call(USER, "Decrypt", CiphertextBlob=blob, EncryptionContext=VOLUME)
        assert (opened["Plaintext"], opened["KeyMaterialId"]) == (plaintext, identity)
    assert [(entry["KeyMaterialId"], entry["KeyMaterialState"]) for entry in listed(aws, key)] == [
        (first, "NON_CURRENT"),
        (second, "CURRENT"),
    ]
    [rotation] = aws.call(USER, "ListKeyRotations", KeyId=key)["Rotations"]
    assert (rotation["KeyMaterialId"], rotation["RotationType"]) == (second, "ON_DEMAND")


def test_a_key_needs_all_that_were_ever_current(aws: Authority) -> None:
    key = external(aws)
    first = imported(aws, key, MATERIAL)
    before = aws.encrypt(key)
    second = imported(aws, key, OTHER, ImportType="NEW_KEY_MATERIAL")
    aws.call(USER, "RotateKeyOnDemand", KeyId=key)
    after = aws.encrypt(key)
    assert delete(aws, key, KeyMaterialId=first)["KeyMaterialId"] == first
    assert [entry["ImportState"] for entry in listed(aws, key)] == ["PENDING_IMPORT", "IMPORTED"]
    assert aws.shown(key) == "PendingImport"
    assert delete(aws, key)["KeyMaterialId"] == second, "by default the current one"
    imported(aws, key, MATERIAL)
    assert aws.shown(key) == "PendingImport", "one is still missing"
    imported(aws, key, OTHER)
    assert aws.decrypt(before) == aws.decrypt(after) == b"data"


def test_material_pending_rotation_may_be_deleted_and_replaced(aws: Authority) -> None:
    key = external(aws)
    first = imported(aws, key, MATERIAL)
    second = imported(aws, key, OTHER, ImportType="NEW_KEY_MATERIAL")
    delete(aws, key, KeyMaterialId=second)
    assert aws.shown(key) == "Enabled"
    assert [entry["KeyMaterialId"] for entry in listed(aws, key)] == [first]
    valid_to = in_seconds(aws, DAY)
    imported(aws, key, secrets.token_bytes(32), ImportType="NEW_KEY_MATERIAL", ValidTo=valid_to)
    assert "ValidTo" not in metadata(aws, key), "only of what belongs to the key for good"
    aws.clock.turn(DAY + 60)
    assert aws.shown(key) == "Enabled"
    assert [entry["KeyMaterialId"] for entry in listed(aws, key)] == [first]


def test_a_replica_gets_new_material_after_its_primary(aws: Authority) -> None:
    key = aws.key(Origin="EXTERNAL", MultiRegion=True)
    first, new = imported(aws, key, MATERIAL), {"ImportType": "NEW_KEY_MATERIAL"}
    aws.call(USER, "ReplicateKey", KeyId=key, ReplicaRegion="us-west-2")
    west = key.replace("us-east-1", "us-west-2")
    assert imported(aws, west, MATERIAL) == first
    assert refused(aws, west, OTHER, **new) == "UnsupportedOperationException"
    assert refused(aws, west, OTHER) == "IncorrectKeyMaterialException"

    second = imported(aws, key, OTHER, **new)
    pending = listed(aws, key)[-1]
    assert pending["KeyMaterialState"] == "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
    assert aws.code(USER, "RotateKeyOnDemand", KeyId=key) == "KMSInvalidStateException"
    assert imported(aws, west, OTHER) == second
    assert listed(aws, key)[-1]["KeyMaterialState"] == "PENDING_ROTATION"

    delete(aws, key, KeyMaterialId=second)
    assert [entry["KeyMaterialId"] for entry in listed(aws, west)] == [first]
    imported(aws, key, OTHER, **new)
    imported(aws, west, OTHER)
    aws.call(USER, "RotateKeyOnDemand", KeyId=key)
    for arn in (key, west):
        assert metadata(aws, arn)["CurrentKeyMaterialId"] == second
        assert metadata(aws, arn)["KeyState"] == "Enabled"
    blob = aws.encrypt(key)
    assert aws.decrypt(blob, caller=replace(USER, region="us-west-2")) == b"data"


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["import", "import new", "delete", "rotate", "pass"]),
        st.integers(0, 2),
        st.sampled_from([None, 100.0, 300.0]),
    ),
    max_size=15,
)


@pytest.mark.nightly("random imports; every push has the examples")
def test_whatever_happens_an_enabled_key_opens_all_that_it_closed(aws: Authority) -> None:
    """The model: the materials' order, which of them have been current, and when each ends."""
    pool = [secrets.token_bytes(32) for _ in range(3)]

    @settings(max_examples=25)
    @given(ACTIONS)
    def holds(actions: list[tuple[str, int, float | None]]) -> None:
        key = external(aws)
        token = agreed(aws, key)
        permanent: list[int] = []
        ends: dict[int, float] = {}  # of the materials that are there
        blobs: list[bytes] = []
        for action, number, lifetime in actions:
            now = aws.clock.now()
            waiting = [each for each in ends if each not in permanent]
            if action.startswith("import"):
                expiry = {"ValidTo": in_seconds(aws, lifetime)} if lifetime else FOREVER
                new = action == "import new"
                code = aws.code(
                    USER,
                    "ImportKeyMaterial",
                    KeyId=key,
                    ImportToken=token["ImportToken"],
                    EncryptedKeyMaterial=wrap(pool[number], token["PublicKey"], OAEP),
                    **expiry,
                    **({"ImportType": "NEW_KEY_MATERIAL"} if new else {}),
                )
                associated = number in permanent or number in waiting
                if not permanent or (new and not associated and not waiting):
                    expected = ""
                elif new and not associated:
                    expected = "KMSInvalidStateException"
                else:
                    expected = "" if associated and not new else "IncorrectKeyMaterialException"
                assert code == expected
                if not code:
                    permanent = permanent or [number]
                    ends[number] = now + lifetime if lifetime else math.inf
            elif action == "delete":
                delete(aws, key)
                if permanent:
                    ends.pop(permanent[-1], None)
            elif action == "rotate":
                usable = bool(permanent) and set(permanent) <= set(ends)
                assert (aws.code(USER, "RotateKeyOnDemand", KeyId=key) == "") == (
                    usable and bool(waiting)
                )
                if usable and waiting:
                    permanent.append(waiting[0])
            else:
                aws.clock.turn(150)
                ends = {each: end for each, end in ends.items() if end > now + 150}
            usable = bool(permanent) and set(permanent) <= set(ends)
            assert aws.shown(key) == ("Enabled" if usable else "PendingImport")
            if usable:
                blobs.append(aws.encrypt(key))
                assert {aws.decrypt(blob) for blob in blobs} == {b"data"}

    holds()
