"""Multi-Region keys: replicas with the primary's material, and what is each key's own."""

import json
from dataclasses import replace
from typing import Any

import pytest

from testbed.documented.regions import DEFAULT_REGION
from testbed.errors import KmsError
from testbed.kms import key_policy, material
from testbed.kms.base import USER, USER_ACCOUNT
from testbed.kms.naming import owner
from tests.support.kms_authority import DAY, DELAY, STRANGER, Authority

pytestmark = pytest.mark.containers

WEST, EUROPE = "us-west-2", "eu-central-1"
IN_WEST, IN_EUROPE = replace(USER, region=WEST), replace(USER, region=EUROPE)
SENTENCE = "is not a multi-region primary key."


def primary(aws: Authority, **parameters: Any) -> str:
    return aws.key(MultiRegion=True, **parameters)


def replicated(aws: Authority, key: str, region: str = WEST, **parameters: Any) -> str:
    answer = aws.call(owner(key), "ReplicateKey", KeyId=key, ReplicaRegion=region, **parameters)
    arn: str = answer["ReplicaKeyMetadata"]["Arn"]
    return arn


def described(aws: Authority, key: str) -> dict[str, Any]:
    metadata: dict[str, Any] = aws.call(owner(key), "DescribeKey", KeyId=key)["KeyMetadata"]
    return metadata


def test_a_replica_is_described_on_all_sides(aws: Authority) -> None:
    key = primary(aws, Description="the first")
    assert key.rpartition("/")[2].startswith("mrk-")
    alone = described(aws, key)["MultiRegionConfiguration"]
    entry = {"Arn": key, "Region": DEFAULT_REGION}
    assert alone == {"MultiRegionKeyType": "PRIMARY", "PrimaryKey": entry, "ReplicaKeys": []}

    answer = aws.call(
        USER,
        "ReplicateKey",
        KeyId=key,
        ReplicaRegion=WEST,
        Description="the second",
        Tags=[{"TagKey": "site", "TagValue": "west"}],
    )
    replica = key.replace(DEFAULT_REGION, WEST)
    shown = answer["ReplicaKeyMetadata"]
    assert (shown["Arn"], shown["KeyState"], shown["Enabled"]) == (replica, "Creating", False)
    assert answer["ReplicaTags"] == [{"TagKey": "site", "TagValue": "west"}]
    assert answer["ReplicaPolicy"] == key_policy.default(USER_ACCOUNT, WEST)
    second = {"Arn": replica, "Region": WEST}
    third = {"Arn": replicated(aws, key, EUROPE), "Region": EUROPE}
    for arn, kind in ((key, "PRIMARY"), (replica, "REPLICA"), (third["Arn"], "REPLICA")):
        metadata = described(aws, arn)
        assert metadata["MultiRegionConfiguration"] == {
            "MultiRegionKeyType": kind,
            "PrimaryKey": entry,
            "ReplicaKeys": [second, third],
        }
        assert (metadata["Arn"], metadata["KeyState"], metadata["MultiRegion"]) == (
            arn,
            "Enabled",
            True,
        )
    assert described(aws, key)["Description"] == "the first"
    assert described(aws, replica)["Description"] == "the second"
    assert aws.call(IN_WEST, "ListResourceTags", KeyId=replica)["Tags"] == answer["ReplicaTags"]
    assert aws.call(USER, "ListResourceTags", KeyId=key)["Tags"] == []
    assert replica in [entry["KeyArn"] for entry in aws.call(IN_WEST, "ListKeys")["Keys"]]


def test_related_keys_open_each_others_ciphertexts(aws: Authority) -> None:
    key = primary(aws)
    before = aws.encrypt(key)
    west, europe = replicated(aws, key), replicated(aws, key, EUROPE)
    by_west = aws.encrypt(west, caller=IN_WEST)
    for blob in (before, by_west):
        for caller in (USER, IN_WEST, IN_EUROPE):
            assert aws.decrypt(blob, caller=caller) == b"data"
    assert aws.decrypt(by_west, caller=IN_EUROPE, KeyId=europe) == b"data"

    other = aws.encrypt(aws.key())
    refused = aws.refusal(IN_WEST, "Decrypt", CiphertextBlob=other)
    assert refused
    assert refused.code == "AccessDeniedException", "control: a single-Region key"
    assert aws.code(IN_WEST, "DescribeKey", KeyId=key) == "NotFoundException"


@pytest.mark.parametrize(
    ("parameters", "sign", "verify", "options"),
    [
        (
            {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
            "Sign",
            "Verify",
            {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"},
        ),
        (
            {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
            "GenerateMac",
            "VerifyMac",
            {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"},
        ),
    ],
    ids=["ECC", "HMAC"],
)
def test_other_kinds_of_key_are_replicated_with_their_material(
    aws: Authority,
    parameters: dict[str, str],
    sign: str,
    verify: str,
    options: dict[str, Any],
) -> None:
    key = primary(aws, **parameters)
    west = replicated(aws, key)
    answer = aws.call(USER, sign, KeyId=key, **options)
    made = {name: answer[name] for name in ("Signature", "Mac") if name in answer}
    assert aws.code(IN_WEST, verify, KeyId=west, **made, **options) == ""


def test_state_policy_grants_and_aliases_are_each_keys_own(aws: Authority) -> None:
    key = primary(aws)
    west = replicated(aws, key)
    blob = aws.encrypt(key)
    aws.grant(west, STRANGER.principal, "Decrypt", by=IN_WEST)
    assert aws.call(USER, "ListGrants", KeyId=key)["Grants"] == []
    aws.call(IN_WEST, "CreateAlias", AliasName="alias/both", TargetKeyId=west)
    aws.call(USER, "CreateAlias", AliasName="alias/both", TargetKeyId=aws.key())
    assert (
        described(aws, west)["Arn"]
        == aws.call(IN_WEST, "DescribeKey", KeyId="alias/both")["KeyMetadata"]["Arn"]
    )

    allowing = json.loads(key_policy.default(USER_ACCOUNT, WEST))
    allowing["Statement"][0]["Sid"] = "west"
    aws.call(IN_WEST, "PutKeyPolicy", KeyId=west, Policy=json.dumps(allowing))
    assert "west" not in aws.call(USER, "GetKeyPolicy", KeyId=key)["Policy"]

    aws.call(USER, "DisableKey", KeyId=key)
    aws.clock.turn(DELAY + 1)
    assert aws.code(USER, "Decrypt", CiphertextBlob=blob) != "", "the encryption context, or state"
    assert (aws.shown(key), aws.shown(west, IN_WEST)) == ("Disabled", "Enabled")
    assert aws.decrypt(blob, caller=IN_WEST) == b"data"


@pytest.mark.parametrize(
    ("region", "code"),
    [
        (DEFAULT_REGION, "ValidationException"),
        ("cn-north-1", "ValidationException"),
        ("mars-north-1", "ValidationException"),
        (WEST, "AlreadyExistsException"),
    ],
)
def test_a_region_that_cannot_have_a_replica_is_refused(
    aws: Authority, region: str, code: str
) -> None:
    key = primary(aws)
    replicated(aws, key, WEST)
    assert aws.code(USER, "ReplicateKey", KeyId=key, ReplicaRegion=region) == code


def test_a_key_that_is_no_primary_is_not_replicated(aws: Authority) -> None:
    single, key = aws.key(), primary(aws)
    west = replicated(aws, key)
    for caller, arn in ((USER, single), (IN_WEST, west)):
        refused = aws.refusal(caller, "ReplicateKey", KeyId=arn, ReplicaRegion=EUROPE)
        assert refused
        assert (refused.code, str(refused)) == (
            "UnsupportedOperationException",
            f"UnsupportedOperationException: {arn} {SENTENCE}",
        )
    aws.call(USER, "DisableKey", KeyId=key)
    assert aws.code(USER, "ReplicateKey", KeyId=key, ReplicaRegion=EUROPE) == "DisabledException"


def test_a_malformed_policy_makes_no_replica(aws: Authority) -> None:
    key = primary(aws)
    request = {"KeyId": key, "ReplicaRegion": WEST}
    code = aws.code(USER, "ReplicateKey", **request, Policy="x")
    assert code == "MalformedPolicyDocumentException"
    assert described(aws, key)["MultiRegionConfiguration"]["ReplicaKeys"] == []
    assert (
        aws.code(USER, "ReplicateKey", **request, Tags=[{"TagKey": "aws:x", "TagValue": "y"}])
        == "TagException"
    )
    document = key_policy.default(USER_ACCOUNT, WEST)
    replicated(aws, key, Policy=document)


def test_the_primary_is_rotated_and_all_follow(aws: Authority) -> None:
    key = primary(aws)
    west = replicated(aws, key)
    old = aws.encrypt(key)
    for operation in ("EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"):
        refused = aws.refusal(IN_WEST, operation, KeyId=west)
        assert refused
        assert refused.code == "UnsupportedOperationException", operation
    aws.call(USER, "EnableKeyRotation", KeyId=key, RotationPeriodInDays=100)
    status = aws.call(IN_WEST, "GetKeyRotationStatus", KeyId=west)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 100)

    aws.call(USER, "RotateKeyOnDemand", KeyId=key)
    rotations = aws.call(USER, "ListKeyRotations", KeyId=key)["Rotations"]
    there = aws.call(IN_WEST, "ListKeyRotations", KeyId=west)["Rotations"]
    assert [each["KeyMaterialId"] for each in there] == [
        each["KeyMaterialId"] for each in rotations
    ]
    new = aws.encrypt(key)
    by_west = aws.encrypt(west, caller=IN_WEST)
    for blob in (old, new, by_west):
        assert aws.decrypt(blob, caller=IN_WEST) == b"data"
        assert aws.decrypt(blob) == b"data"

    aws.clock.turn(100 * DAY + 1)
    assert len(aws.call(IN_WEST, "ListKeyRotations", KeyId=west)["Rotations"]) == 2
    rotated = [(name, arn) for name, arn, *_ in aws.happened if arn in (key, west)]
    assert rotated == [("RotateKey", key)] * 2, "on demand and by the clock, the replica never"
    assert aws.decrypt(aws.encrypt(key), caller=IN_WEST) == b"data"


def test_a_primary_is_deleted_after_its_replicas(aws: Authority) -> None:
    key = primary(aws)
    west, europe = replicated(aws, key), replicated(aws, key, EUROPE)
    answer = aws.call(USER, "ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    assert answer == {
        "KeyId": key,
        "KeyState": "PendingReplicaDeletion",
        "PendingWindowInDays": 7,
    }
    metadata = described(aws, key)
    assert (metadata["KeyState"], metadata["PendingDeletionWindowInDays"]) == (
        "PendingReplicaDeletion",
        7,
    )
    assert "DeletionDate" not in metadata
    blob = aws.encrypt(west, caller=IN_WEST)
    aws.clock.turn(DELAY + 1)
    assert aws.refusal(USER, "Encrypt", KeyId=key, Plaintext=b"x").code == (  # type: ignore[union-attr]
        "KMSInvalidStateException"
    )
    assert aws.decrypt(blob, caller=IN_WEST) == b"data"

    aws.call(IN_WEST, "ScheduleKeyDeletion", KeyId=west, PendingWindowInDays=7)
    aws.clock.turn(8 * DAY)
    assert aws.code(IN_WEST, "DescribeKey", KeyId=west) == "NotFoundException"
    assert aws.shown(key) == "PendingReplicaDeletion", "the other replica is still there"
    aws.call(IN_EUROPE, "ScheduleKeyDeletion", KeyId=europe, PendingWindowInDays=7)
    aws.clock.turn(7 * DAY + 1)
    metadata = described(aws, key)
    assert metadata["KeyState"] == "PendingDeletion"
    left = metadata["DeletionDate"].timestamp() - aws.clock.now()
    assert 6.9 * DAY < left < 7 * DAY
    aws.clock.turn(7 * DAY)
    assert aws.code(USER, "DescribeKey", KeyId=key) == "NotFoundException"
    assert [arn for name, arn, *_ in aws.happened if name == "DeleteKey"] == [west, europe, key]


def test_a_deletion_that_waits_can_be_cancelled(aws: Authority) -> None:
    key = primary(aws)
    replicated(aws, key)
    aws.call(USER, "ScheduleKeyDeletion", KeyId=key)
    aws.call(USER, "CancelKeyDeletion", KeyId=key)
    assert aws.shown(key) == "Disabled"
    assert "PendingDeletionWindowInDays" not in described(aws, key)
    aws.call(USER, "EnableKey", KeyId=key)
    assert aws.decrypt(aws.encrypt(key)) == b"data"


def test_the_primary_can_move_and_the_former_one_be_deleted(aws: Authority) -> None:
    key = primary(aws)
    west, europe = replicated(aws, key), replicated(aws, key, EUROPE)
    blob = aws.encrypt(key)
    missing = aws.refusal(USER, "UpdatePrimaryRegion", KeyId=key, PrimaryRegion="eu-west-1")
    assert missing
    assert missing.code == "NotFoundException"
    assert aws.code(IN_WEST, "UpdatePrimaryRegion", KeyId=west, PrimaryRegion=EUROPE) == (
        "UnsupportedOperationException"
    )
    aws.call(USER, "UpdatePrimaryRegion", KeyId=key, PrimaryRegion=WEST)
    for arn in (key, west, europe):
        configuration = described(aws, arn)["MultiRegionConfiguration"]
        assert configuration["PrimaryKey"] == {"Arn": west, "Region": WEST}
        assert configuration["ReplicaKeys"] == [
            {"Arn": key, "Region": DEFAULT_REGION},
            {"Arn": europe, "Region": EUROPE},
        ]
    aws.call(USER, "ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    assert aws.shown(key) == "PendingDeletion", "it is a replica now"
    aws.clock.turn(8 * DAY)
    assert aws.code(USER, "DescribeKey", KeyId=key) == "NotFoundException"
    assert aws.decrypt(blob, caller=IN_EUROPE) == b"data", "the material is in every Region"
    aws.call(IN_WEST, "RotateKeyOnDemand", KeyId=west)
    assert aws.decrypt(aws.encrypt(west, caller=IN_WEST), caller=IN_EUROPE) == b"data"
    again = replicated(aws, west, DEFAULT_REGION)
    assert again == key
    assert aws.decrypt(blob) == b"data"
    assert aws.decrypt(aws.encrypt(west, caller=IN_WEST)) == b"data"


def test_the_new_primary_has_to_allow_it_too(aws: Authority) -> None:
    key = primary(aws)
    denying = json.loads(key_policy.default(USER_ACCOUNT, WEST))
    denying["Statement"].append(
        {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "kms:UpdatePrimaryRegion",
            "Resource": "*",
        }
    )
    replicated(aws, key, Policy=json.dumps(denying))
    request = {"KeyId": key, "PrimaryRegion": WEST}
    assert aws.code(USER, "UpdatePrimaryRegion", **request) == "AccessDeniedException"


def test_imported_material_is_imported_into_each_replica(aws: Authority) -> None:
    key = primary(aws, Origin="EXTERNAL")
    secret, other = material.generate("SYMMETRIC_DEFAULT"), material.generate("SYMMETRIC_DEFAULT")
    import_into(aws, key, secret)
    blob = aws.encrypt(key)
    west = replicated(aws, key)
    assert aws.shown(west, IN_WEST) == "PendingImport"
    with pytest.raises(KmsError, match="IncorrectKeyMaterialException"):
        import_into(aws, west, other)
    import_into(aws, west, secret)
    assert aws.shown(west, IN_WEST) == "Enabled"
    assert aws.decrypt(blob, caller=IN_WEST) == b"data"
    aws.call(USER, "DeleteImportedKeyMaterial", KeyId=key)
    assert (aws.shown(key), aws.shown(west, IN_WEST)) == ("PendingImport", "Enabled")


def import_into(aws: Authority, key: str, secret: bytes) -> None:
    algorithm = "RSAES_OAEP_SHA_256"
    wrapping = {"WrappingAlgorithm": algorithm, "WrappingKeySpec": "RSA_2048"}
    agreed = aws.call(owner(key), "GetParametersForImport", KeyId=key, **wrapping)
    aws.call(
        owner(key),
        "ImportKeyMaterial",
        KeyId=key,
        ImportToken=agreed["ImportToken"],
        EncryptedKeyMaterial=material.wrap(secret, agreed["PublicKey"], algorithm),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
