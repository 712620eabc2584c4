"""Which key is meant, by id, ARN, alias or ciphertext; unknown keys; keys LocalStack alone has."""

from dataclasses import replace
from typing import Any

import pytest

from testbed.documented.regions import DEFAULT_REGION
from testbed.errors import KmsError
from testbed.kms.base import MQ, USER, USER_ACCOUNT, Caller
from testbed.kms.call import KmsCall
from tests.support.kms_authority import (
    DELAY,
    GRANTEE,
    NOWHERE,
    OTHER_ACCOUNT,
    SERVICE,
    STRANGER,
    VOLUME,
    Authority,
    container,
)

pytestmark = pytest.mark.containers

HERE = f"arn:aws:kms:{DEFAULT_REGION}:{USER_ACCOUNT}"


def test_a_key_is_found_by_id_arn_alias_and_alias_arn(aws: Authority) -> None:
    key = aws.key()
    alias = f"alias/named-{key[-8:]}"
    aws.call(USER, "CreateAlias", AliasName=alias, TargetKeyId=key)
    for name in (key, key.rpartition("/")[2], alias, f"{HERE}:{alias}"):
        assert aws.call(USER, "DescribeKey", KeyId=name)["KeyMetadata"]["Arn"] == key
        assert aws.decrypt(aws.encrypt(name), KeyId=name) == b"data"

    other = aws.key()
    aws.call(USER, "UpdateAlias", AliasName=alias, TargetKeyId=other.rpartition("/")[2])
    assert aws.call(USER, "DescribeKey", KeyId=alias)["KeyMetadata"]["Arn"] == other
    aws.call(USER, "DeleteAlias", AliasName=alias)
    assert aws.code(USER, "DescribeKey", KeyId=alias) == "NotFoundException"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        # TestKMS::test_get_key_does_not_exist, test_get_key_invalid_uuid,
        # test_get_key_in_different_region
        (NOWHERE, f"NotFoundException: Key '{HERE}:key/{NOWHERE}' does not exist"),
        (f"{HERE}:key/{NOWHERE}", f"NotFoundException: Key '{HERE}:key/{NOWHERE}' does not exist"),
        (
            "mrk-d3b95762d3b95762d3b95762d3b95762",
            (
                f"NotFoundException: Key '{HERE}:key/mrk-d3b95762d3b95762d3b95762d3b95762' "
                "does not exist"
            ),
        ),
        ("fake-key-id", "NotFoundException: Invalid keyId 'fake-key-id'"),
        (
            "134f2428cec14b25a1ae9048164dba47",
            "NotFoundException: Invalid keyId '134f2428cec14b25a1ae9048164dba47'",
        ),
        ("mrk-fake-key-id", "NotFoundException: Invalid keyId 'mrk-fake-key-id'"),
        (
            f"arn:aws:kms:ap-southeast-1:{USER_ACCOUNT}:key/{NOWHERE}",
            "NotFoundException: Invalid arn ap-southeast-1",
        ),
        ("alias/nobody", f"NotFoundException: Alias {HERE}:alias/nobody is not found."),
        (f"{HERE}:alias/nobody", f"NotFoundException: Alias {HERE}:alias/nobody is not found."),
        (
            "arn:aws:sqs:us-east-1:000000000000:queue",
            "InvalidArnException: Invalid arn arn:aws:sqs:us-east-1:000000000000:queue",
        ),
    ],
)
def test_the_refusal_for_an_unknown_key(aws: Authority, name: str, sentence: str) -> None:
    for operation, parameters in (
        ("DescribeKey", {}),
        ("Encrypt", {"Plaintext": b"p"}),
        ("GenerateDataKey", {"KeySpec": "AES_256"}),
    ):
        assert str(aws.refusal(USER, operation, KeyId=name, **parameters)) == sentence


def test_an_alias_names_a_key_only_where_it_is_used(aws: Authority) -> None:
    """API reference: each operation says what its KeyId takes."""
    key = aws.key()
    alias = f"alias/only-{key[-8:]}"
    aws.call(USER, "CreateAlias", AliasName=alias, TargetKeyId=key)
    for operation in ("DisableKey", "ScheduleKeyDeletion", "ListGrants", "EnableKeyRotation"):
        assert (
            str(aws.refusal(USER, operation, KeyId=alias))
            == f"NotFoundException: Invalid keyId '{alias}'"
        )


def test_across_accounts_an_unknown_key_looks_like_one_that_is_not_allowed(
    aws: Authority,
) -> None:
    key = aws.key()
    real = aws.refusal(STRANGER, "DescribeKey", KeyId=key)
    for name in (f"{HERE}:key/{NOWHERE}", f"{HERE}:alias/nobody"):
        missing = aws.refusal(STRANGER, "DescribeKey", KeyId=name)
        assert missing
        assert real
        assert missing.message == real.message
        assert "does not exist in this Region" in real.message


def test_a_ciphertext_names_its_key_across_accounts(aws: Authority) -> None:
    key = aws.key()
    blob = aws.encrypt(key)
    aws.grant(key, GRANTEE.principal, "Decrypt")
    assert aws.decrypt(blob, caller=GRANTEE) == b"data", (
        "which is in another account, and not named"
    )
    refusal = aws.refusal(STRANGER, "Decrypt", CiphertextBlob=blob, EncryptionContext=VOLUME)
    assert refusal
    assert (
        "on the resource associated with this ciphertext because the resource does not "
        "exist in this Region" in refusal.message
    )
    assert key not in refusal.message
    refusal = aws.refusal(SERVICE, "Decrypt", CiphertextBlob=blob, EncryptionContext=VOLUME)
    assert refusal
    assert refusal.message == (
        "User: mq.amazonaws.com is not authorized to perform: kms:Decrypt on the "
        "resource associated with this ciphertext "
        "because no resource-based policy allows the kms:Decrypt action"
    )


# Keys created directly on LocalStack


def test_a_key_made_on_localstack_is_taken_up_with_its_policy(aws: Authority) -> None:
    raw = container().kms
    key = raw.call(
        USER,
        "CreateKey",
        {
            "Policy": '{"Statement": [{"Effect": "Allow", "Principal": "*", '
            '"Action": "kms:*", "Resource": "*"}]}'
        },
    )["KeyMetadata"]
    assert aws.shown(key["Arn"]) == "Enabled"
    assert aws.decrypt(aws.encrypt(key["KeyId"])) == b"data"
    assert aws.shown(key["Arn"], STRANGER) == "Enabled", "by its own policy"
    plain = raw.call(USER, "CreateKey", {})["KeyMetadata"]["Arn"]
    assert aws.code(STRANGER, "DescribeKey", KeyId=plain) == "AccessDeniedException"
    aws.call(USER, "DisableKey", KeyId=plain)
    aws.clock.turn(DELAY)
    assert aws.code(USER, "Encrypt", KeyId=plain, Plaintext=b"p") == "DisabledException"


def test_a_ciphertext_of_localstacks_own_opens_without_context(aws: Authority) -> None:
    raw = container().kms
    key = raw.call(USER, "CreateKey", {})["KeyMetadata"]["Arn"]
    blob = raw.call(USER, "Encrypt", {"KeyId": key, "Plaintext": b"p"})["CiphertextBlob"]
    assert aws.decrypt(blob, {}) == b"p"


def test_an_aws_managed_key_of_localstacks_own_is_one_here(aws: Authority) -> None:
    metadata = aws.call(USER, "DescribeKey", KeyId="alias/aws/s3")["KeyMetadata"]
    assert metadata["KeyManager"] == "AWS"
    assert aws.code(USER, "DisableKey", KeyId=metadata["Arn"]) == "AccessDeniedException"
    through = replace(USER, invoked_by="s3.amazonaws.com")
    assert aws.decrypt(aws.encrypt(metadata["Arn"], caller=through), caller=through) == b"data"
    assert (
        aws.code(USER, "Encrypt", KeyId="alias/aws/s3", Plaintext=b"p") == "AccessDeniedException"
    )


def test_everything_behind_sees_arns(aws: Authority) -> None:
    def resolved(caller: Caller, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        call = KmsCall(caller, operation, parameters, 0.0, aws.ledger.view())
        return dict(aws.kms._names.resolve(call).parameters)

    assert resolved(USER, "DisableKey", {"KeyId": NOWHERE}) == {"KeyId": f"{HERE}:key/{NOWHERE}"}
    assert (
        resolved(MQ, "CreateAlias", {"AliasName": "alias/x", "TargetKeyId": NOWHERE})["TargetKeyId"]
        == f"arn:aws:kms:{DEFAULT_REGION}:{MQ.account}:key/{NOWHERE}"
    )
    assert resolved(replace(USER, account=OTHER_ACCOUNT), "ListKeys", {}) == {}
    with pytest.raises(KmsError):
        resolved(USER, "ReEncrypt", {"CiphertextBlob": b"x", "DestinationKeyId": NOWHERE})
