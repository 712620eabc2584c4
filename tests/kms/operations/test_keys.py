"""The three kinds of key, their policies and aliases, over the real LocalStack."""

import base64
import json
import re
from typing import Any

import pytest

from testbed.arn import KEY_ID
from testbed.kms import key_policy
from testbed.kms.base import MQ, SERVICE_ACCOUNT, USER, USER_ACCOUNT, Caller
from tests.support.key_policies import ROOT, allow, document
from tests.support.kms_authority import ADMIN, DELAY, GRANTEE, STRANGER, Authority

pytestmark = pytest.mark.containers

# A separate account for each test that needs alias/aws/mq to be new.
ACCOUNTS = iter(range(444444444444, 444444445444))


def account() -> tuple[Caller, Caller, Caller]:
    """Return a new account's root, its session through Amazon MQ, and Amazon MQ acting for it."""
    number = str(next(ACCOUNTS))
    root = Caller(f"arn:aws:iam::{number}:root", number, "Root")
    return (
        root,
        Caller(root.principal, number, "Root", invoked_by="mq.amazonaws.com"),
        Caller(MQ.principal, number, "AWSService"),
    )


def managed(aws: Authority, service: Caller) -> str:
    key = aws.key(service, Description="Default key")
    aws.call(service, "CreateAlias", AliasName="alias/aws/mq", TargetKeyId=key)
    return key


def test_a_customers_key(aws: Authority) -> None:
    """Fields: TestKMS::test_create_key."""
    metadata = aws.call(USER, "CreateKey", Description="test key 123")["KeyMetadata"]
    assert abs(metadata.pop("CreationDate").timestamp() - aws.clock.now()) < 60
    assert len(metadata.pop("CurrentKeyMaterialId")) == 64
    key_id = metadata["KeyId"]
    assert metadata == {
        "AWSAccountId": USER_ACCOUNT,
        "Arn": f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/{key_id}",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "Description": "test key 123",
        "Enabled": True,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyId": key_id,
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": False,
        "Origin": "AWS_KMS",
    }
    answer = aws.call(USER, "GetKeyPolicy", KeyId=key_id)
    assert answer["PolicyName"] == "default"
    assert json.loads(answer["Policy"]) == json.loads(key_policy.default(USER_ACCOUNT))


def test_the_aws_managed_key_is_visible_and_out_of_its_owners_hands(aws: Authority) -> None:
    root, _, service = account()
    key = managed(aws, service)
    for name in (key, "alias/aws/mq"):
        metadata = aws.call(root, "DescribeKey", KeyId=name)["KeyMetadata"]
        assert (metadata["Arn"], metadata["KeyManager"], metadata["KeyState"]) == (
            key,
            "AWS",
            "Enabled",
        )
    assert key in {entry["KeyArn"] for entry in aws.call(root, "ListKeys")["Keys"]}
    assert "kms:ViaService" in aws.call(root, "GetKeyPolicy", KeyId=key)["Policy"]
    assert aws.call(root, "GetKeyRotationStatus", KeyId=key)["KeyRotationEnabled"], (
        "of such a key it is always true"
    )

    forbidden: dict[str, dict[str, Any]] = {
        "DisableKey": {"KeyId": key},
        "ScheduleKeyDeletion": {"KeyId": key},
        "PutKeyPolicy": {
            "KeyId": key,
            "PolicyName": "default",
            "Policy": key_policy.default(root.account),
        },
        "DisableKeyRotation": {"KeyId": key},
        "RotateKeyOnDemand": {"KeyId": key},
        "UpdateKeyDescription": {"KeyId": key, "Description": "mine"},
        "TagResource": {"KeyId": key, "Tags": [{"TagKey": "a", "TagValue": "b"}]},
        "DeleteAlias": {"AliasName": "alias/aws/mq"},
        "CreateAlias": {"AliasName": "alias/mine", "TargetKeyId": key},
        "Encrypt": {"KeyId": key, "Plaintext": b"p"},
        "CreateGrant": {
            "KeyId": key,
            "GranteePrincipal": GRANTEE.principal,
            "Operations": ["Decrypt"],
        },
    }
    for operation, parameters in forbidden.items():
        assert aws.code(root, operation, **parameters) == "AccessDeniedException", operation
    assert aws.shown(key, root) == "Enabled"
    own_key = aws.key(root)  # control: with a key that it owns, the account may do everything
    for operation, parameters in forbidden.items():
        if operation not in ("ScheduleKeyDeletion", "DisableKey", "DeleteAlias"):
            aws.call(
                root,
                operation,
                **{name: own_key if value == key else value for name, value in parameters.items()},
            )
    for operation, parameters in (
        ("DeleteAlias", {"AliasName": "alias/mine"}),
        ("DisableKey", {"KeyId": own_key}),
        ("ScheduleKeyDeletion", {"KeyId": own_key}),
    ):
        aws.call(root, operation, **parameters)


def test_the_aws_managed_key_is_used_through_its_service_and_by_its_grants(aws: Authority) -> None:
    root, session, service = account()
    key = managed(aws, service)
    assert (
        aws.code(service, "GenerateDataKeyWithoutPlaintext", KeyId=key, NumberOfBytes=64)
        == "AccessDeniedException"
    ), "not even by its manager"
    aws.grant(
        key,
        "mq.amazonaws.com",
        "CreateGrant",
        "Decrypt",
        "GenerateDataKeyWithoutPlaintext",
        by=session,
    )
    blob = aws.call(service, "GenerateDataKeyWithoutPlaintext", KeyId=key, NumberOfBytes=64)[
        "CiphertextBlob"
    ]
    assert len(aws.decrypt(blob, {}, service)) == 64
    grant = aws.call(root, "ListGrants", KeyId=key)["Grants"][0]["GrantId"]
    aws.call(root, "RevokeGrant", KeyId=key, GrantId=grant)  # which the owner may do
    aws.clock.turn(DELAY)
    assert aws.code(service, "Decrypt", CiphertextBlob=blob) == "AccessDeniedException"


def test_a_service_gives_up_a_key_it_has_no_use_for(aws: Authority) -> None:
    root, _, service = account()
    key = aws.key(service)
    aws.call(service, "ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    assert aws.shown(key, root) == "PendingDeletion"


def test_an_aws_owned_key_is_the_services_own(aws: Authority) -> None:
    key = aws.key(MQ)
    assert key.split(":")[4] == SERVICE_ACCOUNT
    assert json.loads(aws.call(MQ, "GetKeyPolicy", KeyId=key)["Policy"]) == json.loads(
        key_policy.default(SERVICE_ACCOUNT)
    )
    assert aws.decrypt(aws.encrypt(key, caller=MQ), caller=MQ) == b"data"


def test_the_aliases_of_services_are_reserved(aws: Authority) -> None:
    key = aws.key()
    assert (
        aws.code(ADMIN, "CreateAlias", AliasName="alias/aws/mine", TargetKeyId=key)
        == "NotAuthorizedException"
    )
    # TestKMS::test_create_alias
    assert str(aws.refusal(USER, "CreateAlias", AliasName="no-prefix", TargetKeyId=key)) == (
        'ValidationException: Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html'
    )


@pytest.mark.parametrize(
    ("condition", "parameters"),
    [
        ({"StringEquals": {"kms:KeySpec": "RSA_2048"}},
         {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}),
        ({"StringEquals": {"kms:KeyUsage": "GENERATE_VERIFY_MAC"}},
         {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}),
        ({"StringEquals": {"kms:KeyOrigin": "EXTERNAL"}}, {"Origin": "EXTERNAL"}),
        ({"Bool": {"kms:MultiRegion": "true"}}, {"MultiRegion": True}),
    ],
)  # fmt: skip
def test_a_new_keys_policy_is_checked_against_that_key(
    aws: Authority, condition: Any, parameters: dict[str, Any]
) -> None:
    policy = document(allow(ROOT, Condition=condition))
    assert aws.code(USER, "CreateKey", Policy=policy, **parameters) == ""
    refused = aws.code(USER, "CreateKey", Policy=policy)
    assert refused == "MalformedPolicyDocumentException", "it locks the user out of another key"
    bypass = {"BypassPolicyLockoutSafetyCheck": True}
    assert aws.code(USER, "CreateKey", Policy=policy, **bypass) == ""


def test_a_policy_is_put_got_and_heeded(aws: Authority) -> None:
    key = aws.key()
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": [ADMIN.principal, STRANGER.principal]},
        "Action": "kms:*",
        "Resource": "*",
    }
    own_key = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.call(ADMIN, "PutKeyPolicy", KeyId=key, PolicyName="default", Policy=own_key)
    assert aws.call(ADMIN, "GetKeyPolicy", KeyId=key, PolicyName="default") == {
        "Policy": own_key,
        "PolicyName": "default",
    }
    assert aws.call(ADMIN, "ListKeyPolicies", KeyId=key)["PolicyNames"] == ["default"]
    assert aws.shown(key, STRANGER) == "Enabled"
    assert aws.code(USER, "DescribeKey", KeyId=key) == "AccessDeniedException", "not even root"

    locked_out = json.dumps(
        {"Version": "2012-10-17", "Statement": [{**statement, "Action": "kms:Decrypt"}]}
    )
    for broken in (locked_out, "no json"):
        assert (
            aws.code(ADMIN, "PutKeyPolicy", KeyId=key, PolicyName="default", Policy=broken)
            == "MalformedPolicyDocumentException"
        )
        assert aws.code(ADMIN, "CreateKey", Policy=broken) == "MalformedPolicyDocumentException"
    assert aws.call(ADMIN, "GetKeyPolicy", KeyId=key)["Policy"] == own_key
    assert (
        aws.code(ADMIN, "PutKeyPolicy", KeyId=key, PolicyName="other", Policy=own_key)
        == "UnsupportedOperationException"
    )
    shared = aws.refusal(ADMIN, "PutKeyPolicy", KeyId=key, PolicyName="AWS_RAM", Policy=own_key)
    assert str(shared) == (
        "ValidationException: The AWS_RAM policy can only be managed by the RAM service."
    )
    for absent in ("other", "AWS_RAM"):
        code = aws.code(ADMIN, "GetKeyPolicy", KeyId=key, PolicyName=absent)
        assert code == "NotFoundException"

    aws.call(
        ADMIN,
        "PutKeyPolicy",
        KeyId=key,
        PolicyName="default",
        Policy=locked_out,
        BypassPolicyLockoutSafetyCheck=True,
    )
    assert (
        aws.code(ADMIN, "PutKeyPolicy", KeyId=key, PolicyName="default", Policy=own_key)
        == "AccessDeniedException"
    ), "as the warning said"
    assert aws.shown(aws.key(ADMIN, Policy=own_key), STRANGER) == "Enabled", (
        "and a key can be created with one"
    )


def test_what_a_key_can_be_for(aws: Authority) -> None:
    """TestKMS::test_hmac_create_key_invalid_operations, create-hmac-key-without-key-usage."""
    needed = (
        "ValidationException: You must specify a KeyUsage value for all KMS keys "
        "except for symmetric encryption keys."
    )
    for spec in ("HMAC_256", "RSA_2048", "ECC_NIST_P256"):
        assert str(aws.refusal(USER, "CreateKey", KeySpec=spec)) == needed
    for spec, usage in (
        ("SYMMETRIC_DEFAULT", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "ENCRYPT_DECRYPT"),
        ("HMAC_256", "SIGN_VERIFY"),
        ("RSA_2048", "GENERATE_VERIFY_MAC"),
    ):
        assert aws.code(USER, "CreateKey", KeySpec=spec, KeyUsage=usage) == "ValidationException"


def test_a_spec_is_given_once(aws: Authority) -> None:
    assert str(
        aws.refusal(
            USER,
            "CreateKey",
            KeySpec="RSA_2048",
            CustomerMasterKeySpec="RSA_2048",
            KeyUsage="SIGN_VERIFY",
        )
    ) == (
        "ValidationException: You cannot specify KeySpec and CustomerMasterKeySpec in the same "
        "request. CustomerMasterKeySpec is deprecated."
    )
    old = aws.key(CustomerMasterKeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    assert aws.call(USER, "DescribeKey", KeyId=old)["KeyMetadata"]["KeySpec"] == "RSA_2048"


def test_tags_that_only_aws_sets(aws: Authority) -> None:
    key = aws.key(Tags=[{"TagKey": "team", "TagValue": "queues"}])
    mine = {"TagKey": "aws:testbed:destroy", "TagValue": key.rpartition("/")[2]}
    for operation, parameters in (
        ("TagResource", {"KeyId": key, "Tags": [mine]}),
        ("CreateKey", {"Tags": [mine]}),
    ):
        assert (
            str(aws.refusal(USER, operation, **parameters))
            == "TagException: Tags beginning with aws: are reserved"
        )
    assert aws.shown(key) == "Enabled"
    assert aws.decrypt(aws.encrypt(key)) == b"data"
    assert aws.call(USER, "ListResourceTags", KeyId=key)["Tags"] == [
        {"TagKey": "team", "TagValue": "queues"}
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_custom_id_", "hello"),
        ("_custom_id_", "../../x:y"),
        ("_custom_key_material_", base64.b64encode(bytes(32)).decode()),
        ("_custom_key_material_", "****"),
    ],
)
def test_tags_that_localstack_takes_for_instructions_are_tags(
    aws: Authority, name: str, text: str
) -> None:
    tag = {"TagKey": name, "TagValue": text}
    key = aws.key(Tags=[tag])
    assert re.fullmatch(KEY_ID, key.rpartition("/")[2])
    assert aws.decrypt(aws.encrypt(key)) == b"data"
    aws.call(USER, "TagResource", KeyId=key, Tags=[tag])
    assert aws.call(USER, "ListResourceTags", KeyId=key)["Tags"] == [tag]
    aws.call(USER, "UntagResource", KeyId=key, TagKeys=[name])
    assert aws.call(USER, "ListResourceTags", KeyId=key)["Tags"] == []


def test_a_keys_id_cannot_be_chosen(aws: Authority) -> None:
    key = aws.key()
    blob = aws.encrypt(key)
    chosen = [{"TagKey": "_custom_id_", "TagValue": key.rpartition("/")[2]}]
    assert aws.key(Tags=chosen) != key
    assert aws.decrypt(blob) == b"data"


def test_how_many_tags_a_key_can_have(aws: Authority) -> None:
    tags = [{"TagKey": f"t{number:02}", "TagValue": ""} for number in range(51)]
    assert str(aws.refusal(USER, "CreateKey", Tags=tags)) == "TagException: Too many tags"
    assert (
        str(aws.refusal(USER, "CreateKey", Tags=tags[:1] * 2)) == "TagException: Duplicate tag keys"
    )
    key = aws.key(Tags=tags[:50])
    assert aws.code(USER, "TagResource", KeyId=key, Tags=tags[50:]) == "LimitExceededException"
    aws.call(USER, "TagResource", KeyId=key, Tags=[{"TagKey": "t00", "TagValue": "changed"}])
    shown = aws.call(USER, "ListResourceTags", KeyId=key, Limit=1)
    assert shown["Tags"] == [{"TagKey": "t00", "TagValue": "changed"}]
    assert shown["Truncated"]
